"""Handlers registered in Node, called from Python: `host.getUser(1)`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from synapse._host_call import HostCall

    Starter = Callable[[str, tuple[Any, ...], dict[str, Any]], HostCall]


class Host:
    """Node, as Python sees it: every attribute is a handler that can be called by its name."""

    __slots__ = ("_start",)

    def __init__(self) -> None:
        #: Starts a call of a handler in Node; None outside a worker.
        self._start: Starter | None = None

    def call(self, name: str, /, *args: Any, **kwargs: Any) -> HostCall:
        """Calls the handler registered in Node as `name`.

        The call is on its way when this returns. What it returns can be awaited, asked for its
        `result()`, or iterated over if the handler streams.

        Raises:
            RuntimeError: there is no host that could be called now; the message says why.
            EncodeError: an argument cannot cross.

        """
        if self._start is None:
            raise RuntimeError(
                f'host.call("{name}") found no host: this code does not run in a Synapse worker; '
                "in tests, call it inside `with synapse.testing.running(host={…}):`"
            )
        return self._start(name, args, kwargs)

    def connect(self, start: Starter | None) -> Starter | None:
        """Sets how calls are started, for the worker; returns how they were."""
        before, self._start = self._start, start
        return before

    def __getattr__(self, name: str) -> HostPath:
        if name.startswith("_"):
            raise AttributeError(name)
        return HostPath(self, name)


class HostPath:
    """A name of a handler or of a module of handlers, such as `host.market.DataFetch`."""

    __slots__ = ("_host", "_path")

    def __init__(self, host: Host, path: str) -> None:
        self._host = host
        self._path = path

    def __call__(self, *args: Any, **kwargs: Any) -> HostCall:
        """Calls the handler; see `Host.call`."""
        return self._host.call(self._path, *args, **kwargs)

    def __getattr__(self, name: str) -> HostPath:
        if name.startswith("_"):
            raise AttributeError(name)
        return HostPath(self._host, f"{self._path}.{name}")

    def __repr__(self) -> str:
        return f"<host.{self._path}>"


class HostModule:
    """A module of handlers, as `synapse.market` gives it: `synapse.market.DataFetch(…)`."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Nothing that can be called has this name: it is misspelt, or a handler of its own.

        Raises:
            AttributeError: always.

        """
        raise AttributeError(
            f"module 'synapse' has no function {self._name!r}; a handler of Node is called as "
            f"host.{self._name}(…), one of a module of handlers as synapse.{self._name}.Name(…)"
        )

    def __getattr__(self, name: str) -> HostPath:
        if name.startswith("_"):
            raise AttributeError(name)
        return HostPath(host, f"{self._name}.{name}")

    def __repr__(self) -> str:
        return f"<synapse.{self._name}>"


#: The host of this worker.
host = Host()
