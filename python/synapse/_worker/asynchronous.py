"""Coroutines, many at once, on one event loop; synchronous handlers run in threads beside it."""

from __future__ import annotations

import asyncio

from synapse._cancelled import Cancelled
from synapse._context import provide
from synapse._protocol.codec import codec
from synapse._protocol.header import CALLBACK_ID, CREDIT, REQUEST
from synapse._registry import ASYNC_GENERATOR, COROUTINE
from synapse._worker.calls import Calls, Request
from synapse._worker.hooks import Hooks
from synapse._worker.outflow import Outflow
from synapse._worker.pool import Pool, current
from synapse._worker.reader import FrameReader
from synapse._worker.resumed import behind
from synapse._worker.state import STOP, Worker
from synapse._worker.threads import current_call, current_context
from synapse._worker.turns import Turns
from synapse._worker.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from synapse._worker.hosting import Waiting


class AsyncWindow:
    """How many items of a stream may be sent."""

    def __init__(self) -> None:
        self._credit = 0
        self._waiter: asyncio.Future[None] | None = None
        #: Whether the call was cancelled.
        self.closed = False

    def grant(self, more: int) -> None:
        """Allows further items."""
        self._credit += more
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def take_now(self) -> bool:
        """Whether an item may be sent, without waiting. It counts as sent then."""
        if self._credit <= 0:
            return False
        self._credit -= 1
        return True

    async def take(self) -> None:
        """Waits until an item may be sent."""
        while self._credit <= 0:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._credit -= 1


class Asynchronous:
    """Serves the data channel until the host closes it or the worker has to stop."""

    def __init__(self, worker: Worker, calls: Calls, watchdog: Watchdog, hooks: Hooks) -> None:
        self._worker = worker
        self._calls = calls
        self._watchdog = watchdog
        self._loop = hooks.loop
        #: Coroutines and threads together.
        self._turns = Turns(worker.config.concurrency)
        self._pool = Pool(worker, calls, watchdog, self._turns)
        self._pool.pass_on = lambda request: self._in_loop(self._begin, request)
        self._pool.nudge = lambda: self._in_loop(_nothing, None)
        self._reader = FrameReader(worker.config.data_in, worker.config.frame)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        #: Tasks that have not taken their first step: cancelled now, they would end without a word.
        self._unborn: set[int] = set()
        #: Those of them that are not wanted any more.
        self._unwanted: set[int] = set()
        #: Of the calls of coroutines that are not over, those that wait included.
        self._windows: dict[int, AsyncWindow] = {}
        self._flushing = False
        self._stopping = False
        worker.journal.by_number()
        worker.on_cancel = self._on_cancel
        worker.count_calls = lambda: len(self._windows) + len(self._pool)
        worker.current_call = current_call
        worker.create_waiting = self._create_waiting
        provide(current_context)

    def serve(self) -> None:
        """Serves until the end."""
        codec.load()
        loop = self._loop
        loop.add_reader(self._worker.config.data_in, self._receive)
        if self._worker.is_stopping():
            self._stop()
        try:
            loop.run_forever()
        finally:
            loop.remove_reader(self._worker.config.data_in)
        self._worker.data.flush()
        self._pool.finish(urgent=self._worker.urgent)

    # -------------------------------------------------------------------------- from the host

    def _receive(self) -> None:
        frames = self._reader.receive()
        if frames is None:
            self._stop()
            return
        for word, call, payload in frames:
            kind = word & 0xFF
            if kind == REQUEST:
                self._accept(word, call, payload)
            elif call & CALLBACK_ID:
                if self._worker.callbacks is not None:
                    self._worker.callbacks.deliver(word, call, payload)
            elif kind == CREDIT:
                self._grant(call, self._calls.credit(payload))
            else:
                self._calls.drop(kind)
        if self._worker.cancelled and self._reader.drained:
            self._worker.forget_stale()

    def _accept(self, word: int, call: int, payload: bytes) -> None:
        number = self._worker.journal.take()
        if call in self._worker.cancelled:
            self._reply((self._calls.refuse(word, call, payload),))
            self._worker.cancelled.discard(call)
            return
        request = self._calls.read(word, call, payload)
        if isinstance(request, bytes):
            self._reply((request,))
            return
        request.number = number
        if not _is_asynchronous(request):
            self._pool.submit(request)
        else:
            self._windows[call] = AsyncWindow()
            if self._turns.enter(request):
                self._begin(request)

    def _start(self, request: Request) -> None:
        """Runs a request that has its turn."""
        if _is_asynchronous(request):
            self._begin(request)
        else:
            self._pool.run(request)

    def _begin(self, request: Request) -> None:
        self._unborn.add(request.call)
        self._tasks[request.call] = self._loop.create_task(self._run(request))

    def _grant(self, call: int, more: int) -> None:
        window = self._windows.get(call)
        if window is not None:
            window.grant(more)
        else:
            self._pool.grant(call, more)

    # ------------------------------------------------------------------------------- in the tasks

    async def _run(self, request: Request) -> None:
        calls, call = self._calls, request.call
        replies: tuple[Any, ...]
        current.set(request)
        self._unborn.discard(call)
        try:
            if call in self._unwanted:
                self._unwanted.discard(call)
                raise Cancelled("the call was cancelled before it began")
            if not self._worker.journal.begin(request.number, call):
                replies = (calls.withdrawn(call),)
            elif request.stream:
                await self._stream(request, _call(request))
                replies = (*calls.session(request), calls.end(call))
            else:
                replies = calls.answer(request, await _value(_call(request)))
        except SystemExit:
            self._worker.data.flush()
            raise
        except BaseException as error:
            replies = (calls.raised(error, request),)
        finally:
            del self._tasks[call], self._windows[call]
        self._worker.emit_held_of(call)
        self._reply(replies)
        following = self._turns.leave(request)
        if following is not None:
            self._start(following)
        if self._stopping and not self._windows:
            self._loop.stop()

    async def _stream(self, request: Request, result: Any) -> None:
        call, context = request.call, request.context
        window = self._windows[call]
        outflow = Outflow(self._worker, self._calls, self._watchdog, call)
        if hasattr(result, "__await__"):
            result = await result
        if not hasattr(result, "__anext__"):
            # The only item, which is the first one.
            if context.is_resumed and context.take_resume_from():
                return
            await window.take()
            outflow.send(result)
            self._flush_with_turn()
            return
        result = behind(result, context)
        try:
            while True:
                if not window.take_now():
                    await window.take()
                try:
                    item = await result.__anext__()
                except StopAsyncIteration:
                    return
                outflow.send(item)
                if not self._flushing:
                    self._flush_with_turn()
        finally:
            close = getattr(result, "aclose", None)
            if close is not None:
                await close()

    # ---------------------------------------------------------------------------------- to the host

    def _reply(self, frames: tuple[Any, ...]) -> None:
        """Sends frames together with what else this turn of the loop has to send."""
        self._worker.data.pending += frames
        self._flush_with_turn()

    def _flush_with_turn(self) -> None:
        """Has what is pending written before the loop waits."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        self._worker.data.flush()

    def _create_waiting(self, worker: Worker) -> Waiting:
        from synapse._worker.awaiting import LoopWaiting

        return LoopWaiting(worker, self._loop, self._reply)

    # ------------------------------------------------------------------------------------- the end

    def _on_cancel(self, call: int) -> None:
        # Comes from the watcher, or from a signal handler.
        if call == STOP and self._worker.urgent:
            self._pool.cancel_all()
        self._in_loop(self._cancel, call)

    def _in_loop(self, function: Callable[[Any], None], argument: Any) -> None:
        """Calls a function in the thread of the loop."""
        try:
            self._loop.call_soon_threadsafe(function, argument)
        except RuntimeError:
            # The loop is closed: the worker ends anyway.
            pass

    def _cancel(self, call: int) -> None:
        if call == STOP:
            self._stop()
            return
        window = self._windows.get(call)
        if window is None:
            self._pool.cancel(call)
        elif call not in self._tasks and self._turns.withdraw(call) is not None:
            del self._windows[call]
            self._reply((self._calls.cancelled(call),))
        elif not window.closed:
            window.closed = True
            self._cancel_task(call)

    def _cancel_task(self, call: int) -> None:
        task = self._tasks.get(call)
        if task is None or call in self._unborn:
            # It is about to begin, perhaps because a thread has just named it.
            self._unwanted.add(call)
        else:
            task.cancel()

    def _stop(self) -> None:
        """Takes no further calls; ends the loop once those that run are over."""
        self._stopping = True
        self._worker.end_callbacks()
        self._loop.remove_reader(self._worker.config.data_in)
        for request in self._turns.clear():
            self._windows.pop(request.call, None)
            self._pool.refuse(request)
        if self._worker.urgent:
            for call in self._windows:
                self._cancel_task(call)
        if not self._windows:
            self._loop.stop()


def _nothing(_argument: None) -> None:
    """A turn of the loop is all that is wanted."""


def _is_asynchronous(request: Request) -> bool:
    return request.handler.kind in (COROUTINE, ASYNC_GENERATOR)


def _call(request: Request) -> Any:
    return request.handler.function(*request.args, **request.kwargs)


async def _value(result: Any) -> Any:
    """One value: a coroutine is awaited, the items of an iterator are collected into a list."""
    if hasattr(result, "__await__"):
        result = await result
    if hasattr(result, "__anext__"):
        return [item async for item in result]
    return result
