"""Raises `Cancelled` inside what a thread of the pool runs.

The interpreter can be told to raise an exception in another thread, which that does at its next
step. In our own code this would tear a frame in two. So the order is given only while a function of
the user is on top of that thread's stack, with the interpreter's lock held from the look to the
order; and where the user's code returns to ours, an order that has not been carried out yet is
revoked and the exception raised right there. Calls that C code blocks are out of reach. Where there
is no such lock, `free_interrupt` does the same.
"""

from __future__ import annotations

import sys
from functools import partial
from threading import RLock, get_ident

from synapse._cancelled import Cancelled
from synapse._worker.hooks import Hooks
from synapse._worker.interrupt import is_in_user_code
from synapse._worker.runner import Runner, driver_codes
from synapse._worker.watchdog import Watchdog


class ThreadInterrupter:
    """Knows which thread runs which call."""

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        self._drivers = driver_codes()
        #: Guards the fields below. Reentrant: a signal handler may interrupt its holder.
        self._lock = RLock()
        #: The thread of each call that runs.
        self._threads: dict[int, int] = {}
        #: What may run a coroutine for it.
        self._hooks: dict[int, Hooks] = {}
        #: Calls to be interrupted.
        self._unwanted: set[int] = set()
        #: Calls whose thread has been ordered to raise, and may have done so or not.
        self._ordered: set[int] = set()
        watchdog.tasks.append(self._order)

    def make_runner(self, hooks: Hooks) -> Runner:
        """What runs calls in the current thread."""
        return Runner(hooks, [0], self.leave_user_code)

    def begin(self, call: int, hooks: Hooks) -> None:
        """Notes that the current thread runs a call, and its coroutines by `hooks`."""
        with self._lock:
            self._threads[call] = get_ident()
            self._hooks[call] = hooks

    def end(self, call: int) -> None:
        """Notes that the call is over: once this returns nothing is raised any more.

        Until then `Cancelled` may come from anywhere, this function included; then call it again.
        """
        with self._lock:
            self._threads.pop(call, None)
            self._hooks.pop(call, None)
            self._unwanted.discard(call)
            if call in self._ordered:
                tell(get_ident(), None)
                self._ordered.discard(call)

    def interrupt(self, call: int) -> None:
        """Interrupts a call if it runs, now or as soon as it can be."""
        with self._lock:
            if call not in self._threads:
                return
            self._unwanted.add(call)
        self._order()
        self._watchdog.wake()

    def leave_user_code(self, call: int) -> None:
        """Raises `Cancelled` if that was ordered and perhaps not carried out.

        To be called by the thread itself whenever a function of the user has returned.
        """
        if call in self._ordered:
            with self._lock:
                tell(get_ident(), None)
                self._ordered.discard(call)
            raise Cancelled("the call was cancelled")

    def checkpoint(self, call: int) -> None:
        """Raises `Cancelled` if the call is to be interrupted, from code that it has called."""
        with self._lock:
            if call not in self._unwanted or self._threads.get(call) != get_ident():
                return
            self._unwanted.discard(call)
        raise Cancelled("the call was cancelled")

    def _order(self) -> bool:
        """The watchdog's task: gives the orders that can be given."""
        with self._lock:
            for call in [*self._unwanted]:
                thread = self._threads.get(call)
                if thread is None:
                    continue
                hooks, top = self._hooks[call], sys._current_frames().get(thread)
                if is_in_user_code(top, self._drivers) and not hooks.runs_something_else():
                    self._unwanted.discard(call)
                    self._ordered.add(call)
                    tell(thread, Cancelled)
                else:
                    hooks.cancel(partial(self._take, call))
            return bool(self._unwanted)

    def _take(self, call: int) -> bool:
        """Whether a call is to be interrupted; it is not asked for again."""
        with self._lock:
            wanted = call in self._unwanted and self._threads.get(call) == get_ident()
            if wanted:
                self._unwanted.discard(call)
            return wanted


def load_orders() -> None:
    """Loads what `tell` takes, so that it need not wait for that."""
    try:
        import ctypes  # noqa: F401
    except ImportError:
        # As there.
        pass


def tell(thread: int, exception: type[BaseException] | None) -> None:
    """Orders a thread to raise an exception at its next step, or revokes that."""
    try:
        from ctypes import c_ulong, py_object, pythonapi
    except ImportError:
        # An interpreter without ctypes: the call runs on, the host replaces the worker.
        return
    order = None if exception is None else py_object(exception)
    pythonapi.PyThreadState_SetAsyncExc(c_ulong(thread), order)
