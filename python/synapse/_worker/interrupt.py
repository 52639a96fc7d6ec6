"""Raises `Cancelled` inside what the main thread runs, whatever it runs.

A signal reaches the main thread even in `while True: pass` or `time.sleep`. SIGURG is used as the
Go runtime uses it: it is ignored by default, so a late one does no harm, and hardly any program has
a use of its own for it.

The exception is raised only while a function of the user is on top of the stack. In our own code
(writing a log line, say) it would tear a frame in two, so the signal is sent again a little later.
"""

from __future__ import annotations

import atexit
import os
from _thread import allocate_lock, get_ident

from synapse._cancelled import Cancelled
from synapse._worker import signals
from synapse._worker.state import STOP, WAITING, Worker
from synapse._worker.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from synapse._worker.hooks import Hooks

_package = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: An event loop is nobody's code: what is raised in it leaves it half-way through what it does.
_LOOPS = (
    os.path.join(os.path.dirname(os.__file__), "asyncio", ""),
    os.path.join(os.path.dirname(os.__file__), "selectors.py"),
)


#: Looks of the watchdog for which a cancelled call that does not run is remembered.
_PATIENCE = 20


class Wake(BaseException):
    """Raised inside the blocking read of the main thread when the worker has to stop."""


class Interrupter:
    """Make it in the main thread."""

    def __init__(self, worker: Worker, watchdog: Watchdog) -> None:
        self._worker = worker
        self._watchdog = watchdog
        self._main = get_ident()
        #: The call to interrupt, `STOP` for whichever runs, or 0.
        self._wanted = 0
        #: Looks of the watchdog until a call that does not run is given up.
        self._patience = 0
        #: Held by whoever sets them, and by the watchdog that gives a call up. Not taken by signal
        #: handlers.
        self._setting = allocate_lock()
        #: Code of ours that calls the user's functions: below it the stack is not looked at.
        self.drivers: set[CodeType] = set()
        #: What runs the coroutine that the main thread is in, if it is in one.
        self.get_hooks: Callable[[], Hooks] | None = None
        #: Whether the main thread has seen that it has to stop.
        self.stop_seen = False

    def install(self, *, terminate: bool = True) -> None:
        """Takes the signals over, but for those that the user's code has handlers for.

        Args:
            terminate: whether SIGTERM asks the worker to stop, rather than ending it.

        """
        if signals.getsignal(signals.SIGURG) == signals.SIG_DFL:
            signals.signal(signals.SIGURG, self._on_urgent)
        if terminate and signals.getsignal(signals.SIGTERM) == signals.SIG_DFL:
            signals.signal(signals.SIGTERM, self._on_terminate)
            atexit.register(self._outlive_terminate)
        self._watchdog.tasks.append(self._again)

    def interrupt(self, call: int) -> None:
        """Interrupts a call that the main thread runs, or with `STOP` its waiting for the host."""
        if call != STOP:
            with self._setting:
                self._wanted, self._patience = call, _PATIENCE
        self._knock()
        self._watchdog.wake()

    def nudge(self) -> None:
        """Has the main thread take a step, if only in a signal handler that does nothing."""
        signals.pthread_kill(self._main, signals.SIGURG)

    def checkpoint(self) -> None:
        """Raises `Cancelled` if the call that the main thread runs is to be interrupted."""
        running = self._worker.running[0]
        if self._wanted and running > 0 and get_ident() == self._main:
            self._raise_wanted(running)

    def _raise_wanted(self, running: int) -> None:
        wanted = self._wanted
        if wanted in (running, STOP):
            self._wanted = 0
            reason = "the worker stops" if wanted == STOP else "the call was cancelled"
            raise Cancelled(reason)

    def finish(self) -> None:
        """From now on nothing is interrupted: the worker ends."""
        self.stop_seen = True
        self._wanted = 0

    def _knock(self) -> None:
        if self._worker.running[0] == WAITING or self._wanted:
            signals.pthread_kill(self._main, signals.SIGURG)

    def _again(self) -> bool:
        """The watchdog's task: knocks until it has been heard."""
        running = self._worker.running[0]
        if self._wanted not in (0, STOP, running):
            # It may be about to begin: whether it is cancelled has been looked at before.
            with self._setting:
                self._patience -= 1
                if self._patience < 0 and self._wanted != STOP:
                    self._wanted = 0
        if self._worker.is_stopping() and not self.stop_seen:
            self._knock()
            return True
        if self._wanted and self._wanted in (STOP, running):
            self._knock()
        return self._wanted != 0

    def _on_urgent(self, _number: int, frame: FrameType | None) -> None:
        running = self._worker.running[0]
        if running == WAITING:
            if self._worker.is_stopping() and not self.stop_seen:
                self.stop_seen = True
                raise Wake
            return
        if not self._wanted or not running:
            return
        hooks = None if self.get_hooks is None else self.get_hooks()
        if self._is_in_user_code(frame) and not (hooks and hooks.runs_something_else()):
            self._raise_wanted(running)
        elif hooks is not None:
            hooks.cancel(lambda: self._take_wanted(running))

    def _take_wanted(self, running: int) -> bool:
        if self._wanted in (running, STOP) and self._worker.running[0] == running:
            self._wanted = 0
            return True
        return False

    def _on_terminate(self, number: int, frame: FrameType | None) -> None:
        # A second SIGTERM ends the process whatever it does.
        signals.signal(signals.SIGTERM, signals.SIG_DFL)
        self._wanted = STOP
        self._worker.urgent = True
        self._worker.cancel(STOP)
        self._on_urgent(number, frame)

    def _outlive_terminate(self) -> None:
        # The interpreter's end takes its handlers away, and SIGTERM, which comes with the end of
        # the channel, would make a worker that ends well look as if it had been killed.
        if signals.getsignal(signals.SIGTERM) == self._on_terminate:
            signals.signal(signals.SIGTERM, signals.SIG_IGN)

    def _is_in_user_code(self, frame: FrameType | None) -> bool:
        return is_in_user_code(frame, self.drivers)


def is_in_user_code(frame: FrameType | None, drivers: set[CodeType]) -> bool:
    """Whether a function of the user, or one that it calls, is on top of the stack.

    Args:
        frame: the top of the stack.
        drivers: code of ours that calls the user's functions.

    """
    depth = 0
    if frame is not None and frame.f_code.co_filename.startswith(_LOOPS):
        return False
    while frame is not None:
        code = frame.f_code
        if code in drivers:
            return depth > 0
        if code.co_filename.startswith(_package):
            return False
        depth += 1
        frame = frame.f_back
    return False
