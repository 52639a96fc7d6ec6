"""Handlers registered in Node, called from Python: `host.getUser(1)`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Host:
    """Node, as Python sees it: every attribute is a handler that can be called by its name."""

    __slots__ = ("_caller",)

    def __init__(self) -> None:
        #: Starts a call of a handler in Node; None while no channel carries callbacks.
        self._caller: Callable[[str, tuple[Any, ...], dict[str, Any]], Any] | None = None

    def call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Calls the handler registered in Node as `name`.

        Raises:
            RuntimeError: Node has no such handler.

        """
        if self._caller is None:
            raise RuntimeError(f'the host has no handler named "{name}"')
        return self._caller(name, args, kwargs)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.call(name, *args, **kwargs)


#: The host of this worker.
host = Host()
