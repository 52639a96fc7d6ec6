"""What an echo does not show: calls of Node inside one call, and a stream."""

from collections.abc import Iterator
from time import perf_counter
from typing import Any

from synapse import handler, host


@handler(default=True)
def main(payload: Any) -> Any:
    return payload


@handler
def ask(payload: Any, count: int) -> float:
    """Calls Node `count` times, one call after the other; the median in microseconds."""
    durations = []
    for _ in range(count):
        begin = perf_counter()
        host.echo(payload).result()
        durations.append(perf_counter() - begin)
    durations.sort()
    return durations[count // 2] * 1e6


@handler
def numbers(count: int) -> Iterator[int]:
    yield from range(count)
