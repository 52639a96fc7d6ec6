"""Several calls at once, in threads: the main thread reads, the pool runs."""

from __future__ import annotations

from synapse._context import Context, provide
from synapse._protocol.codec import codec
from synapse._protocol.header import CALLBACK_ID, CREDIT, REQUEST
from synapse._worker.calls import Calls
from synapse._worker.interrupt import Interrupter, Wake
from synapse._worker.pool import Pool, current
from synapse._worker.reader import FrameReader
from synapse._worker.state import STOP, WAITING, Worker
from synapse._worker.turns import Turns
from synapse._worker.watchdog import Watchdog


class Threads:
    """Serves the data channel until the host closes it or the worker has to stop."""

    def __init__(
        self, worker: Worker, calls: Calls, watchdog: Watchdog, interrupter: Interrupter
    ) -> None:
        self._worker = worker
        self._calls = calls
        self._interrupter = interrupter
        self._pool = Pool(worker, calls, watchdog, Turns(worker.config.concurrency))
        self._pool.nudge = interrupter.nudge
        self._reader = FrameReader(worker.config.data_in, worker.config.frame)
        worker.journal.by_number()
        worker.on_cancel = self._on_cancel
        worker.count_calls = lambda: len(self._pool)
        worker.current_call = current_call
        provide(current_context)

    def serve(self) -> None:
        """Serves until the end."""
        worker = self._worker
        codec.load()
        while True:
            try:
                worker.running[0] = WAITING
                if worker.is_stopping():
                    break
                frames = self._reader.receive()
                worker.running[0] = 0
            except Wake:
                break
            if frames is None:
                break
            for word, call, payload in frames:
                self._dispatch(word, call, payload)
            if worker.cancelled and self._reader.drained:
                worker.forget_stale()
        worker.running[0] = 0
        worker.end_callbacks()
        self._pool.finish(urgent=worker.urgent)

    def _dispatch(self, word: int, call: int, payload: bytes) -> None:
        kind = word & 0xFF
        if kind == REQUEST:
            number = self._worker.journal.take()
            request = self._calls.read(word, call, payload)
            if isinstance(request, bytes):
                self._worker.data.send(request)
            else:
                request.number = number
                self._pool.submit(request)
        elif call & CALLBACK_ID:
            if self._worker.callbacks is not None:
                self._worker.callbacks.deliver(word, call, payload)
        elif kind == CREDIT:
            self._pool.grant(call, self._calls.credit(payload))
        else:
            self._calls.drop(kind)

    def _on_cancel(self, call: int) -> None:
        if call == STOP:
            self._interrupter.interrupt(STOP)
            if self._worker.urgent:
                self._pool.cancel_all()
        else:
            self._pool.cancel(call)


def current_call() -> int:
    """The id of the call that the current thread or task works for, or 0."""
    request = current.get()
    return 0 if request is None else request.call


def current_context() -> Context | None:
    """The context of that call."""
    request = current.get()
    return None if request is None else request.context
