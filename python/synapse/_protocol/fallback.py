"""A MessagePack codec in plain Python, complete for the table of values.

It serves the first small messages of every worker, because loading the codec in C costs more than
they do; it serves all of them where that codec is not installed; and it has the last word on what
the other refuses, because it knows where in a value the trouble is.

`pack` and `unpack` take the arguments that the codec in C takes, so that one loop serves both.
"""

from __future__ import annotations

import struct
import sys
from _thread import RLock
from struct import Struct

from synapse._protocol.errors import EncodeError, Malformed, ValueRefused
from synapse._protocol.values import (
    Extension,
    freeze,
    is_typed_view,
    provide_arrow,
    reduce,
    reduce_view,
    revive,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Data = bytes | memoryview

#: Nesting that is encoded and decoded, unless `limit_depth` said otherwise.
DEFAULT_DEPTH = 512

_limits = [DEFAULT_DEPTH]

#: Held while the interpreter's limit of frames is moved.
_adding = RLock()


def limit_depth(depth: int) -> None:
    """Sets the nesting beyond which values are refused (default 512)."""
    _limits[0] = depth


def depth() -> int:
    """The nesting beyond which values are refused."""
    return _limits[0]


# ----------------------------------------------------------------------------------------- encoding

_pack_double = Struct(">Bd").pack
_pack_8 = Struct(">BB").pack
_pack_16 = Struct(">BH").pack
_pack_32 = Struct(">BI").pack
_pack_64 = Struct(">BQ").pack
_pack_signed_8 = Struct(">Bb").pack
_pack_signed_16 = Struct(">Bh").pack
_pack_signed_32 = Struct(">Bi").pack
_pack_signed_64 = Struct(">Bq").pack

_BYTE = [bytes((value,)) for value in range(256)]
_FIXED_EXTENSIONS = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}


def pack(value: Any, _default: object = None, _option: object = None) -> bytes:
    """Encodes a value.

    Raises:
        EncodeError: it cannot cross; the error knows the path.

    """
    pieces: list[bytes] = []
    try:
        try:
            _write(value, pieces.append, _limits[0])
        except RecursionError:
            pieces.clear()
            with DeepStack():
                _write(value, pieces.append, _limits[0])
    except EncodeError as error:
        raise error.locate() from error.__cause__
    return b"".join(pieces)


class DeepStack:
    """For its duration the interpreter allows as many frames as the limit of depth may need."""

    def __enter__(self) -> None:
        self._more = 5 * _limits[0]
        _add_frames(self._more)

    def __exit__(self, *_exception: object) -> None:
        _add_frames(-self._more)


def _add_frames(count: int) -> None:
    """Moves the limit, which all threads share: what one adds, another must not take away."""
    with _adding:
        sys.setrecursionlimit(sys.getrecursionlimit() + count)


def _header(size: int, fixed: int, below: int, codes: tuple[int, int, int]) -> bytes:
    """The header of a string, binary, array or map; `codes` are those for 8, 16 and 32 bits."""
    if size < below:
        return _BYTE[fixed | size]
    if size < 0x100 and codes[0]:
        return _pack_8(codes[0], size)
    if size < 0x10000:
        return _pack_16(codes[1], size)
    if size < 0x100000000:
        return _pack_32(codes[2], size)
    raise EncodeError(f"{size} items or bytes are more than MessagePack holds")


def _write(value: Any, write: Callable[[bytes], None], room: int) -> None:
    kind = type(value)
    if kind is str:
        _write_string(value, write)
    elif kind is int:
        _write_integer(value, write)
    elif kind is dict:
        _write_map(value, write, room)
    elif kind is list or kind is tuple:
        _write_array(value, write, room)
    elif value is None:
        write(b"\xc0")
    elif value is True:
        write(b"\xc3")
    elif value is False:
        write(b"\xc2")
    elif kind is float:
        write(_pack_double(0xCB, value))
    elif kind is memoryview and is_typed_view(value):
        _write_extension(reduce_view(value, pack), write)
    elif kind is bytes or kind is bytearray or kind is memoryview:
        size = value.nbytes if kind is memoryview else len(value)
        write(_header(size, 0, 0, (0xC4, 0xC5, 0xC6)))
        write(value if kind is bytes else bytes(value))
    elif kind is Extension:
        _write_extension(value, write)
    else:
        _write_reduced(value, write, room)


def _write_string(value: str, write: Callable[[bytes], None]) -> None:
    try:
        data = value.encode()
    except UnicodeEncodeError as error:
        reason = f"a string with the lone surrogate {value[error.start]!a} is no Unicode text"
        raise EncodeError(reason) from None
    size = len(data)
    if size < 32:
        write(_BYTE[0xA0 | size] + data)
    else:
        write(_header(size, 0, 0, (0xD9, 0xDA, 0xDB)))
        write(data)


def _write_integer(value: int, write: Callable[[bytes], None]) -> None:  # noqa: PLR0912
    if 0 <= value < 0x80:
        write(_BYTE[value])
    elif value >= 0:
        if value < 0x100:
            write(_pack_8(0xCC, value))
        elif value < 0x10000:
            write(_pack_16(0xCD, value))
        elif value < 0x100000000:
            write(_pack_32(0xCE, value))
        elif value < 0x10000000000000000:
            write(_pack_64(0xCF, value))
        else:
            _write_extension(reduce(value, pack), write)
    elif value >= -0x20:
        write(_BYTE[value & 0xFF])
    elif value >= -0x80:
        write(_pack_signed_8(0xD0, value))
    elif value >= -0x8000:
        write(_pack_signed_16(0xD1, value))
    elif value >= -0x80000000:
        write(_pack_signed_32(0xD2, value))
    elif value >= -0x8000000000000000:
        write(_pack_signed_64(0xD3, value))
    else:
        _write_extension(reduce(value, pack), write)


def _write_extension(value: Extension, write: Callable[[bytes], None]) -> None:
    size = len(value.data)
    fixed = _FIXED_EXTENSIONS.get(size)
    head = _BYTE[fixed] if fixed else _header(size, 0, 0, (0xC7, 0xC8, 0xC9))
    write(head + _BYTE[value.code & 0xFF])
    write(value.data)


def _write_array(value: Any, write: Callable[[bytes], None], room: int) -> None:
    if room <= 0:
        raise _too_deep()
    write(_header(len(value), 0x90, 16, (0, 0xDC, 0xDD)))
    index = 0
    try:
        for item in value:
            _write(item, write, room - 1)
            index += 1
    except EncodeError as error:
        error.within(f"[{index}]")
        raise


def _write_map(value: dict[Any, Any], write: Callable[[bytes], None], room: int) -> None:
    if room <= 0:
        raise _too_deep()
    write(_header(len(value), 0x80, 16, (0, 0xDE, 0xDF)))
    key: Any = None
    try:
        for key, item in value.items():
            if type(key) is str:
                _write_string(key, write)
            else:
                _write_key(key, write, room - 1)
            _write(item, write, room - 1)
    except EncodeError as error:
        error.within(_segment(key))
        raise


def _write_key(key: Any, write: Callable[[bytes], None], room: int) -> None:
    """Dates are keys as text, because in Node no two `Date` are the same key."""
    isoformat = getattr(key, "isoformat", None)
    _write(isoformat() if isoformat is not None else key, write, room)


def _write_reduced(value: Any, write: Callable[[bytes], None], room: int) -> None:
    if room <= 0:
        raise _too_deep()
    try:
        plain = reduce(value, lambda part: pack_within(part, room - 1))
    except EncodeError:
        raise
    except RecursionError:
        raise
    except Exception as error:
        reason = f"{type(value).__qualname__} could not be converted: {error}"
        raise EncodeError(reason) from error
    _write(plain, write, room - (type(plain) is type(value)))


def pack_within(value: Any, room: int) -> bytes:
    """Encodes a value that may be nested `room` levels deep."""
    pieces: list[bytes] = []
    _write(value, pieces.append, room)
    return b"".join(pieces)


def _too_deep() -> EncodeError:
    return EncodeError(f"it is nested deeper than {_limits[0]} levels, or contains itself")


def _segment(key: Any) -> str:
    if type(key) is str and key.isidentifier():
        return f".{key}"
    if type(key) is str:
        import json

        return f"[{json.dumps(key)}]"
    return f"[{key!r:.80}]"


# ----------------------------------------------------------------------------------------- decoding

_read_double = Struct(">d").unpack_from
_read_single = Struct(">f").unpack_from
_read_8 = Struct(">B").unpack_from
_read_16 = Struct(">H").unpack_from
_read_32 = Struct(">I").unpack_from
_read_64 = Struct(">Q").unpack_from
_read_signed_8 = Struct(">b").unpack_from
_read_signed_16 = Struct(">h").unpack_from
_read_signed_32 = Struct(">i").unpack_from
_read_signed_64 = Struct(">q").unpack_from

#: Readers and sizes of the numbers 0xCA to 0xD3.
_NUMBERS = (
    (_read_single, 4),
    (_read_double, 8),
    (_read_8, 1),
    (_read_16, 2),
    (_read_32, 4),
    (_read_64, 8),
    (_read_signed_8, 1),
    (_read_signed_16, 2),
    (_read_signed_32, 4),
    (_read_signed_64, 8),
)
#: Readers and sizes of lengths.
_LENGTHS = ((_read_8, 1), (_read_16, 2), (_read_32, 4))


def unpack(data: Data, ext_hook: object = None, option: object = None) -> Any:
    """Decodes one value that fills `data`.

    Raises:
        Malformed: these bytes are no value.
        ValueRefused: Python has no such value.

    """
    value, end = unpack_from(data, 0)
    if end != len(data):
        raise Malformed(f"{len(data) - end} bytes follow the value")
    return value


def unpack_from(data: Data, start: int) -> tuple[Any, int]:
    """Decodes the value that begins at `start`; answers it and the position behind it.

    Raises:
        Malformed: these bytes are no value.
        ValueRefused: Python has no such value.

    """
    try:
        try:
            return _read(data, start, _limits[0])
        except RecursionError:
            with DeepStack():
                return _read(data, start, _limits[0])
    except (IndexError, struct.error):
        raise Malformed(f"the value ends too early, after {len(data)} bytes") from None
    except UnicodeDecodeError as error:
        raise Malformed(f"a string is no UTF-8: {error.reason}") from None


def _read(data: Data, at: int, room: int) -> tuple[Any, int]:
    code = data[at]
    at += 1
    if code < 0x80:
        return code, at
    if code < 0x90:
        return _read_map(data, at, code & 0x0F, room)
    if code < 0xA0:
        return _read_array(data, at, code & 0x0F, room)
    if code < 0xC0:
        return _read_string(data, at, code & 0x1F)
    if code >= 0xE0:
        return code - 0x100, at
    if code == 0xC0:
        return None, at
    if code == 0xC2:
        return False, at
    if code == 0xC3:
        return True, at
    if 0xCA <= code <= 0xD3:
        read, size = _NUMBERS[code - 0xCA]
        return read(data, at)[0], at + size
    return _read_sized(data, at, code, room)


def _read_sized(data: Data, at: int, code: int, room: int) -> tuple[Any, int]:
    """The values whose length is spelled out."""
    if 0xD4 <= code <= 0xD8:
        return _read_extension(data, at, 1 << (code - 0xD4), room)
    if code == 0xC1:
        raise Malformed("the byte 0xc1 begins no value")
    # 0xC4 to 0xC6, 0xC7 to 0xC9 and 0xD9 to 0xDB have lengths of 8, 16 and 32 bits; the others
    # of 16 and 32.
    if code < 0xD0:
        read, size = _LENGTHS[(code - 0xC4) % 3]
    elif code < 0xDC:
        read, size = _LENGTHS[code - 0xD9]
    else:
        read, size = _LENGTHS[1 + (code & 1)]
    length = read(data, at)[0]
    at += size
    if code < 0xC7:
        return bytes(_slice(data, at, length)), at + length
    if code < 0xCA:
        return _read_extension(data, at, length, room)
    if code < 0xDC:
        return _read_string(data, at, length)
    if code < 0xDE:
        return _read_array(data, at, length, room)
    return _read_map(data, at, length, room)


def _slice(data: Data, at: int, length: int) -> Data:
    part = data[at : at + length]
    if len(part) != length:
        raise IndexError
    return part


def _read_string(data: Data, at: int, length: int) -> tuple[str, int]:
    return str(_slice(data, at, length), "utf-8"), at + length


def _read_array(data: Data, at: int, length: int, room: int) -> tuple[list[Any], int]:
    _enter(data, at, length, room)
    items = []
    for _ in range(length):
        item, at = _read(data, at, room - 1)
        items.append(item)
    return items, at


def _read_map(data: Data, at: int, length: int, room: int) -> tuple[dict[Any, Any], int]:
    _enter(data, at, length, room)
    items: dict[Any, Any] = {}
    for _ in range(length):
        key, at = _read(data, at, room - 1)
        item, at = _read(data, at, room - 1)
        if type(key) is not str:
            key = freeze(key)
        items[key] = item
    return items, at


def _enter(data: Data, at: int, length: int, room: int) -> None:
    """Refuses what is too deep, and lengths that the bytes cannot hold, before work is done."""
    if room <= 0:
        raise Malformed(f"it is nested deeper than {_limits[0]} levels")
    if length > len(data) - at:
        raise IndexError


def _read_extension(data: Data, at: int, length: int, room: int) -> tuple[Any, int]:
    code = data[at]
    content = bytes(_slice(data, at + 1, length))
    if room <= 0:
        raise Malformed(f"it is nested deeper than {_limits[0]} levels")
    value = revive(code - 256 if code > 127 else code, content, lambda part: _part(part, room - 1))
    return value, at + 1 + length


def _part(data: bytes, room: int) -> Any:
    value, end = _read(data, 0, room)
    if end != len(data):
        raise ValueRefused("the payload of an extension has bytes behind its value")
    return value


def _load_arrow() -> Any:
    from synapse._protocol import arrow

    return arrow


provide_arrow(_load_arrow)
