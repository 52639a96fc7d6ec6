"""Calls of the host that this worker has made and that are not answered."""

from __future__ import annotations

from _weakref import ref
from sys import modules

from synapse._cancelled import Cancelled
from synapse._context import session_of
from synapse._host_call import AHEAD, Answer, Backend, HostCall
from synapse._host_errors import make_error
from synapse._protocol.codec import decode, encode
from synapse._protocol.errors import Malformed
from synapse._protocol.header import (
    CALLBACK,
    CALLBACK_ID,
    CANCEL,
    COUNTED,
    CREDIT,
    END,
    ERROR,
    HEADER,
    ITEM,
    RELEASE,
    RESPONSE,
    SHARED,
    STREAM,
    frame,
    word,
)
from synapse._worker.functions import Owner, accept
from synapse._worker.gate import make_lock
from synapse._worker.hosting import HostCalls, Waiting
from synapse._worker.inputs import accept_inputs
from synapse._worker.state import Worker
from synapse._worker.watchdog import Watchdog
from synapse._worker.watcher import protocol_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from typing import Any

_ASK = word(CALLBACK, STREAM)
_ANSWERS = frozenset((RESPONSE, ERROR, ITEM, END))

#: Why there is no answer.
_STOPS = "the worker stops"


class Callbacks(Backend, Owner, HostCalls):
    """The callbacks of one worker."""

    def __init__(self, worker: Worker, waiting: Waiting, watchdog: Watchdog) -> None:
        self._worker = worker
        self._waiting = waiting
        self._watchdog = watchdog
        #: By id. Who drops a call without waiting for it does not want its answer.
        self._open: dict[int, ref[Answer]] = {}
        self._last = 0
        self._lock = make_lock()
        watchdog.tasks.append(self._flush)
        accept(self)
        accept_inputs(self)

    # ------------------------------------------------------------------------------- for the user

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> HostCall:
        """Calls a handler."""
        return self._start({"name": name}, name, args, kwargs)

    def call_function(
        self, reference: int, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HostCall:
        return self._start({"function": reference}, name, args, kwargs)

    def _start(
        self, message: dict[str, Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HostCall:
        worker = self._worker
        if worker.forked:
            raise RuntimeError(
                f"{name} cannot be called in a forked child: the host is its parent's"
            )
        if worker.over:
            raise Cancelled(_STOPS)
        message["args"] = list(args)
        if kwargs:
            message["kwargs"] = kwargs
        parent = self._waiting.parent()
        if parent:
            message["call"] = parent
            session = session_of(parent) if worker.in_sessions else None
            if session is not None:
                message["session"] = session
        message["credit"] = AHEAD
        payload, flags = worker.lending.encode(message)
        with self._lock:
            while True:
                self._last = self._last % (CALLBACK_ID - 1) + 1
                identity = self._last | CALLBACK_ID
                if identity not in self._open:
                    break
            answer = Answer(identity, name, parent)
            self._open[identity] = ref(answer)
        ask = _ASK | flags << 8
        self._waiting.emit(HEADER.pack(len(payload) + COUNTED, ask, identity) + payload)
        # Whoever cancels or closes looks for what is open: what is added meanwhile looks itself.
        if parent and worker.is_cancelled(parent):
            self._cancel(answer, "the call was cancelled")
        elif worker.is_over():
            self._cancel(answer, _STOPS)
        return HostCall(answer, self)

    def wait(self, answer: Answer, deadline: float | None) -> None:
        worker = self._worker
        if not answer.done and not answer.items:
            refuse_in_loop(answer.name)
            worker.data.flush()
            self._waiting.wait(answer, deadline)
        if answer.error is not None and isinstance(answer.error, Cancelled):
            # The interruption of the call is this one, and no second one follows.
            worker.checkpoint()

    def begin_awaiting(self, answer: Answer, loop: AbstractEventLoop) -> None:
        answer.awaiting += 1
        self._waiting.begin_awaiting(answer, loop)

    def end_awaiting(self, answer: Answer, loop: AbstractEventLoop) -> None:
        answer.awaiting -= 1
        self._waiting.end_awaiting(answer, loop)

    def grant(self, answer: Answer, items: int) -> None:
        self._waiting.emit(frame(CREDIT, answer.id, encode(items)))

    def give_up(self, answer: Answer) -> None:
        if self._open.pop(answer.id, None) is not None and not self._worker.forked:
            self._waiting.emit(frame(CANCEL, answer.id))
        self._waiting.wake()

    def give_up_later(self, answer: Answer) -> None:
        if self._open.pop(answer.id, None) is not None:
            self._emit_later(frame(CANCEL, answer.id))

    def release(self, reference: int) -> None:
        self._emit_later(frame(RELEASE, reference))

    def _emit_later(self, frames: bytes) -> None:
        """Sends a frame without writing, for finalisers."""
        if self._worker.forked or self._worker.over:
            return
        self._worker.data.pending.append(frames)
        if self._watchdog.asleep:
            self._watchdog.wake()

    # ------------------------------------------------------------------------------ for the worker

    def deliver(self, answer_word: int, identity: int, payload: bytes) -> None:
        """An answer has come, or a part of one."""
        kind, shared = answer_word & 0xFF, bool(answer_word >> 8 & SHARED)
        if kind not in _ANSWERS:
            protocol_error(f"a frame of kind {kind:#04x} for a callback")
        known = self._open.get(identity) if kind == ITEM else self._open.pop(identity, None)
        if known is None:
            if shared:
                self._discard(payload)
            return
        answer = known()
        if answer is None:
            if shared:
                self._discard(payload)
            self._open.pop(identity, None)
            if kind == ITEM:
                self._waiting.emit(frame(CANCEL, identity))
            return
        if kind == END:
            answer.streamed = True
            answer.settle()
        else:
            self._accept(answer, kind, payload, shared=shared)

    def _decode(self, payload: bytes, *, shared: bool) -> Any:
        memory = self._worker.load_memory() if shared else None
        return decode(payload) if memory is None else memory.decode(payload)

    def _discard(self, payload: bytes) -> None:
        """Lets go of the memory in an answer that nobody wants."""
        try:
            self._decode(payload, shared=True)
        except Exception:  # noqa: S110
            # What else is wrong with it is nobody's business any more.
            pass

    def _accept(self, answer: Answer, kind: int, payload: bytes, *, shared: bool) -> None:
        try:
            value = self._decode(payload, shared=shared)
        except Malformed as error:
            protocol_error(f"an answer that cannot be decoded: {error}")
        except Exception as error:
            answer.settle(error=error)
            self.give_up(answer)
            return
        if kind == ERROR:
            answer.settle(error=make_error(value))
        elif kind == RESPONSE:
            answer.settle(value)
        else:
            answer.add(value, len(payload))
            if answer.dropped:
                self.give_up(answer)

    def cancel_calls_of(self, call: int) -> None:
        """A call is cancelled: what it has asked is given up."""
        for answer in self._answers():
            # Those that coroutines wait for are given up when these are cancelled.
            if answer.parent == call and not answer.awaiting:
                self._cancel(answer, "the call was cancelled")

    def close(self) -> None:
        """No answer will come any more."""
        for answer in self._answers():
            self._open.pop(answer.id, None)
            answer.settle(error=Cancelled(_STOPS))
        self._waiting.wake()

    def _cancel(self, answer: Answer, reason: str) -> None:
        answer.settle(error=Cancelled(reason))
        self.give_up(answer)

    def _answers(self) -> list[Answer]:
        with self._lock:
            # A list, whose making no other thread disturbs: answers leave without the lock.
            known = [*self._open.values()]
        return [answer for one in known if (answer := one()) is not None]

    def _flush(self) -> bool:
        """The watchdog's task: releases do not wait for the next reply."""
        if self._worker.data.pending:
            self._worker.data.flush()
        return False


def refuse_in_loop(name: str) -> None:
    """Refuses to block the event loop that the current thread runs.

    Raises:
        RuntimeError: it runs one.

    """
    asyncio = modules.get("asyncio")
    if asyncio is None:
        return
    loop: Callable[[], Any] | None = getattr(asyncio, "_get_running_loop", None)
    if loop is not None and loop() is not None:
        raise RuntimeError(
            f"waiting for {name} would block the event loop of this thread: use `await` or "
            "`async for`"
        )
