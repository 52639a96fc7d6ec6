"""How many calls run at once: in total, and of one handler."""

from __future__ import annotations

import random
from collections import deque
from types import SimpleNamespace

import pytest
from harness import WorkerProcess

from synapse._protocol import header as wire
from synapse._registry import Handler
from synapse._worker.turns import Turns

SOURCE = """
import asyncio, os, threading, time
from synapse import context, handler, host

gates = {}
running = set()
peak = [0]

def begin(name):
    running.add(name)
    peak[0] = max(peak[0], len(running))
    gates[name] = threading.Event()
    context().progress(0, name)

def hold(name):
    begin(name)
    gates[name].wait()
    running.discard(name)
    return name

async def ahold(name):
    begin(name)
    while not gates[name].is_set():
        await asyncio.sleep(0.001)
    running.discard(name)
    return name

handler(hold)
handler(ahold)
handler(hold, name="one", concurrency=1)
handler(hold, name="two", concurrency=2)
handler(ahold, name="aone", concurrency=1)

@handler
def stream(name):
    yield hold(name)

@handler
def asks(name):
    begin(name)
    running.discard(name)
    return host.anything(name).result()

@handler(concurrency=1)
def asks_itself(name):
    return host.anything(name).result()

@handler
def release(name): gates[name].set()

@handler
def waits_for_file(path):
    begin(path)
    while not os.path.exists(path):
        time.sleep(0.005)
    return path

@handler
async def awaits_file(path):
    begin(path)
    while not os.path.exists(path):
        await asyncio.sleep(0.005)
    return path

@handler
def highest(_): return peak[0]
"""

ASYNC_ONLY = (
    SOURCE
    + """
@handler
async def astream(name):
    yield await ahold(name)
"""
)


def release(worker: WorkerProcess, name: str) -> None:
    """Lets a call end. As a nested call it takes no turn of its own."""
    worker.send("release", name, form=wire.NESTED)


class Conversation:
    """Sorts what a worker says by what it says about calls."""

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self.begun: deque[str] = deque()
        self.ended: deque[object] = deque()

    def _take(self) -> None:
        frame = self.worker.receive()
        if frame.kind == "progress":
            self.begun.append(frame.value["message"])
        elif frame.kind in ("response", "item") and frame.value is not None:
            self.ended.append(frame.value)
        elif frame.kind == "error":
            self.ended.append(frame.value["type"])

    def begins(self) -> str:
        while not self.begun:
            self._take()
        return self.begun.popleft()

    def ends(self) -> object:
        while not self.ended:
            self._take()
        return self.ended.popleft()

    def highest(self) -> object:
        """The most calls that have run at once."""
        self.worker.send("highest", form=wire.NESTED)
        while not isinstance(value := self.ends(), int):
            pass
        return value

    def is_still(self) -> bool:
        """Whether no further call begins."""
        while not self.worker.data.is_quiet(0.1):
            self._take()
        return not self.begun


@pytest.fixture(params=["async", "threads"])
def mode(request):
    return request.param


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_calls_of_both_kinds_share_one_limit(start, mode, limit):
    worker = start(ASYNC_ONLY, mode=mode, concurrency=limit).ready()
    talk = Conversation(worker)
    names = [f"{number}" for number in range(8)]
    kinds = ["hold", "ahold", "ahold", "hold", "stream", "astream", "hold", "ahold"]
    for name, kind in zip(names, kinds):
        worker.credit(worker.send(kind, name, stream="stream" in kind), 10)
    running = [talk.begins() for _ in range(limit)]
    assert sorted(running) == names[:limit]
    for following in [*names[limit:], None]:
        assert talk.is_still()
        over = running.pop(0)
        release(worker, over)
        assert talk.ends() == over
        if following is not None:
            assert talk.begins() == following
            running.append(following)
        elif running:
            release(worker, running.pop())
    assert talk.highest() == limit


def test_a_handler_with_a_limit_does_not_hold_up_others(start, mode):
    worker = start(SOURCE, mode=mode, concurrency=3).ready()
    talk = Conversation(worker)
    for number in range(4):
        worker.send("one", f"one {number}")
    worker.send("hold", "other")
    worker.send("ahold", "another")
    assert sorted(talk.begins() for _ in range(3)) == ["another", "one 0", "other"]
    for number in range(3):
        assert talk.is_still()
        release(worker, f"one {number}")
        assert talk.begins() == f"one {number + 1}"
    # There is room for others now, but not for a second one of these.
    release(worker, "other")
    worker.send("one", "last")
    assert talk.is_still()
    release(worker, "one 3")
    assert talk.begins() == "last"


@pytest.mark.parametrize(("name", "limit"), [("one", 1), ("two", 2), ("aone", 1)])
def test_a_handler_runs_as_often_at_once_as_it_says(start, mode, name, limit):
    worker = start(SOURCE, mode=mode, concurrency=4).ready()
    assert worker.hello["handlers"][worker.number(name)]["concurrency"] == limit
    talk = Conversation(worker)
    for number in range(5):
        worker.send(name, f"{number}")
    running = [talk.begins() for _ in range(limit)]
    for number in range(limit, 5):
        assert talk.is_still()
        release(worker, running.pop(0))
        running.append(talk.begins())
        assert running[-1] == f"{number}"
    assert talk.highest() == limit


def test_what_waits_for_its_handler_comes_before_what_came_later(start, mode):
    worker = start(SOURCE, mode=mode, concurrency=2).ready()
    talk = Conversation(worker)
    for kind, name in [("one", "a"), ("hold", "b"), ("one", "c"), ("hold", "d"), ("one", "e")]:
        worker.send(kind, name)
    assert {talk.begins(), talk.begins()} == {"a", "b"}
    release(worker, "a")
    assert talk.begins() == "c"
    release(worker, "c")
    assert talk.begins() == "d"
    release(worker, "b")
    assert talk.begins() == "e"


@pytest.mark.parametrize("kind", ["hold", "ahold", "one", "aone"])
def test_a_call_that_waits_is_cancelled_at_once(start, mode, kind):
    worker = start(SOURCE, mode=mode, concurrency=1).ready()
    talk = Conversation(worker)
    worker.send(kind, "runs")
    assert talk.begins() == "runs"
    waiting = [worker.send(kind, f"{number}") for number in range(3)]
    # In order behind them: what was sent is read.
    worker.call("highest", form=wire.NESTED)
    worker.cancel(waiting[1])
    assert worker.reply(waiting[1]).value["type"] == "synapse.Cancelled"
    release(worker, "runs")
    assert talk.begins() == "0"
    release(worker, "0")
    assert talk.begins() == "2"


def test_a_nested_call_takes_no_turn(start, mode):
    worker = start(SOURCE, mode=mode, concurrency=1).ready()
    talk = Conversation(worker)
    worker.send("asks", "outer")
    assert talk.begins() == "outer"
    asked = worker.asked()
    worker.send("hold", "waits")
    nested = [worker.send(kind, kind, form=wire.NESTED) for kind in ("hold", "ahold")]
    assert {talk.begins(), talk.begins()} == {"hold", "ahold"}
    for kind, call in zip(("hold", "ahold"), nested):
        release(worker, kind)
        assert talk.ends() == kind, call
    # Their end is nobody's turn: the one that waits has to wait on.
    assert talk.is_still()
    worker.answer(asked.call, wire.RESPONSE, "answer")
    assert talk.ends() == "answer"
    assert talk.begins() == "waits"


def test_a_handler_with_a_limit_may_reach_itself(start, mode):
    worker = start(SOURCE, mode=mode, concurrency=2).ready()
    outer = worker.send("asks_itself", "outer")
    asked = worker.asked()
    inner = worker.send("asks_itself", "inner", form=wire.NESTED)
    nested = worker.asked()
    worker.answer(nested.call, wire.RESPONSE, "inner answer")
    assert worker.reply(inner).value == "inner answer"
    worker.answer(asked.call, wire.RESPONSE, "outer answer")
    assert worker.reply(outer).value == "outer answer"


@pytest.mark.parametrize("kind", ["waits_for_file", "awaits_file"])
def test_a_stop_refuses_what_waits_and_finishes_what_runs(start, mode, tmp_path, kind):
    worker = start(SOURCE, mode=mode, concurrency=1).ready()
    talk = Conversation(worker)
    path = tmp_path / "go"
    worker.send(kind, f"{path}")
    assert talk.begins() == f"{path}"
    for waiting in ("hold", "ahold", "one", "aone", "one"):
        worker.send(waiting, waiting)
    # What was sent is read.
    assert talk.highest() == 1
    worker.close_data()
    assert [talk.ends() for _ in range(5)] == ["synapse.Cancelled"] * 5
    path.touch()
    assert talk.ends() == f"{path}"
    assert worker.wait() == 0
    assert not talk.begun


def request(call: int, handler: Handler, *, nested: bool = False) -> SimpleNamespace:
    return SimpleNamespace(call=call, handler=handler, nested=nested)


@pytest.mark.parametrize("seed", range(30))
def test_no_turn_is_lost_or_given_twice(seed):
    """Any order of arrivals, ends and withdrawals: the limits hold, and no room stays unused."""
    choose = random.Random(seed)
    limit = choose.randint(1, 4)
    handlers = [Handler(print, "print", limit) for limit in (None, None, 1, 2, 3)]
    turns = Turns(limit)
    running: list[SimpleNamespace] = []
    waiting: list[SimpleNamespace] = []

    def is_full(handler: Handler) -> bool:
        count = sum(other.handler is handler for other in running)
        return handler.concurrency is not None and count >= handler.concurrency

    def first() -> SimpleNamespace | None:
        return next((one for one in waiting if not is_full(one.handler)), None)

    for call in range(400):
        action = choose.random()
        if action < 0.5:
            one = request(call, choose.choice(handlers))
            may = len(running) < limit and not is_full(one.handler)
            assert turns.enter(one) is may
            (running if may else waiting).append(one)
        elif action < 0.9 and running:
            over = running.pop(choose.randrange(len(running)))
            expected = first()
            assert turns.leave(over) is expected
            if expected is not None:
                waiting.remove(expected)
                running.append(expected)
        elif waiting:
            gone = choose.choice(waiting)
            assert turns.withdraw(gone.call) is gone
            assert turns.withdraw(gone.call) is None
            waiting.remove(gone)
        assert len(running) == limit or first() is None
    assert turns.clear() == waiting
    for over in running:
        assert turns.leave(over) is None
