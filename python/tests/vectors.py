"""The notation of `__test__/vectors/values.json`."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy


def expand(pieces: Any) -> list[Any]:
    expanded = []
    for piece in pieces:
        if isinstance(piece, list) and len(piece) == 2 and isinstance(piece[1], int):
            expanded += [piece[0]] * piece[1]
        else:
            expanded.append(piece)
    return expanded


def text_of(pieces: Any) -> str:
    return pieces if isinstance(pieces, str) else "".join(expand(pieces))


def bytes_of(pieces: Any) -> bytes:
    return bytes.fromhex(text_of(pieces))


def value_of(notation: Any) -> Any:
    if isinstance(notation, list):
        return [value_of(item) for item in notation]
    if not isinstance(notation, dict):
        return notation
    if len(notation) == 1:
        ((tag, given),) = notation.items()
        if tag.startswith("$"):
            return _TAGS[tag](given)
    return {key: value_of(item) for key, item in notation.items()}


def _date(text: str) -> datetime:
    whole = int(Decimal(text) * 1_000_000 // 1)
    if Decimal(text) * 1_000_000 < whole:
        whole -= 1
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=whole)


def _array(given: dict[str, Any]) -> numpy.ndarray:
    flat = numpy.frombuffer(bytes_of(given["hex"]), "<" + given["dtype"])
    return flat.reshape(given["shape"], order=given["order"])


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def _key(value: Any) -> Any:
    return tuple(_key(item) for item in value) if isinstance(value, list) else value


_TAGS = {
    "$int": lambda given: int(text_of(given)),
    "$float": float,
    "$bytes": bytes_of,
    "$map": lambda given: {_key(value_of(key)): value_of(item) for key, item in given},
    "$set": lambda given: {_key(value_of(item)) for item in given},
    "$date": _date,
    "$ndarray": _array,
    "$nested": _nested,
    "$string": text_of,
    "$array": lambda given: [value_of(item) for item in expand(given)],
}


def same(left: Any, right: Any) -> bool:
    """Equality that tells 1 from 1.0 and True, and takes nan for itself."""
    while type(left) is list is type(right) and len(left) == len(right) == 1:
        # Nested deeper than the interpreter recurses.
        (left,), (right,) = left, right
    if type(left) is not type(right):
        return False
    if isinstance(left, numpy.ndarray):
        return (
            left.dtype == right.dtype
            and left.shape == right.shape
            and left.tobytes() == right.tobytes()
        )
    if isinstance(left, float):
        return left.hex() == right.hex()
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return (
            len(left) == len(right)
            and all(map(same, left, right))
            and all(map(same, left.values(), right.values()))
        )
    return left == right
