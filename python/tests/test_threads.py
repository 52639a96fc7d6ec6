"""What threads that run at the same time must not spoil for each other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from threading import Barrier, Thread

import pytest

from synapse._cancelled import Cancelled
from synapse._host_call import Answer
from synapse._protocol import fallback

#: A free-threaded interpreter; see docs/testing.md.
FREE = next(
    (
        found
        for name in (os.environ.get("SYNAPSE_FREE_THREADED"), "python3.14t", "python3.13t")
        if name and (found := shutil.which(name))
    ),
    None,
)
free_threaded = pytest.mark.skipif(
    FREE is None,
    reason="no free-threaded Python: neither SYNAPSE_FREE_THREADED nor python3.1xt in PATH",
)

#: Two calls that wait for each other, computing: with a global lock the first would never let go.
MEETING = """
import sys
from synapse import handler

turns = [0, 0]

@handler
def meet(own):
    sys.setswitchinterval(1000)
    for _ in range(10 ** 9):
        if turns[own] >= 100 and turns[1 - own] >= 100:
            return True
        if turns[own] <= turns[1 - own]:
            turns[own] += 1
    return False
"""

SOURCE = """
from synapse import handler, host

@handler
def tell(number):
    for part in range(20):
        print(number, part)
    return number

@handler
def ask(number):
    return host.double(number).result()

@handler
def spin(_):
    while True:
        pass
"""


@pytest.fixture(autouse=True)
def _switch_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(count, work):
    """Runs something in so many threads, which begin together; answers what each returned."""
    barrier, found = Barrier(count), [None] * count

    def run(index):
        barrier.wait()
        found[index] = work(index)

    threads = [Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_deep_values_are_packed_and_the_limit_of_frames_is_as_before():
    deep = None
    for _ in range(400):
        deep = [deep]
    wanted = fallback.pack(deep)
    before = sys.getrecursionlimit()
    for _ in range(20):
        assert at_once(4, lambda _: fallback.pack(deep)) == [wanted] * 4
        assert sys.getrecursionlimit() == before


def test_an_answer_is_settled_once():
    for _ in range(200):
        answer = Answer(1, "asked", 0)
        told = []
        answer.listeners.append(lambda told=told: told.append(1))
        error = Cancelled("given up")

        def settle(index, answer=answer, error=error):
            answer.settle(**({"value": 7} if index else {"error": error}))
            return answer.value, answer.error

        first, second = at_once(2, settle)
        assert first == second
        assert first in ((7, None), (None, error))
        assert told == [1]


@free_threaded
class TestFreeThreaded:
    """On an interpreter without a global lock, whatever runs the tests."""

    @pytest.fixture
    def worker(self, start):
        return start(SOURCE, mode="threads", concurrency=4, python=FREE).ready()

    def test_calls_compute_at_the_same_time(self, start):
        worker = start(MEETING, mode="threads", concurrency=2, python=FREE).ready()
        calls = {worker.send("meet", own) for own in (0, 1)}
        replies = [worker.receive() for _ in calls]
        assert {reply.call for reply in replies} == calls
        assert [reply.value for reply in replies] == [True, True]
        assert worker.call("synapse.info", [], form=1)["gil"] is False

    def test_each_print_is_one_event(self, worker):
        calls = [worker.send("tell", number) for number in range(200)]
        told = {call: [] for call in calls}
        replies = []
        while len(replies) < len(calls):
            found = worker.receive()
            if found.kind == "log":
                assert found.call not in replies
                told[found.call].append(found.value["text"])
            else:
                replies.append(found.call)
        assert sorted(replies) == calls
        for number, call in enumerate(calls):
            assert told[call] == [f"{number} {part}\n" for part in range(20)]

    def test_callbacks_and_cancelled_calls_get_along(self, worker):
        wanted = {}
        settled = []
        for number in range(300):
            spinning = worker.send("spin")
            asking = [worker.send("ask", value) for value in (number, number + 1)]
            wanted.update({asking[0]: 2 * number, asking[1]: 2 * number + 2})
            missing = {spinning, *asking}
            while missing:
                found = worker.receive()
                if found.kind == "callback":
                    worker.answer(found.call, 3, 2 * found.value["args"][0])
                    if found.value["call"] == asking[0]:
                        worker.cancel(spinning)
                    continue
                missing.remove(found.call)
                settled.append(found.call)
                if found.call == spinning:
                    assert found.value["type"] == "synapse.Cancelled"
                else:
                    assert found.value == wanted[found.call]
        assert len(settled) == len(set(settled)) == 900

    def test_it_tells_when_the_lock_is_back(self, start, monkeypatch):
        monkeypatch.setenv("PYTHON_GIL", "1")
        worker = start(SOURCE, mode="threads", concurrency=2, python=FREE).ready()
        assert worker.call("synapse.info", [], form=1)["gil"] is True

    def test_the_interpreter_is_what_it_says(self):
        told = subprocess.run(
            [FREE, "-c", "import sys; print(sys.abiflags)"], capture_output=True, check=True
        )
        assert b"t" in told.stdout
