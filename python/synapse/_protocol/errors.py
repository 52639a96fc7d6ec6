"""What can be wrong with a value or with bytes."""

from __future__ import annotations

#: Path segments that a message shows at each end; the middle of a longer path is left out.
_SHOWN = 6


class EncodeError(ValueError):
    """A value that cannot cross to Node.

    `path` says where it is, such as `$.items[3].when`; `reason` says what is wrong with it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = "$"
        self._segments: list[str] = []

    def within(self, segment: str) -> None:
        """Notes that the value lies below `segment` (`.name` or `[3]`) of what surrounds it."""
        self._segments.append(segment)

    def locate(self) -> EncodeError:
        """Composes `path` and the message from what `within` was told."""
        segments = self._segments[::-1]
        if len(segments) > 2 * _SHOWN:
            segments = [*segments[:_SHOWN], "…", *segments[-_SHOWN:]]
        self.path = "$" + "".join(segments)
        self.args = (f"cannot encode {self.path}: {self.reason}",)
        return self


class FrameTooLarge(EncodeError):
    """A value that is larger than a message may be."""


class ValidationError(ValueError):
    """Arguments that do not fit the handler.

    `path` says which, such as `$.items[3].when`; `reason` says what is wrong with it. A handler may
    raise it as well: `raise ValidationError("must not be empty", "$.name")`.
    """

    # Users see it as `synapse.ValidationError`.
    __module__ = "synapse"

    def __init__(self, reason: str, path: str = "$") -> None:
        super().__init__(reason if path == "$" else f"{path}: {reason}")
        self.reason = reason
        self.path = path
        self._segments: list[str] = []

    def within(self, segment: str) -> None:
        """Notes that the value lies below `segment` (`.name` or `[3]`) of what surrounds it."""
        self._segments.append(segment)

    def locate(self, message: str | None = None) -> ValidationError:
        """Composes `path` from what `within` was told, and the message unless there is one."""
        self.path = "$" + "".join(self._segments[::-1])
        self.args = (f"{self.path}: {self.reason}" if message is None else message,)
        return self


class ValueRefused(ValueError):
    """Well-formed bytes whose value has no counterpart in Python, such as a date in year 20000."""


class Malformed(ValueError):
    """Bytes that are no MessagePack value."""
