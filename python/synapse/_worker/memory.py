"""Memory that this worker and the host share, for large binary values.

Mirrors `src/memory`: two files without a name, inherited from the host. In one the host lends to
all its workers, in the other this worker lends to the host. Each begins with a table, a byte for
each block: whoever lends sets that of a value's first block, whoever borrows clears it.
"""

from __future__ import annotations

import os
from mmap import MADV_REMOVE, mmap
from threading import Lock, RLock
from time import monotonic
from weakref import ref

from synapse._protocol import codec, fallback
from synapse._protocol.errors import Malformed
from synapse._protocol.values import (
    SHARED_ARRAY,
    SHARED_BYTES,
    array_parts,
    register_extension,
    shaped_array,
)
from synapse._worker.blocks import IDLE, Blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from synapse._worker.config import MemoryConfig

    SetAlarm = Callable[[float, Callable[[], None]], None]

#: Bytes of a block. A value takes whole blocks.
BLOCK = 256 * 1024

_FREE = 0
_LENT = 1


class Arena:
    """One file in memory, mapped."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.memory = mmap(descriptor, 0)
        self.blocks = len(self.memory) // BLOCK
        #: The first block that is not the table's.
        self.first = -(-self.blocks // BLOCK)

    def holds(self, block: int, length: int) -> bool:
        """Whether `length` bytes from `block` on are there, and marked as a value."""
        return (
            self.first <= block < self.blocks
            and 0 < length <= len(self.memory) - block * BLOCK
            and self.memory[block] == _LENT
        )


class Memory:
    """What the host has lent to this worker, and what this worker lends."""

    def __init__(self, config: MemoryConfig, set_alarm: SetAlarm) -> None:
        #: Has a task called once, after so many seconds.
        self._set_alarm = set_alarm
        self._host = Arena(config.host)
        self._own = Arena(config.own)
        self._limit = -(-config.idle // BLOCK)
        self._blocks = Blocks(self._own.first, self._own.blocks)
        #: What the host has of this worker: first block, and how many.
        self._lent: dict[int, int] = {}
        self._lending = Lock()
        self._trimming = False
        #: Finalisers of what the user's code has of the host, by first block.
        self._finalisers: dict[int, ref[Any]] = {}
        self._decoding = RLock()
        #: What the value that is being decoded refers to, each with what exports it.
        self._found: dict[int, Any] = {}
        #: Set in forked children, where the host's memory is the parent's to let go.
        self.forked = False
        register_extension(SHARED_BYTES, self._revive_bytes)
        register_extension(SHARED_ARRAY, self._revive_array)

    # ------------------------------------------------------------------------- what the host lends

    def decode(self, payload: bytes, *, views: bool = False) -> Any:
        """Decodes a value that refers to shared memory.

        Args:
            payload: the value.
            views: whether binary values that lie there become memoryviews of it instead of bytes.

        Raises:
            Malformed, ValueRefused: as `synapse._protocol.codec.decode` does.

        """
        if views:
            revivers = {SHARED_BYTES: self._revive_view}
            return self._read(lambda: codec.decode_with(payload, revivers))
        return self._read(lambda: codec.decode(payload))

    def decode_once(self, payload: bytes) -> Any:
        """The same for a value in which nothing may be decoded twice."""
        return self._read(lambda: fallback.unpack(payload))

    def _read(self, decode: Callable[[], Any]) -> Any:
        with self._decoding:
            found: dict[int, Any] = {}
            self._found = found
            try:
                return decode()
            finally:
                self._found = {}
                # Not before: what one codec refuses the other one reads again.
                for block, exporter in found.items():
                    if exporter is None:
                        self._host.memory[block] = _FREE

    def _revive_bytes(self, data: bytes, _unpack: Any) -> bytes:
        block, length = self._place(data)
        self._found.setdefault(block, None)
        start = block * BLOCK
        return self._host.memory[start : start + length]

    def _revive_view(self, data: bytes, _unpack: Any) -> memoryview:
        return self._borrow(*self._place(data)).toreadonly()

    def _revive_array(self, data: bytes, unpack: Callable[[Any], Any]) -> Any:
        dtype, shape, order, block, length = array_parts(unpack(data), 5)
        self._check(block, length)
        return shaped_array(dtype, shape, order, self._borrow(block, length), borrowed=True)

    def _place(self, data: bytes) -> tuple[int, int]:
        if len(data) != 8:
            raise Malformed("a reference to shared memory that is not eight bytes")
        block, length = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big")
        self._check(block, length)
        return block, length

    def _check(self, block: Any, length: Any) -> None:
        if type(block) is not int or type(length) is not int or not self._host.holds(block, length):
            raise Malformed(f"nothing of {length} bytes is lent at block {block}")

    def _borrow(self, block: int, length: int) -> memoryview:
        """A view whose memory is the host's again when the last view of it is gone."""
        exporter = self._found.get(block)
        if exporter is None:
            exporter = self._export(block, length)
            self._found[block] = exporter

            def let_go(_: Any) -> None:
                # May run anywhere. In this order: the host may lend the block again at once.
                self._finalisers.pop(block, None)
                if not self.forked:
                    self._host.memory[block] = _FREE

            self._finalisers[block] = ref(exporter, let_go)
        return memoryview(exporter).cast("B")[:length]

    def _export(self, block: int, length: int) -> Any:
        """An object that lends its memory to views, and that lives as long as these."""
        try:
            from ctypes import c_ubyte
        except ImportError:
            # Costs page faults, for each value has a mapping of its own.
            return mmap(self._host.descriptor, length, offset=block * BLOCK)
        # In whole blocks, for each size is a class of its own.
        size = -(-length // BLOCK) * BLOCK
        return (c_ubyte * size).from_buffer(self._host.memory, block * BLOCK)

    # ----------------------------------------------------------------------- what this worker lends

    def lend(self, size: int, write: Callable[[mmap, int], None]) -> int | None:
        """Lends a value of `size` bytes, which `write` puts where it is told to.

        Answers the block where it begins, or None if there is no room.
        """
        with self._lending:
            now = monotonic()
            self._collect(now)
            found = self._blocks.take(-(-size // BLOCK))
            if found is None:
                return None
            block, count, warm = found
            if not warm:
                try:
                    os.posix_fallocate(self._own.descriptor, block * BLOCK, count * BLOCK)
                except OSError:
                    self._blocks.put(block, count, now)
                    return None
            self._lent[block] = count
            self._own.memory[block] = _LENT
            self._trim_later()
        # Large copies are no reason for other threads to wait.
        write(self._own.memory, block * BLOCK)
        return block

    def withdraw(self, block: int) -> None:
        """Takes back what was lent and is not sent."""
        self._own.memory[block] = _FREE

    def _collect(self, now: float) -> None:
        table = self._own.memory
        for block in [block for block in self._lent if table[block] == _FREE]:
            self._blocks.put(block, self._lent.pop(block), now)
        for first, count in self._blocks.cool(self._limit, now):
            table.madvise(MADV_REMOVE, first * BLOCK, count * BLOCK)

    def _trim_later(self) -> None:
        if not self._trimming:
            self._trimming = True
            self._set_alarm(IDLE, self._trim)

    def _trim(self) -> None:
        with self._lending:
            self._trimming = False
            self._collect(monotonic())
            if self._lent or not self._blocks.is_cold:
                self._trim_later()
