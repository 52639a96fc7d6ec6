"""Raises `Cancelled` inside what a thread of the pool runs, without a global lock.

The counterpart of `thread_interrupt`, with gates in place of looks at the stack. A coroutine is
cancelled at its next `await`: its event loop is in between, which must not be torn.
"""

from __future__ import annotations

from functools import partial
from threading import RLock, get_ident

from synapse._cancelled import Cancelled
from synapse._worker.gate import Gate, GatedRunning, set_gate
from synapse._worker.hooks import Hooks
from synapse._worker.runner import Runner
from synapse._worker.thread_interrupt import load_orders, tell
from synapse._worker.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Run:
    """A call that runs: in which thread, behind which gate, its coroutines by what."""

    __slots__ = ("gate", "hooks", "thread")

    def __init__(self, hooks: Hooks) -> None:
        self.thread = get_ident()
        self.gate = Gate()
        self.hooks = hooks


class _GatedRunner(Runner):
    """Keeps the gate shut while an event loop runs."""

    def complete(self, call: int, result: Any) -> Any:
        del call
        return self.hooks.complete(result) if hasattr(result, "__await__") else result


class FreeInterrupter:
    """Knows which thread runs which call. The same to its users as `ThreadInterrupter`."""

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        #: Guards the fields below, and is taken before that of a gate. Reentrant: a signal handler
        #: may interrupt its holder.
        self._lock = RLock()
        self._runs: dict[int, _Run] = {}
        #: Calls to be interrupted.
        self._unwanted: set[int] = set()
        watchdog.tasks.append(self._order)

    def make_runner(self, hooks: Hooks) -> Runner:
        """What runs calls in the current thread."""
        # Loaded now: an order must not wait for an import, which stops all threads, while it holds
        # locks.
        load_orders()
        return _GatedRunner(hooks, GatedRunning())

    def begin(self, call: int, hooks: Hooks) -> None:
        """Notes that the current thread runs a call, and its coroutines by `hooks`."""
        run = _Run(hooks)
        set_gate(run.gate)
        with self._lock:
            self._runs[call] = run

    def end(self, call: int) -> None:
        """Notes that the call is over."""
        with self._lock:
            self._runs.pop(call, None)
            self._unwanted.discard(call)
        set_gate(None)

    def interrupt(self, call: int) -> None:
        """Interrupts a call if it runs, now or as soon as it can be."""
        with self._lock:
            if call not in self._runs:
                return
            self._unwanted.add(call)
        self._order()
        self._watchdog.wake()

    def checkpoint(self, call: int) -> None:
        """Raises `Cancelled` if the call is to be interrupted, from code that it has called."""
        if self._take(call):
            raise Cancelled("the call was cancelled")

    def _order(self) -> bool:
        """The watchdog's task: gives the orders that can be given."""
        with self._lock:
            for call in [*self._unwanted]:
                run = self._runs[call]
                if run.gate.pass_through(partial(tell, run.thread, Cancelled)):
                    self._unwanted.discard(call)
                else:
                    run.hooks.cancel(partial(self._take, call))
            return bool(self._unwanted)

    def _take(self, call: int) -> bool:
        """Whether the current thread's call is to be interrupted; it is not asked for again."""
        with self._lock:
            run = self._runs.get(call)
            if call not in self._unwanted or run is None or run.thread != get_ident():
                return False
            self._unwanted.discard(call)
            return True
