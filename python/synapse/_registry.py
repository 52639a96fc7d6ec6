"""The handlers and hooks that the user's code registers."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: The kinds of handlers, as hello names them.
FUNCTION = "function"
COROUTINE = "coroutine"
GENERATOR = "generator"
ASYNC_GENERATOR = "async_generator"

#: How the names begin that are kept for what every worker answers by itself.
RESERVED = "synapse."

#: Bits of `co_flags`, which `inspect` would take milliseconds to tell.
_CO_GENERATOR = 0x20
_CO_COROUTINE = 0x80
_CO_ITERABLE_COROUTINE = 0x100
_CO_ASYNC_GENERATOR = 0x200


def kind_of(function: Any) -> str:
    """Which kind of handler a callable is; of wrappers the outermost decides."""
    seen = 0
    while not hasattr(function, "__code__") and seen < 16:
        # functools.partial, bound methods, instances with `__call__`.
        inner = getattr(function, "func", None) or getattr(function, "__func__", None)
        if inner is None and not isinstance(function, type):
            inner = getattr(type(function), "__call__", None)  # noqa: B004
        if inner is None or inner is function:
            break
        function, seen = inner, seen + 1
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    if flags & _CO_ASYNC_GENERATOR:
        return ASYNC_GENERATOR
    if flags & (_CO_COROUTINE | _CO_ITERABLE_COROUTINE):
        return COROUTINE
    if flags & _CO_GENERATOR:
        return GENERATOR
    return FUNCTION


def place_of(function: Any) -> str:
    """Where a callable is defined, for messages."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    if code is None:
        return f"{getattr(function, '__module__', None) or type(function).__name__}"
    return f"{code.co_filename}:{code.co_firstlineno}"


class Handler:
    """One function that Node can call, and its options."""

    __slots__ = (
        "concurrency",
        "default",
        "function",
        "idempotent",
        "kind",
        "name",
        "timeout",
        "validate",
        "views",
    )

    def __init__(  # noqa: PLR0913
        self,
        function: Callable[..., Any],
        name: str,
        concurrency: int | None = None,
        timeout: float | None = None,
        *,
        idempotent: bool = False,
        default: bool = False,
        validate: bool | None = None,
        views: bool = False,
    ) -> None:
        self.function = function
        self.name = name
        self.kind = kind_of(function)
        #: Calls of this handler at once, or None for no limit of its own.
        self.concurrency = concurrency
        #: Seconds, or None.
        self.timeout = timeout
        self.idempotent = idempotent
        self.default = default
        #: Whether arguments are checked against the hints; None as the host wants it.
        self.validate = validate
        #: Whether all binary values in its arguments are memoryviews.
        self.views = views


class Registry:
    """Handlers by name, in the order of their registration, and the hooks."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.start_hooks: list[Callable[[], Any]] = []
        self.stop_hooks: list[Callable[[], Any]] = []
        #: Told the name of each handler that is unregistered.
        self.on_unregister: list[Callable[[str], None]] = []

    def add(self, handler: Handler) -> None:
        """Registers a handler.

        Raises:
            ValueError: the name is taken or reserved, or there is another default.

        """
        if handler.name.startswith(RESERVED):
            raise ValueError(
                f'the handler "{handler.name}" at {place_of(handler.function)} needs another name: '
                f'those that begin with "{RESERVED}" are kept for what every worker answers'
            )
        known = self.handlers.get(handler.name)
        if known is not None:
            places = place_of(known.function), place_of(handler.function)
            # The same line again is the same module, run as `__main__` and imported by its name.
            if known.function is not handler.function and places[0] != places[1]:
                raise ValueError(
                    f'the handler "{handler.name}" is registered twice: '
                    f"at {places[0]} and at {places[1]}"
                )
        if handler.default:
            for other in self.handlers.values():
                if other.default and other.name != handler.name:
                    raise ValueError(
                        f'there are two default handlers: "{other.name}" at '
                        f'{place_of(other.function)} and "{handler.name}" at '
                        f"{place_of(handler.function)}"
                    )
        self.handlers[handler.name] = handler

    def remove(self, name: str) -> bool:
        """Forgets a handler; answers whether there was one."""
        if self.handlers.pop(name, None) is None:
            return False
        for listener in self.on_unregister:
            listener(name)
        return True

    def default(self) -> Handler | None:
        """The handler that a call without a name reaches.

        It is the one marked `default=True`, else the only one, else the one named `main`.
        """
        for handler in self.handlers.values():
            if handler.default:
                return handler
        if len(self.handlers) == 1:
            return next(iter(self.handlers.values()))
        return self.handlers.get("main")


#: The registry of this process.
registry = Registry()
