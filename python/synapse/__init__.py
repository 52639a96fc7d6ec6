"""Synapse: functions that Node.js calls.

    from synapse import handler

    @handler
    def add(a: int, b: int) -> int:
        return a + b

A decorated function stays a plain function. When the file has run to its end, the worker that
Synapse started for it serves what the file registered.
"""

from __future__ import annotations

from synapse._cancelled import Cancelled
from synapse._context import Context, context
from synapse._host import Host, HostModule, host
from synapse._host_errors import HandlerNotFound, HostError
from synapse._protocol.errors import EncodeError, ValidationError
from synapse._registry import Handler, registry
from synapse._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, overload

    from synapse._handlers import Handlers
    from synapse._host_call import HostCall
    from synapse._worker.functions import HostFunction
    from synapse._worker.inputs import HostStream

    Function = TypeVar("Function", bound=Callable[..., Any])
else:

    def overload(function):  # noqa: ANN001, ANN202
        """Stand in for `typing.overload`, which would have to be loaded."""
        return function


__all__ = [
    "Cancelled",
    "Context",
    "EncodeError",
    "HandlerNotFound",
    "Handlers",
    "Host",
    "HostCall",
    "HostError",
    "HostFunction",
    "HostStream",
    "ValidationError",
    "__version__",
    "callback",
    "context",
    "handler",
    "handlers",
    "host",
    "on_start",
    "on_stop",
    "unregister",
]


@overload
def handler(function: Function, /) -> Function: ...
@overload
def handler(  # noqa: PLR0913
    *,
    name: str | None = None,
    concurrency: int | None = None,
    timeout: float | None = None,
    idempotent: bool = False,
    default: bool = False,
    validate: bool | None = None,
    views: bool = False,
) -> Callable[[Function], Function]: ...
def handler(  # noqa: PLR0913
    function: Any = None,
    /,
    *,
    name: str | None = None,
    concurrency: int | None = None,
    timeout: float | None = None,
    idempotent: bool = False,
    default: bool = False,
    validate: bool | None = None,
    views: bool = False,
) -> Any:
    """Registers a function, coroutine function or (async) generator function for Node to call.

    Use it bare or with options. The function is returned unchanged.

    Args:
        function: what to register.
        name: what Node calls it; default the function's own name.
        concurrency: calls of this handler at once in one worker; default no limit of its own.
        timeout: seconds that a call may take, waiting included, which gives no timeout itself;
            default what Node says.
        idempotent: whether a call that may have run already may be sent again.
        default: whether `call(input)` reaches it.
        validate: whether arguments are checked against the type hints; default as the option
            `validate` of `spawn` says, which is yes.
        views: whether binary values arrive as read-only memoryviews instead of bytes, large ones
            without a copy. Annotating a parameter as `memoryview` does the same for that one.

    Raises:
        ValueError: the name is taken, there is another default, or an option makes no sense.
        TypeError: what is registered cannot be called.

    """
    if concurrency is not None and concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, got {concurrency!r}")
    if timeout is not None and timeout <= 0:
        raise ValueError(f"timeout must be more than 0 seconds, got {timeout!r}")

    def register(wanted: Any) -> Any:
        if not callable(wanted):
            raise TypeError(f"a handler must be callable, got {wanted!r}")
        title = name if name is not None else getattr(wanted, "__name__", None)
        if not isinstance(title, str) or not title:
            raise ValueError(f'{wanted!r} has no name: give one, as in handler(name="…")')
        registry.add(
            Handler(
                wanted,
                title,
                concurrency,
                timeout,
                idempotent=idempotent,
                default=default,
                validate=validate,
                views=views,
            )
        )
        return wanted

    return register if function is None else register(function)


def unregister(name: str) -> bool:
    """Takes a handler back; answers whether there was one of that name."""
    return registry.remove(name)


def handlers() -> list[str]:
    """The names of the registered handlers, in the order of their registration."""
    return list(registry.handlers)


def on_start(function: Function) -> Function:
    """Registers a function or coroutine function that runs once per worker, before it is ready."""
    registry.start_hooks.append(function)
    return function


def on_stop(function: Function) -> Function:
    """Registers a function or coroutine function that runs when the worker ends in good order."""
    registry.stop_hooks.append(function)
    return function


def callback(name: str, /, *args: Any, **kwargs: Any) -> HostCall:
    """Calls a handler registered in Node by its whole name: `callback("market.DataFetch", {…})`.

    The same as `host.call`, which says what it raises.
    """
    return host.call(name, *args, **kwargs)


def __getattr__(name: str) -> Any:
    """Modules of handlers in Node, as in `synapse.market.DataFetch({…})`; and what loads late."""
    if name == "HostCall":
        from synapse._host_call import HostCall

        return HostCall
    if name == "Handlers":
        from synapse._handlers import Handlers

        return Handlers
    if name == "HostFunction":
        from synapse._worker.functions import HostFunction

        return HostFunction
    if name == "HostStream":
        from synapse._worker.inputs import HostStream

        return HostStream
    if name == "testing":
        from importlib import import_module

        # `from synapse import testing` asks here before it imports.
        return import_module("synapse.testing")
    if name[:1].islower():
        return HostModule(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
