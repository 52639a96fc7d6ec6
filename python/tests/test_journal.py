"""What the worker notes of the calls that it begins."""

from __future__ import annotations

import pytest

SOURCE = """
import asyncio, os, signal, time
from synapse import handler

@handler
def echo(value): return value

@handler
def sleep(seconds): time.sleep(seconds)

@handler
def die(_): os.kill(os.getpid(), signal.SIGKILL)

@handler
def count(total):
    yield from range(total)
"""
ASYNCHRONOUS = (
    SOURCE
    + """
@handler
async def wait(seconds): await asyncio.sleep(seconds)

@handler
async def gone(_): os.kill(os.getpid(), signal.SIGKILL)
"""
)
IN_ORDER, BY_NUMBER = 1, 2
FIRST_SLOT = 16


def begun(worker):
    """The numbers of the requests that have begun."""
    return sorted(number for number in worker.words()[FIRST_SLOT:] if number)


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_in_order_the_last_id_is_noted(start, warm):
    worker = start(SOURCE).ready()
    assert worker.words()[:2] == [IN_ORDER, 0]
    if warm:
        # The codec in C, and the memory with it, are taken after some reads.
        for _ in range(50):
            worker.call("echo", 1)
    calls = [worker.frame(name, 1) for name in ("echo", "echo", "die", "echo", "echo")]
    worker.write(b"".join(data for _, data in calls))
    worker.wait()
    assert worker.words()[:2] == [IN_ORDER, calls[2][0]]


def test_rare_kinds_of_calls_are_noted_as_well(start):
    worker = start(SOURCE).ready()
    stream = worker.send("count", 3, stream=True)
    worker.credit(stream, 9)
    assert [worker.reply(stream).kind for _ in range(4)] == ["item"] * 3 + ["end"]
    assert worker.words()[1] == stream
    with_extras = worker.send("echo", 1, extras={"metadata": {}})
    worker.reply(with_extras)
    assert worker.words()[1] == with_extras
    large = worker.send("echo", bytes(300_000))
    worker.reply(large)
    assert worker.words()[1] == large


def test_a_call_that_is_cancelled_before_it_begins_is_not_noted(start):
    worker = start(SOURCE).ready()
    running = worker.send("sleep", 1.5)
    waiting = worker.send("echo", 1)
    worker.cancel(waiting)
    assert worker.reply(running).kind == "response"
    assert worker.reply(waiting).kind == "error"
    assert worker.words()[1] == running


@pytest.mark.parametrize(
    ("source", "mode", "wait", "die"),
    [(SOURCE, "threads", "sleep", "die"), (ASYNCHRONOUS, "async", "wait", "gone")],
    ids=["threads", "async"],
)
def test_by_number_exactly_those_that_begin_are_noted(start, source, mode, wait, die):
    worker = start(source, mode=mode, concurrency=2).ready()
    assert worker.words()[0] == BY_NUMBER
    worker.call("echo", 1)
    worker.send(wait, 30)
    worker.send(wait, 1.5)
    # Two run and two wait, one of which is taken back.
    worker.cancel(worker.send(wait, 30))
    worker.send(die, 1)
    worker.wait()
    assert begun(worker) == [1, 2, 3, 5]


def test_without_memory_nothing_is_noted_and_everything_works(start):
    worker = start(SOURCE, journal=-1).ready()
    assert worker.call("echo", 1) == 1
    assert worker.call("echo", bytes(100_000)) == bytes(100_000)
    assert not any(worker.words())
    worker = start(ASYNCHRONOUS, mode="async", journal=-1).ready()
    assert worker.call("wait", 0) is None


def test_memory_that_cannot_be_mapped_is_done_without(start):
    # The host hands out such when it has none to spare.
    worker = start(SOURCE, memory="/dev/null").ready()
    assert worker.call("echo", 1) == 1
    assert worker.call("echo", bytes(100_000)) == bytes(100_000)
    assert worker.call("echo", 2) == 2
