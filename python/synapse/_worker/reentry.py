"""How code of a serial worker waits for the host.

The main thread runs one call at a time. While that call waits for the host, the main thread does
what the answer may depend on: the calls that the host makes on behalf of callbacks. They run on top
of the waiting one, as a function that it calls would.
"""

from __future__ import annotations

from _thread import allocate_lock, get_ident
from threading import Thread
from time import monotonic, sleep

from synapse._cancelled import Cancelled
from synapse._host_call import Answer
from synapse._worker.hosting import Waiting
from synapse._worker.sharing import Sharing
from synapse._worker.state import SHARE, STOP, WAITING, Worker
from synapse._worker.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from synapse._worker.shared import Frame

#: Nested calls on top of each other, up to which any is begun. Beyond that only such are begun that
#: the wait on top depends on, for the stack is finite.
_LEVELS = 24
#: Seconds between two looks whether the main thread is where the channel can be taken over.
_LOOK = 0.0005


class SerialWaiting(Waiting):
    """Reads the channel itself, or lets another thread that waits do it."""

    def __init__(
        self,
        worker: Worker,
        watchdog: Watchdog,
        sharing: Sharing,
        *,
        wake: Callable[[], None],
        main: int,
    ) -> None:
        """How to make one.

        Args:
            worker: the worker.
            watchdog: writes frames of calls that do not wait.
            sharing: runs requests, and takes the channel over from the loop.
            wake: ends the main thread's waiting for credit.
            main: the main thread.

        """
        self._worker = worker
        self._watchdog = watchdog
        self._sharing = sharing
        self._shared = sharing.channel
        self._wake = wake
        self._main = main
        self._level = 0
        self._lock = allocate_lock()
        #: What coroutines of the main thread wait for, each with its loop; the latest is the last.
        self._awaited: list[tuple[Answer, AbstractEventLoop]] = []
        self._reads_for_loops = False
        self._shared.on_nested = self._nested_has_come

    def _share_in_main(self) -> None:
        """Has the channel shared while the main thread waits in a handler."""
        # When the handler has returned the loop begins nothing of what it has read.
        self._worker.cancelled.add(SHARE)
        self._shared.open(self._sharing.unread())

    def _share(self) -> None:
        """Has the channel shared while another thread waits, which has entered."""
        shared, worker = self._shared, self._worker
        if shared.opened:
            return
        # From now on the loop begins no further request, but shares the channel.
        worker.cancelled.add(SHARE)
        self._wake()
        while not shared.opened and not worker.over:
            call = worker.running[0]
            if call == WAITING:
                # It reads, and what it reads it will share.
                return
            if call > 0:
                unread = self._sharing.unread()
                if worker.running[0] == call:
                    shared.open(unread)
                    return
            sleep(_LOOK)

    def parent(self) -> int:
        if get_ident() != self._main:
            # What the main thread runs is no concern of other threads.
            return 0
        running = self._worker.running[0]
        if running <= 0:
            raise RuntimeError("the host can be called in a handler only, not in between")
        return running

    def emit(self, frames: bytes) -> None:
        self._worker.data.pending.append(frames)
        if self._watchdog.asleep:
            self._watchdog.wake()

    def wait(self, answer: Answer, deadline: float | None) -> None:
        if get_ident() == self._main:
            if not self._shared.opened:
                self._share_in_main()
            self._wait(answer, deadline, in_main=True)
            return
        self._shared.enter()
        try:
            self._share()
            self._wait(answer, deadline, in_main=False)
        finally:
            self._shared.leave()

    def _wait(self, answer: Answer, deadline: float | None, *, in_main: bool) -> None:
        worker, shared = self._worker, self._shared
        cancelled = worker.cancelled
        # While this waits it is the top of the stack: as many calls are below it then as now.
        wanted = None if in_main and self._level < _LEVELS else answer.id

        def ready() -> bool:
            if answer.done or answer.items or STOP in cancelled:
                return True
            return shared.has_nested(wanted)

        while True:
            shared.wait(ready, deadline)
            if in_main:
                worker.checkpoint()
            if answer.done or answer.items:
                return
            request = shared.take_nested(wanted)
            if request is not None:
                self._run_nested(request)
            elif shared.ended or STOP in cancelled:
                raise Cancelled("the worker stops")
            elif deadline is not None and monotonic() >= deadline:
                return

    def wake(self) -> None:
        self._shared.wake()

    def begin_awaiting(self, answer: Answer, loop: AbstractEventLoop) -> None:
        self._worker.data.flush()
        with self._lock:
            self._awaited.append((answer, loop))
            start = not self._reads_for_loops
            self._reads_for_loops = True
        if self._shared.has_nested(None):
            self._nested_has_come()
        if start:
            Thread(target=self._read_for_loops, name="synapse-reader", daemon=True).start()

    def end_awaiting(self, answer: Answer, loop: AbstractEventLoop) -> None:
        self._awaited.remove((answer, loop))
        if not self._awaited:
            self._shared.wake()
        elif self._shared.has_nested(None):
            self._nested_has_come()

    def _read_for_loops(self) -> None:
        """Reads as long as coroutines wait."""
        self._shared.enter()
        try:
            while True:
                self._share()
                self._shared.wait(lambda: not self._awaited)
                with self._lock:
                    if not self._awaited or self._shared.ended:
                        self._reads_for_loops = False
                        return
        finally:
            self._shared.leave()

    def _nested_has_come(self) -> None:
        for _, loop in self._awaited[-1:]:
            try:
                loop.call_soon_threadsafe(self._run_in_loop)
            except RuntimeError:
                # It is closed: whoever waited does so no more.
                pass

    def _run_in_loop(self) -> None:
        """Runs the nested requests that have come, on top of the loop that a coroutine waits in."""
        from asyncio import _get_running_loop, _set_running_loop

        running = _get_running_loop()
        _set_running_loop(None)
        try:
            while True:
                request = None
                if self._level < _LEVELS:
                    request = self._shared.take_nested(None)
                else:
                    for answer, loop in tuple(self._awaited):
                        if loop is running and request is None:
                            request = self._shared.take_nested(answer.id)
                if request is None:
                    return
                self._run_nested(request)
        finally:
            _set_running_loop(running)

    def _run_nested(self, request: Frame) -> None:
        self._level += 1
        try:
            self._sharing.run_nested(request)
            self._worker.data.flush()
        finally:
            self._level -= 1
