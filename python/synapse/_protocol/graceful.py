"""What crosses in place of values that cannot, where the option `values` is `graceful`.

A value that was refused is copied: what can cross stays as it is, an object that offers a plain
form of itself is replaced by that, and what is left by a mark that names its type. So one bad field
does not cost the rest. Imported when the first value is refused.
"""

from __future__ import annotations

from synapse._protocol import fallback
from synapse._protocol.errors import EncodeError
from synapse._protocol.values import Extension, describe, reduce

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The key that tells a mark from data.
MARK = "__unserializable__"

#: Methods that give a plain form of an object, in the order in which they are asked.
_PLAIN_FORMS = ("model_dump", "to_dict", "_asdict", "tolist", "isoformat")
#: Elements of an array that is made a list.
_LARGEST_LIST = 1_000_000


def pack_gracefully(value: Any) -> bytes:
    """Encodes what can be encoded of a value, and marks in place of the rest.

    Raises:
        EncodeError: it is larger than MessagePack holds.

    """
    with fallback.DeepStack():
        return fallback.pack(_Copy().of(value, fallback.depth()))


class _Copy:
    """Copies one value."""

    def __init__(self) -> None:
        #: The containers around the value that is copied, by identity.
        self._around: set[int] = set()

    def of(self, value: Any, room: int) -> Any:
        kind = type(value)
        if value is None or kind in (bool, float, bytes, bytearray, memoryview, Extension):
            return value
        if kind is str or kind is int:
            return _leaf(value)
        if id(value) in self._around:
            return _mark(value, "it contains itself")
        if room <= 1:
            return _last_level(value, room)
        self._around.add(id(value))
        try:
            if kind is dict:
                return self._map(value, room - 1)
            if kind is list or kind is tuple:
                return [self.of(item, room - 1) for item in value]
            return self._object(value, room)
        finally:
            self._around.discard(id(value))

    def _map(self, value: dict[Any, Any], room: int) -> dict[Any, Any]:
        copy: dict[Any, Any] = {}
        for key, item in tuple(value.items()):
            name = _key(key)
            count = 1
            while name in copy:
                count += 1
                name = f"{_key(key)} {count}"
            copy[name] = self.of(item, room)
        return copy

    def _object(self, value: Any, room: int) -> Any:
        try:
            plain = reduce(value, lambda part: fallback.pack(self.of(part, room - 1)))
        except Exception as error:
            reason = error.reason if isinstance(error, EncodeError) else str(error)
            return self._plain_form(value, reason, room)
        # A subclass of a container is that container: no level of its own.
        return self.of(plain, room if isinstance(value, (dict, list, tuple)) else room - 1)

    def _plain_form(self, value: Any, reason: str, room: int) -> Any:
        kind = type(value)
        for name in _PLAIN_FORMS:
            # Of the class: an instance that answers to every name has no plain form.
            method = getattr(kind, name, None)
            if not callable(method):
                continue
            try:
                if name == "tolist" and value.size > _LARGEST_LIST:
                    continue
                plain = method(value)
            except Exception:  # noqa: S112
                continue
            if type(plain) is not kind:
                return self.of(plain, room - 1)
        return _mark(value, reason)


def _last_level(value: Any, room: int) -> Any:
    """A container that has no room for a mark of what it holds."""
    try:
        fallback.pack_within(value, room)
    except Exception:
        return _mark(value, f"it is nested deeper than {fallback.depth()} levels")
    return value


def _leaf(value: Any) -> Any:
    try:
        fallback.pack(value)
    except EncodeError as error:
        return _mark(value, error.reason)
    return value


def _key(key: Any) -> Any:
    try:
        fallback.pack({key: None})
    except Exception:
        if isinstance(key, str):
            return key.encode("utf-8", "backslashreplace").decode()
        return f"<{describe(type(key))}>"
    return key


def _mark(value: Any, reason: str) -> dict[str, Any]:
    reason = reason.encode("utf-8", "backslashreplace").decode()
    return {MARK: True, "type": describe(type(value)), "reason": reason}
