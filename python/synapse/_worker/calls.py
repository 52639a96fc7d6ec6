"""Requests and replies, whatever the mode: which function, which arguments, what goes back."""

from __future__ import annotations

from time import monotonic

from synapse._cancelled import Cancelled
from synapse._context import Context
from synapse._protocol import fallback
from synapse._protocol.codec import codec, decode, encode
from synapse._protocol.errors import FrameTooLarge, Malformed, ValueRefused
from synapse._protocol.header import (
    BOTH,
    COUNTED,
    CREDIT,
    END,
    ERROR,
    EXTRAS,
    FUNCTIONS,
    HEADER,
    ITEM,
    KEYWORDS,
    NESTED,
    ONE,
    POSITIONAL,
    REQUEST,
    RESPONSE,
    SESSION,
    SHARED,
    STREAM,
    frame,
    word,
)
from synapse._registry import FUNCTION, RESERVED, Handler
from synapse._signature import views_of
from synapse._worker.large import BIN32_HEAD, binary_response
from synapse._worker.lending import LENT_BYTES
from synapse._worker.state import Worker
from synapse._worker.watcher import protocol_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from synapse._views import Views

#: A binary result of this size is not copied.
LARGE_RESULT = 64 * 1024

#: Kinds that may come for a call that is over.
_LATE = frozenset((RESPONSE, ERROR, ITEM, END, SESSION, CREDIT))

#: Where the kind stands in a frame.
_KIND_AT = 4

_FORM = 3
_KNOWN_FLAGS = _FORM | EXTRAS | STREAM | NESTED | FUNCTIONS | SHARED


class Request:
    """A call, with its arguments decoded."""

    __slots__ = (
        "args",
        "borrows",
        "call",
        "context",
        "handler",
        "kwargs",
        "nested",
        "number",
        "stream",
    )

    def __init__(
        self,
        call: int,
        handler: Handler,
        args: Any,
        kwargs: dict[str, Any],
        context: Context,
        *,
        stream: bool,
        nested: bool = False,
        borrows: bool = False,
    ) -> None:
        self.call = call
        self.handler = handler
        self.args = args
        self.kwargs = kwargs
        self.context = context
        #: Whether the caller takes a stream.
        self.stream = stream
        #: Whether a callback of this worker waits for it.
        self.nested = nested
        #: Whether the host waits until its arguments are let go of: functions, shared memory.
        self.borrows = borrows
        #: Its number in the journal; 0 where the journal goes by order.
        self.number = 0


class Calls:
    """The table of handlers as hello numbers them, and what replies are made of."""

    def __init__(self, worker: Worker, builtin: Sequence[Handler] = ()) -> None:
        self._worker = worker
        #: By number, those of every worker last; None for those that were unregistered since.
        self.handlers: list[Handler | None] = [*worker.registry.handlers.values(), *builtin]
        worker.registry.on_unregister.append(self._forget)
        #: By word: plain functions that get one argument, and those that get an array of them.
        self.single: dict[int, Callable[[Any], Any]] = {}
        #: The handlers, by number, that get memoryviews.
        self._views: dict[int, Views] = {}
        for number, handler in enumerate(self.handlers):
            if handler is not None and (views := views_of(handler)):
                self._views[number] = views
        self.spread: dict[int, Callable[..., Any]] = {}

    def index(self, function_of: Callable[[Handler], Callable[..., Any]]) -> None:
        """Fills `single` and `spread` with what the hot loop may call without further thought."""
        for number, handler in enumerate(self.handlers):
            if handler is not None and handler.kind == FUNCTION and number not in self._views:
                function = function_of(handler)
                self.single[word(REQUEST, ONE, number)] = function
                self.spread[word(REQUEST, POSITIONAL, number)] = function

    def _forget(self, name: str) -> None:
        for number, handler in enumerate(self.handlers):
            if handler is not None and handler.name == name:
                self.handlers[number] = None
                self.single.pop(word(REQUEST, ONE, number), None)
                self.spread.pop(word(REQUEST, POSITIONAL, number), None)

    def read(self, request_word: int, call: int, payload: bytes) -> Request | bytes:
        """Understands a request; answers an error frame if it cannot be run."""
        flags = request_word >> 8 & 0xFF
        if flags & ~_KNOWN_FLAGS:
            protocol_error(f"a request with the flags {flags:#04x}")
        number = request_word >> 16
        handler = self.handlers[number] if number < len(self.handlers) else None
        if handler is None:
            self._discard(flags, payload)
            return self._not_found(call, number)
        extras: Any = {}
        if flags & FUNCTIONS:
            self._worker.load_callbacks()
        try:
            if flags & EXTRAS:
                extras, at = fallback.unpack_from(payload, 0)
                payload = payload[at:]
                if type(extras) is dict and "session" in extras:
                    self._worker.in_sessions = True
            views = self._views.get(number)
            given = self._decode(flags, payload, views=views is not None)
        except Malformed as error:
            protocol_error(f"a request that cannot be decoded: {error}")
        except Exception as error:
            return self.failure(call, error)
        form = flags & _FORM
        args: Any = (given,)
        kwargs: Any = {}
        if form == POSITIONAL:
            args = given
        elif form == KEYWORDS:
            args, kwargs = (), given
        elif form == BOTH and type(given) is list and len(given) == 2:
            args, kwargs = given
        if type(args) not in (list, tuple) or type(kwargs) is not dict or type(extras) is not dict:
            protocol_error(f"a request whose arguments are not of form {form}")
        if views is not None:
            args, kwargs = views.apply(args, kwargs)
        context = Context(call, extras, monotonic(), self._worker)
        return Request(
            call,
            handler,
            args,
            kwargs,
            context,
            stream=bool(flags & STREAM),
            nested=bool(flags & NESTED),
            borrows=bool(flags & (FUNCTIONS | SHARED)),
        )

    def _decode(self, flags: int, payload: bytes, *, views: bool = False) -> Any:
        """Decodes the arguments of a request."""
        if not flags & SHARED:
            # The codec in C may refuse what the other takes: a function is decoded once only.
            return fallback.unpack(payload) if flags & FUNCTIONS else decode(payload)
        memory = self._worker.load_memory()
        if memory is None:
            raise ValueRefused("the worker could not map the memory that the host shares")
        if flags & FUNCTIONS:
            return memory.decode_once(payload)
        codec.load()
        return memory.decode(payload, views=views)

    def refuse(self, request_word: int, call: int, payload: bytes) -> bytes:
        """The error frame for a request that was cancelled or withdrawn before it was read."""
        self._discard(request_word >> 8 & 0xFF, payload)
        return self.cancelled(call) if call in self._worker.cancelled else self.withdrawn(call)

    def _discard(self, flags: int, payload: bytes) -> None:
        """Releases the functions and the memory in a request that is not run."""
        if not flags & (FUNCTIONS | SHARED):
            return
        if flags & FUNCTIONS:
            self._worker.load_callbacks()
        try:
            at = fallback.unpack_from(payload, 0)[1] if flags & EXTRAS else 0
            # They are released by being dropped.
            self._decode(flags, payload[at:])
        except Exception:  # noqa: S110
            # What else is wrong with it is nobody's business any more.
            pass

    def _not_found(self, call: int, number: int) -> bytes:
        from synapse._errors import HANDLER_NOT_FOUND, plain_map

        known = [handler.name for handler in self.handlers if handler is not None]
        names = [name for name in known if not name.startswith(RESERVED)]
        message = f"there is no handler number {number} any more"
        described = plain_map(HANDLER_NOT_FOUND, message, available=names)
        return frame(ERROR, call, encode(described))

    def credit(self, payload: bytes) -> int:
        """How many more items a credit frame allows."""
        more = decode(payload)
        if type(more) is not int or more < 0:
            protocol_error(f"a credit of {more!r}")
        return int(more)

    def drop(self, kind: int) -> None:
        """Ignores a frame for a call that is over; ends the worker if the kind is unknown."""
        if kind not in _LATE:
            protocol_error(f"a frame of kind {kind:#04x}")

    # Replies. Each is one frame or several, ready to be added to what is pending.

    def success(self, call: int, result: Any) -> tuple[Any, ...]:
        """A response, or the error frame that says why the result cannot cross."""
        try:
            if type(result) is bytes and len(result) >= LARGE_RESULT:
                return self._binary(call, result)
            return self._pieces(RESPONSE, call, *self._worker.lending.encode(result))
        except Exception as error:
            return (self.failure(call, error),)

    def large_success(
        self, request_word: int, call: int, result: Any, payload: bytes
    ) -> tuple[Any, ...]:
        """The same for a result that has been encoded already and turned out to be large."""
        try:
            payload, flags = self._worker.lending.encode_again(result, payload)
            if flags:
                # The next ones are looked at before they are encoded.
                self.single.pop(request_word, None)
                self.spread.pop(request_word, None)
            return self._pieces(RESPONSE, call, payload, flags)
        except Exception as error:
            return (self.failure(call, error),)

    def _binary(self, call: int, result: bytes) -> tuple[Any, ...]:
        """The response that is one large binary value."""
        if len(result) >= LENT_BYTES:
            payload = self._worker.lending.encode_lent(result)
            if payload is not None:
                return self._pieces(RESPONSE, call, payload, SHARED)
        self._check_size(len(result) + BIN32_HEAD + COUNTED)
        return binary_response(call, result)

    def _check_size(self, length: int) -> None:
        """Refuses a frame that the host would not take.

        Raises:
            FrameTooLarge: it is larger than the limit.

        """
        limit = self._worker.config.frame
        if length > limit:
            raise FrameTooLarge(f"the value takes more than the {limit} bytes of limits.frame")

    def _pieces(self, kind: int, call: int, payload: bytes, flags: int) -> tuple[bytes, bytes]:
        """A frame, in two pieces.

        Raises:
            FrameTooLarge: the host would not take it.

        """
        length = len(payload) + COUNTED
        self._check_size(length)
        return HEADER.pack(length, word(kind, flags), call), payload

    def answer(self, request: Request, result: Any) -> tuple[Any, ...]:
        """What a call that has returned sends: what it changed in its session, then its result.

        Raises:
            EncodeError: something in the session cannot cross.

        """
        reply = self.success(request.call, result)
        # A call that fails after all leaves its session as it was.
        return reply if reply[0][_KIND_AT] == ERROR else (*self.session(request), *reply)

    def failure(self, call: int, error: BaseException) -> bytes:
        """An error frame."""
        from synapse._errors import code_of, encode_error, error_map

        return frame(ERROR, call, encode_error(error_map(error, code_of(error))))

    def raised(self, error: BaseException, request: Request) -> bytes:
        """The error frame of what a handler raised, or of arguments that do not fit it."""
        if type(error) is TypeError:
            from synapse._arguments import misfit
            from synapse._errors import strip

            # Of a call that did not even begin there is no frame.
            if strip(error.__traceback__) is None:
                function = request.handler.function
                error = misfit(function, request.args, request.kwargs, error) or error
        return self.failure(request.call, error)

    def cancelled(self, call: int) -> bytes:
        """The error frame of a call that was cancelled before it began."""
        return self.failure(call, Cancelled("the call was cancelled"))

    def withdrawn(self, call: int) -> bytes:
        """The error frame of a call that the host had withdrawn before it began."""
        from synapse._errors import WITHDRAWN, encode_error, plain_map

        return frame(ERROR, call, encode_error(plain_map(WITHDRAWN, "the call was withdrawn")))

    def item(self, call: int, value: Any) -> bytes:
        """An item of a stream.

        Raises:
            EncodeError: it cannot cross.

        """
        lending = self._worker.lending
        if lending.looks_first:
            return b"".join(self._pieces(ITEM, call, *lending.encode(value)))
        payload = encode(value)
        if len(payload) < LENT_BYTES:
            return frame(ITEM, call, payload)
        return b"".join(self._pieces(ITEM, call, *lending.encode_again(value, payload)))

    def end(self, call: int) -> bytes:
        """The end of a stream."""
        return frame(END, call)

    def session(self, request: Request) -> tuple[bytes, ...]:
        """The frame with what the call has changed in its session, if it has.

        Raises:
            EncodeError: it cannot cross.

        """
        changes = request.context.session_changes()
        return () if changes is None else (frame(SESSION, request.call, encode(changes)),)
