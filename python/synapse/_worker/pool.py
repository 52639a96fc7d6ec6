"""Threads that run synchronous handlers beside the main thread."""

from __future__ import annotations

from contextvars import ContextVar
from queue import SimpleQueue
from threading import Condition, RLock, Thread, current_thread

from synapse._cancelled import Cancelled
from synapse._worker.calls import Calls, Request
from synapse._worker.gate import FREE_THREADED
from synapse._worker.hooks import Hooks
from synapse._worker.outflow import Outflow
from synapse._worker.resumed import behind
from synapse._worker.runner import Runner
from synapse._worker.state import Worker
from synapse._worker.turns import Turns
from synapse._worker.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from synapse._worker.free_interrupt import FreeInterrupter
    from synapse._worker.runner import Source
    from synapse._worker.thread_interrupt import ThreadInterrupter

#: The call that the current thread or task works for.
current: ContextVar[Request | None] = ContextVar("synapse_call", default=None)


class Window:
    """How many items of a stream may be sent."""

    def __init__(self) -> None:
        self._changed = Condition()
        #: Written by whoever reads the channel.
        self._granted = 0
        #: Written by the thread that sends.
        self._taken = 0
        #: Whether the call was cancelled.
        self.closed = False

    def grant(self, more: int) -> None:
        """Allows further items."""
        with self._changed:
            self._granted += more
            self._changed.notify()

    def close(self) -> None:
        """The call is cancelled: it does not begin, or its waiting ends."""
        with self._changed:
            self.closed = True
            self._changed.notify()

    def take_now(self) -> bool:
        """Whether an item may be sent, without waiting. It counts as sent then."""
        if self._granted <= self._taken or self.closed:
            return False
        self._taken += 1
        return True

    def take(self) -> None:
        """Waits until an item may be sent.

        Raises:
            Cancelled: nobody wants it any more.

        """
        with self._changed:
            while self._granted <= self._taken and not self.closed:
                self._changed.wait()
            if self.closed:
                raise Cancelled("the stream was cancelled")
            self._taken += 1


class Pool:
    """Runs requests in threads, of which there are as many as run at once."""

    def __init__(self, worker: Worker, calls: Calls, watchdog: Watchdog, turns: Turns) -> None:
        self._worker = worker
        self._calls = calls
        self._turns = turns
        #: Told, in a thread of the pool, which request of others has its turn after one of these.
        self.pass_on: Callable[[Request], None] | None = None
        #: Has the thread that reads take a step, wherever it waits; see `_let_go`.
        self.nudge: Callable[[], None] = _nothing
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._threads: list[Thread] = []
        #: The threads that run a nested call each.
        self._helpers: list[Thread] = []
        #: Guards `_open`, `_threads` and `_busy`. Reentrant: a signal handler may cancel while the
        #: main thread submits.
        self._lock = RLock()
        #: Calls that have been submitted and are not over.
        self._open: dict[int, Window] = {}
        #: Requests that have their turn and are not over.
        self._busy = 0
        self._watchdog = watchdog
        self._interrupter = _make_interrupter(watchdog)
        watchdog.tasks.append(self._flush)
        worker.checkpoint = self._checkpoint

    def __len__(self) -> int:
        return len(self._open)

    def submit(self, request: Request) -> None:
        """Runs a request as soon as it has its turn."""
        window = Window()
        with self._lock:
            self._open[request.call] = window
        if request.call in self._worker.cancelled:
            # Looked at now, for the worker does not remember it until a thread is free.
            window.close()
        if request.nested:
            # A thread of this pool may be waiting for it: none can be waited for.
            self._start(lambda: self._serve_one(request), "synapse-nested", self._helpers)
        elif self._turns.enter(request):
            self.run(request)
        elif window.closed:
            # Whoever cancelled it did not see it wait.
            self._withdraw(request.call)

    def run(self, request: Request) -> None:
        """Runs a request that has its turn."""
        with self._lock:
            self._busy += 1
            if self._busy > len(self._threads):
                self._start(self._work, f"synapse-{len(self._threads) + 1}", self._threads)
        self._queue.put(request)

    def _start(self, work: Callable[[], None], name: str, among: list[Thread]) -> None:
        thread = Thread(target=work, name=name, daemon=True)
        among.append(thread)
        thread.start()

    def grant(self, call: int, more: int) -> None:
        """Gives credit to a stream, if it is one of this pool."""
        window = self._open.get(call)
        if window is not None:
            window.grant(more)

    def cancel(self, call: int) -> None:
        """Interrupts a call, if it is one of this pool, once."""
        window = self._open.get(call)
        if window is None or window.closed:
            return
        # In this order: a call that begins meanwhile sees the one or is caught by the other.
        window.close()
        if not self._withdraw(call):
            self._interrupter.interrupt(call)

    def cancel_all(self) -> None:
        """Interrupts every call, also those cancelled before; those that wait do not begin."""
        # May be called by a signal handler: it takes no turns.
        for call, window in [*self._open.items()]:
            window.close()
            self._interrupter.interrupt(call)

    def _withdraw(self, call: int) -> bool:
        """Answers a call that waits for its turn; whether it was one."""
        request = self._turns.withdraw(call)
        if request is None:
            return False
        # The watchdog writes it: the channel may be full, and the thread that is in here is needed.
        self._worker.data.pending += (self._calls.cancelled(call),)
        self._forget(request)
        self._watchdog.wake()
        return True

    def finish(self, *, urgent: bool) -> None:
        """Waits until what runs is over; interrupts it if the end is urgent."""
        if urgent:
            self.cancel_all()
        for request in self._turns.clear():
            self.refuse(request)
        for _ in self._threads:
            self._queue.put(None)
        for thread in (*self._threads, *tuple(self._helpers)):
            thread.join()

    def refuse(self, request: Request) -> None:
        """Answers a request that had to wait and does not begin, for the worker stops."""
        self._worker.data.send(self._calls.failure(request.call, Cancelled("the worker stops")))
        self._forget(request)

    def _forget(self, request: Request) -> None:
        with self._lock:
            self._open.pop(request.call, None)

    # ----------------------------------------------------------------------------- in the threads

    def _work(self) -> None:
        hooks = Hooks(self._worker.registry)
        runner = self._interrupter.make_runner(hooks)
        while True:
            request = self._queue.get()
            if request is None:
                hooks.close()
                return
            # What it was given is not kept until the next one comes.
            while request is not None:
                borrows = request.borrows
                self._serve(runner, request)
                request = self._next(request)
                if borrows:
                    self._let_go()

    def _let_go(self) -> None:
        """Has arguments freed that the host waits for.

        Without a global lock an object is freed by the thread that made it, which is the one that
        reads; and that may wait for long.
        """
        if FREE_THREADED:
            self.nudge()

    def _next(self, over: Request) -> Request | None:
        """What this thread runs after a request that is over."""
        # Under one lock: whoever submits meanwhile sees a thread that is free, or another turn.
        with self._lock:
            request = self._turns.leave(over)
            if request is None:
                self._busy -= 1
                return None
            if self.pass_on is None or request.call in self._open:
                return request
            self._busy -= 1
        self.pass_on(request)
        return None

    def _serve_one(self, request: Request) -> None:
        hooks = Hooks(self._worker.registry)
        self._serve(self._interrupter.make_runner(hooks), request)
        hooks.close()
        if request.borrows:
            request.args, request.kwargs = (), {}
            self._let_go()
        self._helpers.remove(current_thread())

    def _serve(self, runner: Runner, request: Request) -> None:
        current.set(request)
        replies = self._run(runner, request)
        self._forget(request)
        self._worker.emit_held_of(request.call)
        self._worker.data.pending += replies
        self._worker.data.flush()
        current.set(None)

    def _run(self, runner: Runner, request: Request) -> tuple[Any, ...]:
        """Runs a call to its reply; from then on the thread is not interrupted."""
        call = request.call
        replies: tuple[Any, ...] | None = None
        while True:
            try:
                if replies is None:
                    self._interrupter.begin(call, runner.hooks)
                    replies = self._execute(runner, request)
                self._interrupter.end(call)
            except Cancelled as error:
                # On the way out of the user's code, at most once.
                if replies is None:
                    replies = (self._calls.failure(call, error),)
            except SystemExit as error:
                self._worker.exit_with(error)
            else:
                return replies

    def _execute(self, runner: Runner, request: Request) -> tuple[Any, ...]:
        calls, call = self._calls, request.call
        try:
            if self._open[call].closed or self._worker.is_cancelled(call):
                raise Cancelled("the call was cancelled before it began")
            if not self._worker.journal.begin(request.number, call):
                return (calls.withdrawn(call),)
            result = runner.call(request)
            if request.stream:
                self._stream(runner, call, behind(runner.source(call, result), request.context))
                return (*calls.session(request), calls.end(call))
            result = runner.value(call, result)
            return calls.answer(request, result)
        except SystemExit:
            raise
        except BaseException as error:
            return (calls.raised(error, request),)

    def _stream(self, runner: Runner, call: int, source: Source) -> None:
        worker, window = self._worker, self._open[call]
        outflow = Outflow(worker, self._calls, self._watchdog, call)

        def take(item: Any) -> bool:
            outflow.send(item)
            return window.take_now()

        try:
            more = True
            while more:
                if not window.take_now():
                    worker.data.flush()
                    window.take()
                more = runner.pass_on(call, source, take)
        finally:
            runner.close(source)

    def _flush(self) -> bool:
        """The watchdog's task: no item waits for one that does not come."""
        if not self._worker.data.pending:
            return False
        self._worker.data.flush()
        return True

    def _checkpoint(self) -> None:
        request = current.get()
        if request is not None:
            self._interrupter.checkpoint(request.call)


def _nothing() -> None:
    """Nobody reads yet."""


def _make_interrupter(watchdog: Watchdog) -> ThreadInterrupter | FreeInterrupter:
    if FREE_THREADED:
        from synapse._worker.free_interrupt import FreeInterrupter

        return FreeInterrupter(watchdog)
    from synapse._worker.thread_interrupt import ThreadInterrupter

    return ThreadInterrupter(watchdog)
