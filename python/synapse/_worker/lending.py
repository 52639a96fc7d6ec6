"""Takes large binary data out of what is sent, and puts it into shared memory.

Nothing here costs a small value anything: a value is looked at only if it has turned out to be
large, and from then on before it is encoded.
"""

from __future__ import annotations

import sys
from struct import Struct

from synapse._protocol import fallback
from synapse._protocol.codec import encode
from synapse._protocol.header import COUNTED, SHARED
from synapse._protocol.values import (
    SHARED_ARRAY,
    SHARED_BYTES,
    Extension,
    array_layout,
    is_typed_view,
)
from synapse._worker.large import BIN32_HEAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from mmap import mmap
    from typing import Any

    from synapse._worker.memory import Memory

#: Bytes from which binary data goes through shared memory.
LENT_BYTES = 256 * 1024
#: How deep, and at how many values, a value is searched for binary data.
_DEPTH = 16
_VALUES = 4096
#: What is not looked into; most values are of these types.
_SCALARS = frozenset((str, int, float, bool, type(None)))

#: What a message with one binary value takes besides its bytes.
_HEAD = COUNTED + BIN32_HEAD

_place = Struct(">II").pack


class Lending:
    """Encodes what this worker sends."""

    def __init__(self, frame: int, load_memory: Callable[[], Memory | None]) -> None:
        #: The greatest payload that the host takes.
        self._frame = frame
        self._load_memory = load_memory
        #: Whether values with large data inside have been sent: then the next are searched first.
        self.looks_first = False

    def encode(self, value: Any) -> tuple[bytes, int]:
        """Encodes a value; answers the flags of its frame, too.

        Raises:
            EncodeError: it cannot cross; the error knows the path.

        """
        if self.looks_first or is_large(value):
            found = self.encode_lent(value)
            return (encode(value), 0) if found is None else (found, SHARED)
        return self.encode_again(value, encode(value))

    def encode_again(self, value: Any, payload: bytes) -> tuple[bytes, int]:
        """The same for a value that has been encoded already."""
        if len(payload) >= LENT_BYTES:
            found = self.encode_lent(value)
            if found is not None:
                self.looks_first = True
                return found, SHARED
        return payload, 0

    def encode_lent(self, value: Any) -> bytes | None:
        """Encodes a value without its large data; None if it has none, or there is no memory."""
        memory = self._load_memory()
        if memory is None:
            return None
        search = Search(memory, self._frame - _HEAD)
        try:
            reduced = search.extract(value, _DEPTH)
            return encode(reduced) if search.lent else None
        except BaseException:
            for block in search.lent:
                memory.withdraw(block)
            raise


class Search:
    """Replaces large binary data in a value by references to shared memory."""

    def __init__(self, memory: Memory, room: int) -> None:
        self._memory = memory
        #: Bytes that may still be lent: a message is as large as if they were in it.
        self._room = room
        self._left = _VALUES
        self._ndarray: Any = getattr(sys.modules.get("numpy"), "ndarray", ())
        #: The blocks that were taken.
        self.lent: list[int] = []

    def extract(self, value: Any, depth: int) -> Any:
        """The value, or a copy of its containers with references in it."""
        kind = type(value)
        if kind is bytes or kind is bytearray or kind is memoryview:
            if kind is memoryview and is_typed_view(value):
                return value
            return self._extract_bytes(value) if is_large(value) else value
        if kind is dict or kind is list or kind is tuple:
            if depth == 0 or self._left <= 0:
                return value
            return self._extract_items(value, depth - 1)
        if isinstance(value, self._ndarray) and value.nbytes >= LENT_BYTES:
            return self._extract_array(value)
        return value

    def _extract_items(self, value: Any, depth: int) -> Any:
        copy: Any = None
        for key, item in value.items() if type(value) is dict else enumerate(value):
            self._left -= 1
            if self._left < 0:
                break
            if type(item) in _SCALARS:
                continue
            found = self.extract(item, depth)
            if found is not item:
                if copy is None:
                    copy = dict(value) if type(value) is dict else list(value)
                copy[key] = found
        return value if copy is None else copy

    def _extract_bytes(self, value: Any) -> Any:
        if type(value) is memoryview and not value.c_contiguous:
            return value
        size = memoryview(value).nbytes

        def write(memory: mmap, start: int) -> None:
            memory[start : start + size] = value

        block = self._lend(size, write)
        return value if block is None else Extension(SHARED_BYTES, _place(block, size))

    def _extract_array(self, value: Any) -> Any:
        from numpy import frombuffer

        dtype, order = array_layout(value)

        def write(memory: mmap, start: int) -> None:
            target: Any = frombuffer(memory, "<" + dtype, value.size, start)
            target.reshape(value.shape, order=order)[...] = value

        block = self._lend(value.nbytes, write)
        if block is None:
            return value
        parts = [dtype, list(value.shape), order, block, value.nbytes]
        return Extension(SHARED_ARRAY, fallback.pack(parts))

    def _lend(self, size: int, write: Any) -> int | None:
        if size > self._room:
            return None
        block = self._memory.lend(size, write)
        if block is not None:
            self._room -= size
            self.lent.append(block)
        return block


def is_large(value: Any) -> bool:
    """Whether a value is large data by itself."""
    kind = type(value)
    if kind is memoryview:
        return bool(value.nbytes >= LENT_BYTES)
    if kind is bytes or kind is bytearray:
        return len(value) >= LENT_BYTES
    return kind.__name__ == "ndarray" and getattr(value, "nbytes", 0) >= LENT_BYTES
