"""Threads that run synchronous handlers beside the main thread."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from threading import Condition, RLock, Thread, get_ident

from synapse._cancelled import Cancelled
from synapse._worker.calls import Calls, Request
from synapse._worker.hooks import Hooks
from synapse._worker.interrupt import is_in_user_code
from synapse._worker.runner import Runner, driver_codes
from synapse._worker.state import Worker
from synapse._worker.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

#: The call that the current thread or task works for.
current: ContextVar[Request | None] = ContextVar("synapse_call", default=None)


class Window:
    """How many items of a stream may be sent."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._credit = 0
        self._closed = False

    def grant(self, more: int) -> None:
        """Allows further items."""
        with self._changed:
            self._credit += more
            self._changed.notify()

    def close(self) -> None:
        """Ends the waiting: the stream is cancelled."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self) -> None:
        """Waits until an item may be sent.

        Raises:
            Cancelled: nobody wants it any more.

        """
        with self._changed:
            while self._credit <= 0 and not self._closed:
                self._changed.wait()
            if self._closed:
                raise Cancelled("the stream was cancelled")
            self._credit -= 1


class Pool:
    """Runs requests in up to `size` threads, in the order in which they come."""

    def __init__(
        self,
        worker: Worker,
        calls: Calls,
        watchdog: Watchdog,
        size: int,
        finished: Callable[[], None] | None = None,
    ) -> None:
        self._worker = worker
        self._calls = calls
        self._watchdog = watchdog
        self._size = size
        #: Called, in the thread, whenever a call is over.
        self._finished = finished
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._idle = 0
        #: Guards the fields below. A signal handler may cancel while the main thread submits.
        self._lock = RLock()
        #: Calls that have been submitted and are not over.
        self._open: dict[int, Window] = {}
        #: The threads of the calls that run.
        self._running: dict[int, int] = {}
        self._unwanted: set[int] = set()
        self._drivers = driver_codes()
        watchdog.tasks.append(self._interrupt_unwanted)
        worker.checkpoint = self._checkpoint

    def __len__(self) -> int:
        return len(self._open)

    def submit(self, request: Request) -> None:
        """Runs a request as soon as a thread is free."""
        with self._lock:
            self._open[request.call] = Window()
            need = len(self._open) > len(self._threads) < self._size
        self._queue.put(request)
        if need:
            name = f"synapse-{len(self._threads) + 1}"
            thread = Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def grant(self, call: int, more: int) -> bool:
        """Gives credit to a stream; answers whether it is one of this pool."""
        window = self._open.get(call)
        if window is not None:
            window.grant(more)
        return window is not None

    def cancel(self, call: int) -> bool:
        """Interrupts a call; answers whether it is one of this pool."""
        with self._lock:
            window = self._open.get(call)
            if window is None:
                return False
            self._unwanted.add(call)
        window.close()
        self._interrupt_unwanted()
        self._watchdog.wake()
        return True

    def finish(self, *, urgent: bool) -> None:
        """Waits until what runs is over; interrupts it if the end is urgent."""
        if urgent:
            self.cancel_all()
        self._refuse_waiting()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def cancel_all(self) -> None:
        """Interrupts every call."""
        for call in tuple(self._open):
            self.cancel(call)

    def _refuse_waiting(self) -> None:
        while True:
            try:
                request = self._queue.get_nowait()
            except Empty:
                return
            if request is not None:
                error = Cancelled("the worker stops")
                self._worker.data.send(self._calls.failure(request.call, error))

    # ----------------------------------------------------------------------------- in the threads

    def _work(self) -> None:
        hooks = Hooks(self._worker.registry)
        runner = Runner(hooks, [0])
        while True:
            request = self._queue.get()
            if request is None:
                hooks.close()
                return
            current.set(request)
            try:
                self._run(runner, request)
            except SystemExit as error:
                self._worker.exit_with(error)
            finally:
                current.set(None)

    def _run(self, runner: Runner, request: Request) -> None:
        worker, calls, call = self._worker, self._calls, request.call
        replies: tuple[Any, ...]
        with self._lock:
            window = self._open[call]
            self._running[call] = get_ident()
        try:
            if worker.is_cancelled(call):
                raise Cancelled("the call was cancelled before it began")
            result = runner.call(request)
            if request.stream:
                self._stream(runner, window, call, runner.items(call, result))
                replies = (calls.end(call),)
            else:
                result = runner.value(call, result)
                replies = (*calls.session(request), *calls.success(call, result))
        except SystemExit:
            raise
        except BaseException as error:
            replies = (calls.failure(call, error),)
        finally:
            with self._lock:
                del self._open[call], self._running[call]
                self._unwanted.discard(call)
        worker.emit_held()
        worker.data.pending += replies
        worker.data.flush()
        if self._finished is not None:
            self._finished()

    def _stream(self, runner: Runner, window: Window, call: int, items: Iterator[Any]) -> None:
        worker, calls = self._worker, self._calls
        try:
            while True:
                window.take()
                try:
                    item = runner.next(call, items)
                except StopIteration:
                    return
                worker.emit_held()
                worker.data.send(calls.item(call, item))
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    def _checkpoint(self) -> None:
        request = current.get()
        if request is None:
            return
        with self._lock:
            if request.call not in self._unwanted or self._running.get(request.call) != get_ident():
                return
            self._unwanted.discard(request.call)
        raise Cancelled("the call was cancelled")

    # --------------------------------------------------------------------------- in the watchdog

    def _interrupt_unwanted(self) -> bool:
        """Raises `Cancelled` in threads whose call was cancelled, once they are in user code.

        The interpreter's lock is held from the look at the stack to the order, so the exception
        cannot hit code of ours, which may be in the middle of a frame.
        """
        with self._lock:
            for call in tuple(self._unwanted):
                thread = self._running.get(call)
                if thread is None:
                    continue
                top = sys._current_frames().get(thread)
                if is_in_user_code(top, self._drivers) and _raise_in(thread):
                    self._unwanted.discard(call)
            return bool(self._unwanted)


def _raise_in(thread: int) -> bool:
    """Has a thread raise `Cancelled` at its next step; answers whether that is possible here."""
    try:
        from ctypes import c_ulong, py_object, pythonapi
    except ImportError:
        return True
    pythonapi.PyThreadState_SetAsyncExc(c_ulong(thread), py_object(Cancelled))
    return True
