"""Values that MessagePack has no type for: the rows of the table in `docs/protocol.md`.

Outwards, `reduce` turns such a value into one that the codecs know, or into an `Extension`.
Inwards, `revive` makes the Python value of an extension. Nothing here imports the libraries whose
values it knows (numpy, pydantic, datetime, …) before there is such a value.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock

from synapse._protocol.errors import EncodeError, ValueRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Pack = Callable[[Any], bytes]
    Unpack = Callable[[Any], Any]
    Reducer = Callable[[Any, Pack], Any]
    Content = bytes | memoryview

#: Numbers of the extension types.
TIMESTAMP = -1
SET = 1
BIG_INTEGER = 2
ARRAY = 3
ARROW = 4
FUNCTION = 5
INPUT = 6
SHARED_BYTES = 8
SHARED_ARRAY = 9

#: `array.array` typecodes by numpy's names, and what numpy calls theirs.
_TYPECODES = {
    "i1": "b",
    "u1": "B",
    "i2": "h",
    "u2": "H",
    "i4": "i",
    "u4": "I",
    "i8": "q",
    "u8": "Q",
    "f4": "f",
    "f8": "d",
}
#: Kinds of elements by the formats of memoryviews.
_FORMAT_KINDS = {"i": "bhilqn", "u": "BHILQN", "f": "fd", "b": "?"}
#: Kinds of numpy's element types that cross: boolean, integers, floats, complex.
_NUMPY_KINDS = "biufc"


class Extension:
    """An extension type's number and its payload."""

    __slots__ = ("code", "data")

    def __init__(self, code: int, data: bytes) -> None:
        self.code = code
        self.data = data


# ---------------------------------------------------------------------------------------- outwards


def reduce(value: Any, pack: Pack) -> Any:
    """Turns a value that MessagePack lacks into one it has, or into an `Extension`.

    Args:
        value: what the codec does not know.
        pack: encodes a value that becomes part of an extension's payload.

    Raises:
        EncodeError: the value cannot cross.

    """
    kind = type(value)
    reducer = _reducers.get(kind)
    if reducer is None:
        reducer = _find_reducer(kind)
        _reducers[kind] = reducer
    return reducer(value, pack)


def describe(kind: type) -> str:
    """A type's name as the error messages show it."""
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _reduce_set(value: Any, pack: Pack) -> Extension:
    return Extension(SET, pack(list(value)))


def _reduce_integer(value: int, _pack: Pack) -> Any:
    if -(1 << 63) <= value < 1 << 64:
        return int(value)
    try:
        digits = int.__repr__(value)
    except ValueError as error:
        raise EncodeError(str(error)) from None
    return Extension(BIG_INTEGER, digits.encode())


def _reduce_dataclass(kind: type) -> Reducer:
    fields: dict[str, Any] = kind.__dataclass_fields__  # type: ignore[attr-defined]
    # A pseudo-field (ClassVar, InitVar) is told apart by the private mark that dataclasses gives.
    names = [
        name
        for name, field in fields.items()
        if str(field._field_type) == "_FIELD"  # noqa: SLF001
    ]
    return lambda value, _pack: {name: getattr(value, name) for name in names}


def _reduce_datetime(value: Any, _pack: Pack) -> Extension:
    offset = value.utcoffset()
    if offset is None:
        message = "a naive datetime has no time zone; give it one, such as datetime.timezone.utc"
        raise EncodeError(message)
    # Arithmetic on the naive parts is exact and cannot leave the range of datetime.
    day = value.toordinal() - 719163
    seconds = day * 86400 + value.hour * 3600 + value.minute * 60 + value.second
    seconds -= offset.days * 86400 + offset.seconds
    nanoseconds = (value.microsecond - offset.microseconds) * 1000
    if nanoseconds < 0:
        seconds, nanoseconds = seconds - 1, nanoseconds + 1_000_000_000
    if not nanoseconds and 0 <= seconds < 1 << 32:
        return Extension(TIMESTAMP, seconds.to_bytes(4, "big"))
    if 0 <= seconds < 1 << 34:
        return Extension(TIMESTAMP, (nanoseconds << 34 | seconds).to_bytes(8, "big"))
    return Extension(
        TIMESTAMP, nanoseconds.to_bytes(4, "big") + seconds.to_bytes(8, "big", signed=True)
    )


def _reduce_array(value: Any, pack: Pack) -> Extension:
    dtype = next((name for name, code in _TYPECODES.items() if code == value.typecode), None)
    if dtype is None:
        size = f"{value.itemsize}"
        dtype = {"l": "i", "L": "u"}.get(value.typecode, "") + size
        if len(dtype) == 1:
            raise EncodeError(f'an array.array of typecode "{value.typecode}" has no counterpart')
    if sys.byteorder == "big":
        value = value[:]
        value.byteswap()
    return Extension(ARRAY, pack([dtype, [len(value)], "C", value.tobytes()]))


def is_typed_view(view: memoryview) -> bool:
    """Whether a memoryview is, or was made of, an array from Node, and not of its bare bytes.

    Such a view goes back as an array; all others are bytes.
    """
    return type(view.obj) is _elements and not (view.format == "B" and view.ndim == 1)


def has_typed_views() -> bool:
    """Whether there may be such views: an array has come for which numpy is missing."""
    return _elements is not None


def reduce_view(view: memoryview, pack: Pack) -> Extension:
    """A memoryview of the elements of an array."""
    kind = next(kind for kind, formats in _FORMAT_KINDS.items() if view.format in formats)
    content = view.tobytes()
    if sys.byteorder == "big" and view.itemsize > 1:
        content = _swap(f"{kind}{view.itemsize}", content)
    return Extension(ARRAY, pack([f"{kind}{view.itemsize}", list(view.shape or ()), "C", content]))


def _swap(dtype: str, content: bytes) -> bytes:
    from array import array

    values = array(_TYPECODES[dtype], content)
    values.byteswap()
    return values.tobytes()


def array_layout(value: Any) -> tuple[str, str]:
    """The dtype of a numpy array as the wire names it, and the order in which it is sent.

    Raises:
        EncodeError: it cannot cross.

    """
    dtype, flags = value.dtype, value.flags
    if dtype.kind not in _NUMPY_KINDS or dtype.itemsize > 16 or dtype.str[1:] == "f16":
        raise EncodeError(f"a numpy array of dtype {dtype} has no counterpart in Node")
    return dtype.str[1:], "F" if flags.f_contiguous and not flags.c_contiguous else "C"


def _reduce_ndarray(value: Any, pack: Pack) -> Extension:
    dtype, order = array_layout(value)
    if value.dtype.str[0] == ">":
        value = value.astype("<" + dtype)
    data = value.data if value.flags.c_contiguous and value.size else value.tobytes(order)
    return Extension(ARRAY, pack([dtype, list(value.shape), order, data]))


def _refuse_lazy(_value: Any, _pack: Pack) -> Any:
    raise EncodeError("a polars.LazyFrame is a plan, no value: collect() it first")


def _reduce_model(value: Any, _pack: Pack) -> Any:
    return value.model_dump()


def _class(module: str, name: str) -> Any:
    """A class of a module, if that module is loaded: otherwise there is no instance of it."""
    return getattr(sys.modules.get(module), name, None)


def _is_a(kind: type, module: str, *names: str) -> bool:
    return any(
        isinstance(known := _class(module, name), type) and issubclass(kind, known)
        for name in names
    )


def _find_reducer(kind: type) -> Reducer:
    """The rule for a type; the order decides for types that answer to several."""
    found = _find_library_reducer(kind) or _find_builtin_reducer(kind)
    if found is not None:
        return found
    if kind.__name__ in ("coroutine", "generator", "async_generator"):
        reason = f"a {kind.__name__.replace('_', ' ')} is no value"
    else:
        reason = f"type {describe(kind)} has no counterpart in Node"

    def refuse(_value: Any, _pack: Pack) -> Any:
        raise EncodeError(reason)

    return refuse


def _find_library_reducer(kind: type) -> Reducer | None:
    if _is_a(kind, "enum", "Enum"):
        return lambda value, _pack: value.value
    if _is_a(kind, "datetime", "datetime"):
        return _reduce_datetime
    if _is_a(kind, "datetime", "date", "time"):
        return lambda value, _pack: value.isoformat()
    if _is_a(kind, "decimal", "Decimal") or _is_a(kind, "uuid", "UUID"):
        return lambda value, _pack: str(value)
    if _is_a(kind, "numpy", "ndarray"):
        return _reduce_ndarray
    if _is_a(kind, "numpy", "generic") and not issubclass(kind, (str, bytes)):
        return _reduce_numpy_scalar
    if _is_a(kind, "array", "array"):
        return _reduce_array
    return _find_arrow_reducer(kind)


def _find_arrow_reducer(kind: type) -> Reducer | None:
    if _is_a(kind, "pyarrow", "Table", "RecordBatch", "Array", "ChunkedArray"):
        return _arrow().reduce_pyarrow  # type: ignore[no-any-return]
    if _is_a(kind, "pandas", "DataFrame", "Series"):
        return _arrow().reduce_pandas  # type: ignore[no-any-return]
    if _is_a(kind, "polars", "LazyFrame"):
        return _refuse_lazy
    if _is_a(kind, "polars", "DataFrame", "Series"):
        return _arrow().reduce_polars  # type: ignore[no-any-return]
    return None


def _reduce_numpy_scalar(value: Any, _pack: Pack) -> Any:
    plain = value.item()
    # Times would become naive datetimes or bare integers; a long double stays what it is.
    if value.dtype.kind in "mM" or type(plain) is type(value):
        raise EncodeError(f"type {describe(type(value))} has no counterpart in Node")
    return plain


def _find_builtin_reducer(kind: type) -> Reducer | None:
    for base in (bool, float, bytes, str):
        if issubclass(kind, base):
            convert: Any = base
            return lambda value, _pack: convert(value) if convert is not str else str.__str__(value)
    if issubclass(kind, int):
        return _reduce_integer
    if issubclass(kind, (set, frozenset)):
        return _reduce_set
    if issubclass(kind, (tuple, list)):
        return lambda value, _pack: list(value)
    if issubclass(kind, dict):
        return lambda value, _pack: dict(value)
    if issubclass(kind, (bytearray, memoryview)):
        return lambda value, _pack: bytes(value)
    if hasattr(kind, "__dataclass_fields__"):
        return _reduce_dataclass(kind)
    if callable(getattr(kind, "model_dump", None)):
        return _reduce_model
    if hasattr(kind, "__fspath__"):
        return lambda value, _pack: value.__fspath__()
    return None


def _no_arrow() -> Any:
    raise EncodeError("nobody knows how tables cross")


_arrow: Callable[[], Any] = _no_arrow


def provide_arrow(load: Callable[[], Any]) -> None:
    """Sets what answers the module that knows tables; it is called for the first of them."""
    global _arrow  # noqa: PLW0603
    _arrow = load


_reducers: dict[type, Reducer] = {}


def register(kind: type, reducer: Reducer) -> None:
    """Sets the rule for a type that only others know."""
    _reducers[kind] = reducer


# ----------------------------------------------------------------------------------------- inwards


def revive(code: int, data: bytes, unpack: Unpack) -> Any:
    """The Python value of an extension.

    Args:
        code: the extension type's number.
        data: its payload.
        unpack: decodes a value that is part of the payload.

    Raises:
        ValueRefused: Python has no such value.

    """
    reviver = _revivers.get(code)
    if reviver is None:
        raise ValueRefused(f"extension type {code} is not in the table of values")
    return reviver(data, unpack)


def freeze(value: Any) -> Any:
    """A hashable stand-in for a decoded value that becomes an item of a set or a key.

    Raises:
        ValueRefused: there is none.

    """
    kind = type(value)
    if kind is list:
        return tuple(freeze(item) for item in value)
    if kind is set:
        return frozenset(value)
    try:
        hash(value)
    except TypeError:
        message = f"a {describe(kind)} can be neither an item of a set nor a key of a dict"
        raise ValueRefused(message) from None
    return value


def _revive_set(data: bytes, unpack: Unpack) -> set[Any]:
    items = unpack(data)
    if type(items) is not list:
        raise ValueRefused("the payload of a set is no array")
    try:
        return set(items)
    except TypeError:
        return {freeze(item) for item in items}


def _revive_integer(data: bytes, _unpack: Unpack) -> int:
    text = bytes(data)
    digits = text[1:] if text[:1] == b"-" else text
    # `isdigit` of bytes knows ASCII only; `int` alone would take spaces and underscores.
    if not digits.isdigit():
        raise ValueRefused("the payload of a big integer is no decimal number")
    try:
        return int(text)
    except ValueError as error:
        raise ValueRefused(str(error)) from None


def _revive_timestamp(data: bytes, _unpack: Unpack) -> Any:
    from datetime import datetime, timedelta, timezone

    size = len(data)
    if size == 4:
        seconds, nanoseconds = int.from_bytes(data, "big"), 0
    elif size == 8:
        both = int.from_bytes(data, "big")
        seconds, nanoseconds = both & ((1 << 34) - 1), both >> 34
    elif size == 12:
        nanoseconds = int.from_bytes(data[:4], "big")
        seconds = int.from_bytes(data[4:], "big", signed=True)
    else:
        raise ValueRefused(f"a timestamp of {size} bytes")
    if nanoseconds >= 1_000_000_000:
        raise ValueRefused(f"a timestamp with {nanoseconds} nanoseconds in its second")
    try:
        since = timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
        return datetime(1970, 1, 1, tzinfo=timezone.utc) + since
    except OverflowError:
        raise ValueRefused(
            f"{seconds} s since 1970 is outside the years 1 to 9999 of datetime"
        ) from None


def _revive_array(data: bytes, unpack: Unpack) -> Any:
    return shaped_array(*array_parts(unpack(data), 4), borrowed=False)


def array_parts(parts: Any, count: int) -> list[Any]:
    """Checks the parts of an array but for its bytes: dtype, shape, order, and what follows.

    Raises:
        ValueRefused: they are no array's.

    """
    if (
        not isinstance(parts, list)
        or len(parts) != count
        or not isinstance(parts[0], str)
        or not isinstance(parts[1], list)
        or parts[2] not in ("C", "F")
        or not all(type(extent) is int and extent >= 0 for extent in parts[1])
        or parts[0][:1] not in _NUMPY_KINDS
    ):
        raise ValueRefused("the payload of an array is not [dtype, shape, order, bytes]")
    return parts


def shaped_array(
    dtype: str, shape: list[int], order: Any, content: Content, *, borrowed: bool
) -> Any:
    """The array of these bytes.

    Args:
        dtype: the type of its elements.
        shape: its extents.
        order: `C` or `F`.
        content: the bytes.
        borrowed: whether the array may be a view of them, to which it can be written.

    Raises:
        ValueRefused: Python has no such value.

    """
    if not isinstance(content, (bytes, memoryview)):
        raise ValueRefused("the payload of an array is not [dtype, shape, order, bytes]")
    count = 1
    for extent in shape:
        count *= extent
    if not dtype[1:].isdigit() or count * int(dtype[1:]) != len(content):
        raise ValueRefused(f"an array of {dtype} and shape {shape} does not fill its bytes")
    try:
        import numpy
    except ImportError:
        return _revive_without_numpy(dtype, shape, order, content)
    try:
        flat = numpy.frombuffer(content, numpy.dtype("<" + dtype))
    except TypeError:
        raise ValueRefused(f"dtype {dtype} is unknown to numpy") from None
    # A copy, for what numpy makes of bytes cannot be written to.
    return (flat if borrowed else flat.copy()).reshape(shape, order=order)


def _revive_without_numpy(dtype: str, shape: list[int], order: str, content: Content) -> Any:
    if order == "F" and len(shape) > 1:
        raise ValueRefused("an array in Fortran order needs numpy, which is not installed")
    if dtype != "b1" and dtype not in _TYPECODES:
        raise ValueRefused(f"an array of {dtype} needs numpy, which is not installed")
    from array import array

    is_flat = len(shape) == 1 and dtype != "b1"
    values: Any = (array if is_flat else _elements_class())(_TYPECODES.get(dtype, "B"))
    values.frombytes(content)
    if sys.byteorder == "big":
        values.byteswap()
    if is_flat:
        return values
    try:
        return memoryview(values).cast("B").cast("?" if dtype == "b1" else values.typecode, shape)
    except (TypeError, ValueError):
        # Views know neither extents of 0 nor more than 64 dimensions.
        raise ValueRefused(
            f"an array of shape {shape} needs numpy, which is not installed"
        ) from None


#: The class of the elements behind typed views, once there is one.
_elements: Any = None
#: Held while it is made: there must not be two.
_making = allocate_lock()


def _elements_class() -> Any:
    global _elements  # noqa: PLW0603
    from array import array

    with _making:
        if _elements is None:
            # A class of its own tells views of it from all others.
            _elements = type("Elements", (array,), {"__slots__": ()})
    return _elements


def _revive_arrow(data: bytes, unpack: Unpack) -> Any:
    return _arrow().revive_arrow(data, unpack)


_revivers: dict[int, Callable[[bytes, Unpack], Any]] = {
    TIMESTAMP: _revive_timestamp,
    SET: _revive_set,
    BIG_INTEGER: _revive_integer,
    ARRAY: _revive_array,
    ARROW: _revive_arrow,
}


def register_extension(code: int, reviver: Callable[[bytes, Unpack], Any]) -> None:
    """Sets what becomes of an extension type that only others know."""
    _revivers[code] = reviver
