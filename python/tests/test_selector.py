"""The selector behind the event loops of workers."""

from __future__ import annotations

import asyncio
import os
import selectors
import sys
import threading
from time import perf_counter

import pytest

from synapse._worker.selector import new_event_loop

if sys.platform == "linux":
    from synapse._worker.selector import PreciseSelector

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only epoll counts milliseconds")


def _waits(selector: selectors.BaseSelector, seconds: float, times: int) -> list[float]:
    durations = []
    for _ in range(times):
        begin = perf_counter()
        assert selector.select(seconds) == []
        durations.append(perf_counter() - begin)
    return durations


def test_it_waits_for_less_than_a_millisecond_and_never_for_less_than_it_is_told() -> None:
    with PreciseSelector() as selector:
        durations = _waits(selector, 0.0003, 50)
    # The least of many is what the machine can do; epoll itself cannot do less than a millisecond.
    assert 0.0003 <= min(durations) < 0.001


@pytest.mark.parametrize("seconds", [None, 0, -1, 0.05, 5])
def test_it_tells_what_is_ready_whatever_the_limit(seconds: float | None) -> None:
    reader, writer = os.pipe()
    try:
        with PreciseSelector() as selector:
            selector.register(reader, selectors.EVENT_READ, "data")
            os.write(writer, b"x")
            ((key, events),) = selector.select(seconds)
            assert (key.fd, key.data, events) == (reader, "data", selectors.EVENT_READ)
            assert [key.fd for key, _ in selector.select(0.01)] == [reader]
            os.read(reader, 1)
            assert selector.select(0.001) == []
    finally:
        os.close(reader)
        os.close(writer)


def test_a_short_wait_ends_when_something_comes() -> None:
    reader, writer = os.pipe()
    timer = threading.Timer(0.005, os.write, (writer, b"x"))
    try:
        with PreciseSelector() as selector:
            selector.register(reader, selectors.EVENT_READ)
            timer.start()
            ready: list[tuple[selectors.SelectorKey, int]] = []
            while not ready:
                ready = selector.select(0.09)
            assert [key.fd for key, _ in ready] == [reader]
    finally:
        timer.join()
        os.close(reader)
        os.close(writer)


def test_the_event_loop_has_it_and_does_what_event_loops_do() -> None:
    loop = new_event_loop()

    async def work() -> tuple[str, bytes]:
        slept = await asyncio.wait_for(asyncio.sleep(0.002, "slept"), timeout=60)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print(7)", stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        return slept, output.strip()

    try:
        asyncio.set_event_loop(loop)
        assert isinstance(vars(loop)["_selector"], PreciseSelector)
        assert loop.run_until_complete(work()) == ("slept", b"7")
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def test_an_event_loop_of_the_users_own_policy_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Loop(asyncio.SelectorEventLoop):
        pass

    own = Loop()
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: own)
    try:
        assert new_event_loop() is own
        assert not own.is_closed()
    finally:
        own.close()
