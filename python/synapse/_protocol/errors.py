"""What can be wrong with a value or with bytes."""

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

    def locate(self) -> "EncodeError":
        """Composes `path` and the message from what `within` was told."""
        segments = self._segments[::-1]
        if len(segments) > 2 * _SHOWN:
            segments = [*segments[:_SHOWN], "…", *segments[-_SHOWN:]]
        self.path = "$" + "".join(segments)
        self.args = (f"cannot encode {self.path}: {self.reason}",)
        return self


class ValueRefused(ValueError):
    """Well-formed bytes whose value has no counterpart in Python, such as a date in year 20000."""


class Malformed(ValueError):
    """Bytes that are no MessagePack value."""
