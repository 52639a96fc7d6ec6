"""The codec that is in use: plain Python first, the one in C from the moment it pays.

The hot loops take `pack`, `unpack` and their fixed arguments from here into local variables and
call them as the codec in C wants them; everyone else calls `encode` and `decode`.
"""

from __future__ import annotations

from synapse._protocol import fallback
from synapse._protocol.errors import EncodeError
from synapse._protocol.values import (
    ARRAY,
    ARROW,
    SHARED_ARRAY,
    Extension,
    has_typed_views,
    reduce,
    revive,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

#: A payload of this many bytes is reason enough to load the codec in C.
WORTH_LOADING = 4096


class Codec:
    """The functions in use, and the arguments that go with them.

    Call them as `pack(value, default, pack_options)` and
    `unpack(data, ext_hook=ext_hook, option=unpack_options)`.
    """

    __slots__ = (
        "default",
        "ext_hook",
        "graceful",
        "native",
        "pack",
        "pack_options",
        "unpack",
        "unpack_options",
    )

    def __init__(self) -> None:
        self.pack: Any = fallback.pack
        self.default: Any = None
        self.pack_options: Any = None
        self.unpack: Any = fallback.unpack
        self.ext_hook: Any = None
        self.unpack_options: Any = None
        #: Whether the codec in C is in use; None as long as nobody has tried to load it.
        self.native: bool | None = None
        #: Whether marks cross in place of what cannot, see `graceful`.
        self.graceful = False

    def load(self) -> None:
        """Takes the codec in C if it is installed. Further calls do nothing."""
        if self.native is not None:
            return
        self.native = False
        try:
            import ormsgpack
        except ImportError:
            return
        pack, unpack, extension = ormsgpack.packb, ormsgpack.unpackb, ormsgpack.Ext
        # `Ext` takes no negative numbers, which timestamps have, and the timestamps that ormsgpack
        # makes itself lose fractions of a second. Before 1.13 there are no fragments: then values
        # with dates are left to the codec in Python.
        fragment = getattr(ormsgpack, "Fragment", None)
        pack_options = (
            ormsgpack.OPT_NON_STR_KEYS
            | ormsgpack.OPT_PASSTHROUGH_BIG_INT
            | ormsgpack.OPT_PASSTHROUGH_DATACLASS
            | ormsgpack.OPT_PASSTHROUGH_DATETIME
        )
        unpack_options = ormsgpack.OPT_NON_STR_KEYS

        def default(value: Any) -> Any:
            plain = value if type(value) is Extension else reduce(value, pack_part)
            if type(plain) is not Extension:
                return plain
            if plain.code >= 0:
                return extension(plain.code, plain.data)
            if fragment is None:
                raise TypeError(plain.code)
            return fragment(fallback.pack(plain))

        def pack_part(value: Any) -> bytes:
            return pack(value, default, pack_options)

        def ext_hook(code: int, data: bytes) -> Any:
            # Arrays are a handful of values, whatever their size: strictness costs nothing.
            strict = code in (ARRAY, ARROW, SHARED_ARRAY)
            value = revive(code, data, fallback.unpack if strict else unpack_part)
            if type(value) is memoryview and self.pack is pack:
                # The codec in C packs every memoryview as bytes, and asks nobody. From now on the
                # one in Python packs; whoever keeps `pack` takes it anew when this one refuses.
                self.pack = fallback.pack
                raise TypeError(code)
            return value

        def unpack_part(data: bytes) -> Any:
            return unpack(data, ext_hook=ext_hook, option=unpack_options)

        if not has_typed_views():
            self.pack = pack
        self.default, self.pack_options = default, pack_options
        self.unpack, self.ext_hook, self.unpack_options = unpack, ext_hook, unpack_options
        self.native = True


#: The codec of this process.
codec = Codec()


def encode(value: Any) -> bytes:
    """Encodes a value; where the codec is graceful, as much of it as can cross.

    Raises:
        EncodeError: it cannot cross; the error knows the path.

    """
    try:
        return codec.pack(value, codec.default, codec.pack_options)  # type: ignore[no-any-return]
    except Exception:
        # The codec in C stops at 255 levels and at some keys, and knows no paths.
        if not codec.graceful:
            return fallback.pack(value)
    try:
        return fallback.pack(value)
    except EncodeError:
        from synapse._protocol.graceful import pack_gracefully

        return pack_gracefully(value)


def decode_with(data: bytes, revivers: Mapping[int, Callable[[bytes, Any], Any]]) -> Any:
    """The same as `decode`, with other rules for some extension types where the codec allows it.

    The codec in plain Python, which has the last word, knows the usual ones only.
    """
    if not codec.native:
        return fallback.unpack(data)

    def ext_hook(code: int, part: bytes) -> Any:
        known = revivers.get(code)
        return codec.ext_hook(code, part) if known is None else known(part, fallback.unpack)

    try:
        return codec.unpack(data, ext_hook=ext_hook, option=codec.unpack_options)
    except Exception:
        return fallback.unpack(data)


def decode(data: bytes | memoryview) -> Any:
    """Decodes one value.

    Raises:
        Malformed: these bytes are no value.
        ValueRefused: Python has no such value.

    """
    try:
        return codec.unpack(data, ext_hook=codec.ext_hook, option=codec.unpack_options)
    except Exception:
        return fallback.unpack(data)
