"""Cancelling a call, wherever it is."""

from __future__ import annotations

import time

import pytest

SOURCE = """
import asyncio, os, threading, time
import synapse
from synapse import context, handler

log = []

@handler
def echo(value): return value

def begun(): os.write(1, b"begun\\n")

@handler
def spin(_):
    try:
        begun()
        while True:
            pass
    finally:
        log.append("spin")

@handler
def sleep(seconds):
    with_cleanup = True
    try:
        begun()
        time.sleep(seconds)
    except synapse.Cancelled as error:
        log.append(str(error))
        raise
    return seconds

@handler
def doze(_):
    begun()
    while True:
        time.sleep(0.01)

@handler
def stubborn(_):
    begun()
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass

@handler
def noisy(_):
    while True:
        print("x" * 50, flush=True)

@handler
def tidies(_):
    try:
        begun()
        while True:
            time.sleep(0.01)
    finally:
        print("tidying", flush=True)
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            time.sleep(0.01)
        log.append("tidied")

@handler
def spotted(_):
    deadline = time.monotonic() + 5
    while not context().cancelled and time.monotonic() < deadline:
        pass
    return context().cancelled

@handler
async def wait(seconds):
    try:
        # Said once it waits.
        asyncio.get_running_loop().call_soon(begun)
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        log.append("wait")
        raise

@handler
def logged(_): return list(log)
"""
#: The same and a coroutine whose event loop is in one of its callbacks for a while.
WITH_CALLBACK = (
    SOURCE
    + """
@handler
async def dawdle(seconds):
    def callback():
        begun()
        time.sleep(0.5)
    try:
        asyncio.get_running_loop().call_soon(callback)
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        log.append("dawdle")
        raise
"""
)
#: Seconds that a call runs during which a cancel is sure to be read.
LONG_ENOUGH = 1.5
SYNCHRONOUS = SOURCE.replace("async def wait", "def wait_unused").replace(
    "        await asyncio.sleep(seconds)", "        pass"
)


@pytest.fixture
def worker(start):
    return start(SYNCHRONOUS).ready()


def is_cancelled(frame):
    return frame.kind == "error" and frame.value["type"] == "synapse.Cancelled"


@pytest.mark.parametrize("name", ["spin", "sleep", "stubborn", "doze"])
def test_a_running_call_is_interrupted(worker, name):
    call = worker.send(name, 1e6)
    worker.begun()
    worker.cancel(call)
    assert is_cancelled(worker.reply(call))
    assert worker.call("echo", "alive") == "alive"


def test_cleanup_runs_and_knows_why(worker):
    for name in ("spin", "sleep"):
        call = worker.send(name, 1e6)
        worker.begun()
        worker.cancel(call)
        assert is_cancelled(worker.reply(call))
    assert worker.call("logged") == ["spin", "the call was cancelled"]


def test_a_call_that_has_not_begun_is_skipped(worker):
    running, one = worker.frame("sleep", LONG_ENOUGH)
    waiting, two = worker.frame("spin", None)
    behind, three = worker.frame("echo", 1)
    worker.write(one + two + three)
    worker.cancel(waiting)
    assert worker.reply(running).kind == "response"
    assert is_cancelled(worker.reply(waiting))
    assert worker.reply(behind).value == 1
    assert worker.call("logged") == []


def test_cancel_may_come_before_the_request(worker):
    call, data = worker.frame("spin", None)
    worker.cancel(call)
    time.sleep(0.05)
    worker.write(data)
    assert is_cancelled(worker.reply(call))


def test_a_late_cancel_harms_nobody(worker):
    for _ in range(50):
        call = worker.send("echo", 1)
        worker.cancel(call)
        found = worker.reply(call)
        assert found.kind == "response" or is_cancelled(found)
    for _ in range(3):
        time.sleep(1.1)
        assert worker.call("echo", 2) == 2
    # The id of a cancelled call that is over may be used again.
    assert worker.call("echo", 3, call=call) == 3


def in_threads(request, mode):
    """The name of the mode; `gated` is that of threads in an interpreter without a global lock."""
    if mode == "gated":
        request.getfixturevalue("gated")
    return "threads" if mode == "gated" else mode


@pytest.mark.parametrize("mode", ["serial", "threads", "gated"])
def test_a_call_that_is_cancelled_twice_is_interrupted_once(start, mode, request):
    mode = in_threads(request, mode)
    worker = start(SYNCHRONOUS, mode=mode, concurrency=4).ready()
    call = worker.send("tidies")
    worker.begun()
    worker.cancel(call)
    while worker.receive().kind != "log":
        pass
    worker.cancel(call)
    assert is_cancelled(worker.reply(call))
    assert worker.call("logged") == ["tidied"]


def interrupt_while_it_prints(worker):
    call = worker.send("noisy")
    while worker.receive().kind != "log":
        pass
    worker.cancel(call)
    while (found := worker.receive()).kind == "log":
        assert set(found.value["text"]) <= {"x", "\n"}
    assert is_cancelled(found)


def test_output_frames_are_whole_when_a_printing_call_is_interrupted(worker):
    for _ in range(20):
        interrupt_while_it_prints(worker)
        worker._logs = []
    assert worker.call("echo", 1) == 1


@pytest.mark.parametrize("mode", ["threads", "async", "gated"])
class TestThreads:
    @pytest.fixture
    def worker(self, start, mode, request):
        mode = in_threads(request, mode)
        return start(SOURCE if mode == "async" else SYNCHRONOUS, mode=mode, concurrency=2).ready()

    @pytest.mark.parametrize("name", ["spin", "stubborn", "doze"])
    def test_a_synchronous_call_is_interrupted(self, worker, name):
        call = worker.send(name)
        other = worker.send("sleep", 0.5)
        for _ in (call, other):
            worker.begun()
        worker.cancel(call)
        found = {frame.call: frame for frame in (worker.receive(), worker.receive())}
        assert is_cancelled(found[call])
        assert found[other].value == 0.5

    def test_a_call_that_waits_for_a_thread_is_skipped(self, worker):
        first, second = worker.send("sleep", LONG_ENOUGH), worker.send("sleep", LONG_ENOUGH)
        third = worker.send("spin")
        for _ in (first, second):
            worker.begun()
        worker.cancel(third)
        kinds = {}
        for _ in range(3):
            found = worker.receive()
            kinds[found.call] = found
        assert kinds[first].kind == kinds[second].kind == "response"
        assert is_cancelled(kinds[third])
        assert worker.call("logged") == []

    def test_output_frames_stay_whole(self, worker):
        for _ in range(10):
            interrupt_while_it_prints(worker)
        assert worker.call("echo", 1) == 1

    def test_the_context_shows_it(self, worker):
        call = worker.send("spotted")
        time.sleep(0.1)
        worker.cancel(call)
        found = worker.reply(call)
        assert is_cancelled(found) or found.value is True


class TestCoroutines:
    @pytest.fixture(params=["async", "serial", "threads"])
    def worker(self, request, start):
        return start(WITH_CALLBACK, mode=request.param, concurrency=1).ready()

    def test_a_running_coroutine_gets_cancelled_error(self, worker):
        call = worker.send("wait", 1e6)
        worker.begun()
        worker.cancel(call)
        found = worker.reply(call)
        assert found.value["type"] in ("asyncio.exceptions.CancelledError", "synapse.Cancelled")
        assert worker.call("logged") == ["wait"]

    def test_one_whose_loop_is_in_a_callback_hears_of_it(self, worker):
        # What is raised in a callback ends in the loop's log.
        call = worker.send("dawdle", 1e6)
        worker.begun()
        worker.cancel(call)
        found = worker.reply(call)
        assert found.value["type"] in ("asyncio.exceptions.CancelledError", "synapse.Cancelled")
        assert worker.call("logged") == ["dawdle"]

    def test_one_that_waits_is_skipped(self, worker):
        running, waiting = worker.send("wait", LONG_ENOUGH), worker.send("wait", 1e6)
        worker.cancel(waiting)
        kinds = {}
        for _ in range(2):
            found = worker.receive()
            kinds[found.call] = found
        assert kinds[running].kind == "response"
        assert is_cancelled(kinds[waiting])
        assert worker.call("logged") == []
