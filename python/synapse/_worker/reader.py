"""Frames from the data channel, for the modes that run several calls at once."""

from __future__ import annotations

import os
from io import BytesIO

from synapse._protocol.header import COUNTED, HEADER, HEADER_SIZE
from synapse._worker.reads import GREAT_READ, LARGE_FRAME, NEXT_READ
from synapse._worker.watcher import protocol_error


class FrameReader:
    """Cuts what is read into frames. Each `receive` reads once."""

    def __init__(self, descriptor: int, greatest: int) -> None:
        self._descriptor = descriptor
        self._greatest = greatest + COUNTED
        self._size = NEXT_READ
        self._rest = b""
        #: The large frame that is being received: its word and id, its payload, and how much of
        #: that has come.
        self._large: tuple[int, int, BytesIO] | None = None
        self._filled = 0
        #: Whether the last read took everything that there was.
        self.drained = False

    def receive(self) -> list[tuple[int, int, bytes]] | None:
        """Reads once; answers the frames that are complete now, as (word, id, payload).

        Answers None at the end of the channel.
        """
        if self._large is not None:
            return self._receive_large(*self._large)
        data = os.read(self._descriptor, self._size)
        if not data:
            return None
        self.drained = len(data) < self._size
        if not self.drained:
            self._size = min(self._size * 4, GREAT_READ)
        elif len(data) * 4 < self._size > NEXT_READ:
            self._size //= 4
        return self._cut(self._rest + data if self._rest else data)

    def resume(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Takes over what another reader has read and not used; answers the complete frames."""
        return self._cut(data)

    @property
    def is_at_frame(self) -> bool:
        """Whether `release` can hand over: no large frame has come in part."""
        return self._large is None

    def release(self) -> bytes:
        """Hands over to another reader; answers what has been read and not used."""
        rest, self._rest = self._rest, b""
        self.drained = False
        return rest

    def _cut(self, data: bytes) -> list[tuple[int, int, bytes]]:
        frames = []
        at, end = 0, len(data)
        while end - at >= HEADER_SIZE:
            length, word, call = HEADER.unpack_from(data, at)
            if not COUNTED <= length <= self._greatest:
                protocol_error(f"a frame of length {length}")
            stop = at + 4 + length
            if stop > end:
                if stop - end >= LARGE_FRAME:
                    self._begin_large(word, call, length - COUNTED, data[at + HEADER_SIZE :])
                    at = end
                break
            frames.append((word, call, data[at + HEADER_SIZE : stop]))
            at = stop
        self._rest = data[at:]
        return frames

    def _begin_large(self, word: int, call: int, size: int, begin: bytes) -> None:
        # A BytesIO that nobody shares lends the very bytes object that `getvalue` hands out.
        buffer = BytesIO(bytes(size))
        with buffer.getbuffer() as view:
            view[: len(begin)] = begin
        self._large, self._filled = (word, call, buffer), len(begin)

    def _receive_large(
        self, word: int, call: int, buffer: BytesIO
    ) -> list[tuple[int, int, bytes]] | None:
        with buffer.getbuffer() as view, view[self._filled :] as rest:
            count = os.readv(self._descriptor, (rest,))
            complete = count == len(rest)
        if not count:
            return None
        self._filled += count
        if not complete:
            return []
        self._large = None
        return [(word, call, buffer.getvalue())]
