"""What a pool is for: handlers that wait, and handlers that compute."""

import asyncio
from typing import Any

from synapse import handler


@handler(default=True)
def main(payload: Any) -> Any:
    return payload


@handler
async def wait(seconds: float) -> None:
    await asyncio.sleep(seconds)


@handler
def compute(steps: int) -> int:
    """Keeps one core busy, and nothing else: no memory, no system call."""
    total = 0
    for step in range(steps):
        total += step * step % 7
    return total
