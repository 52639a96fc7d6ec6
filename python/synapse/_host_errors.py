"""What calls of the host raise."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class HostError(Exception):
    """A handler in Node threw, or could not be called.

    If it leaves the Python handler, its caller in Node gets a `PythonError` whose `cause` shows the
    original error.
    """

    # Users see it as `synapse.HostError`.
    __module__ = "synapse"

    def __init__(
        self,
        message: str,
        name: str = "Error",
        stack: str = "",
        data: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message if name in ("", "Error") else f"{name}: {message}")
        #: The error's `name` in JavaScript, such as `TypeError`.
        self.name = name
        self.message = message
        #: The error's `stack` in JavaScript.
        self.stack = stack
        #: The error's own properties, those that can cross.
        self.data: dict[str, Any] = {} if data is None else data


class HandlerNotFound(HostError):
    """Node has no such handler, or several that could be meant."""

    __module__ = "synapse"

    @property
    def available(self) -> list[str]:
        """The names that could be called instead."""
        return list(self.data.get("available", ()))


def make_error(described: Any) -> HostError:
    """The exception for an error map of the host."""
    fields: dict[str, Any] = described if type(described) is dict else {}
    kind = HandlerNotFound if fields.get("code") == "HANDLER_NOT_FOUND" else HostError
    data = fields.get("data")
    return kind(
        str(fields.get("message", "")),
        str(fields.get("type") or "Error"),
        str(fields.get("traceback", "")),
        data if type(data) is dict else None,
    )
