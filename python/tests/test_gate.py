"""When a thread may be interrupted in an interpreter without a global lock; holds with one, too."""

from __future__ import annotations

import sys
from functools import partial
from threading import Event, Thread, get_ident

import pytest

from synapse._cancelled import Cancelled
from synapse._worker.gate import Gate, GatedLock, GatedRunning, set_gate
from synapse._worker.thread_interrupt import tell


@pytest.fixture(autouse=True)
def _switch_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


class Behind(Thread):
    """A thread behind a gate."""

    def __init__(self, work):
        super().__init__()
        self.gate = Gate()
        self.begun = Event()
        self.outcome = None
        self._work = work
        self.start()
        self.begun.wait()

    def run(self):
        set_gate(self.gate)
        self.ident_of_thread = get_ident()
        try:
            self._work(self)
        except Cancelled:
            self.outcome = "cancelled"
        else:
            self.outcome = "done"

    def interrupt(self):
        """Whether the order was given."""
        return self.gate.pass_through(partial(tell, self.ident_of_thread, Cancelled))


def test_nobody_is_interrupted_in_our_own_code():
    free = Event()

    def work(thread):
        thread.begun.set()
        free.wait()

    thread = Behind(work)
    assert not thread.interrupt()
    free.set()
    thread.join()
    assert thread.outcome == "done"


def test_the_users_code_is():
    def work(thread):
        GatedRunning()[0] = 1
        thread.begun.set()
        while True:
            pass

    thread = Behind(work)
    assert thread.interrupt()
    thread.join()
    assert thread.outcome == "cancelled"


def test_who_holds_a_lock_of_ours_is_interrupted_once_it_has_let_go():
    free = Event()
    lock, written = GatedLock(), []

    def work(thread):
        GatedRunning()[0] = 1
        with lock, lock:
            thread.begun.set()
            free.wait()
            written.append("whole")
        while True:
            pass

    thread = Behind(work)
    assert not thread.interrupt()
    free.set()
    while not thread.interrupt():
        pass
    thread.join()
    assert (thread.outcome, written) == ("cancelled", ["whole"])


def test_what_was_ordered_is_raised_when_the_users_code_ends_at_the_latest():
    """Never in what follows, wherever the order comes."""
    late = []

    def work(thread):
        running = GatedRunning()
        thread.begun.set()
        while not late:
            running[0] = 1
            running[0] = 0
            try:
                for _ in range(20):
                    pass
            except Cancelled as error:
                late.append(error)

    for _ in range(100):
        thread = Behind(work)
        while not thread.interrupt():
            pass
        thread.join()
        assert (thread.outcome, late) == ("cancelled", [])


def test_state_behind_a_lock_is_never_torn():
    lock = GatedLock()
    first, second = [0], [0]

    def work(thread):
        GatedRunning()[0] = 1
        thread.begun.set()
        while True:
            with lock:
                first[0] += 1
                second[0] += 1

    for _ in range(30):
        threads = [Behind(work), Behind(work)]
        for thread in threads:
            while not thread.interrupt():
                pass
        for thread in threads:
            thread.join()
            assert thread.outcome == "cancelled"
        assert first == second
