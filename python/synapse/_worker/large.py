"""Large frames: page faults and copies are what they cost, so each byte is written once.

Reading: the bytes object that the handler gets is what the kernel writes into. Writing: the
handler's own bytes go to the kernel.
"""

from __future__ import annotations

import os
from io import BytesIO

from synapse._protocol.header import COUNTED, HEADER, RESPONSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from synapse._worker.output import Piece

#: The byte that begins a binary value with a length of 32 bits, and the size of that head.
_BIN32 = 0xC6
BIN32_HEAD = 5


def read_exactly(descriptor: int, begin: bytes, size: int) -> bytes | None:
    """Reads until there are `size` bytes, of which `begin` has been read already.

    Answers None if the channel ends before.
    """
    # A BytesIO that nobody shares lends the very bytes object that `getvalue` hands out.
    buffer = BytesIO(bytes(size))
    view = buffer.getbuffer()
    at = len(begin)
    view[:at] = begin
    try:
        while at < size:
            with view[at:] as rest:
                count = os.readv(descriptor, (rest,))
            if not count:
                return None
            at += count
    finally:
        view.release()
    return buffer.getvalue()


def is_binary(payload: bytes, size: int) -> bool:
    """Whether a payload of `size` bytes that begins so is one binary value."""
    return (
        len(payload) >= BIN32_HEAD
        and payload[0] == _BIN32
        and int.from_bytes(payload[1:BIN32_HEAD], "big") == size - BIN32_HEAD
    )


def binary_response(call: int, result: bytes) -> tuple[Piece, Piece]:
    """The pieces of a response that is one large binary value."""
    size = len(result)
    head = HEADER.pack(COUNTED + BIN32_HEAD + size, RESPONSE, call)
    return head + bytes((_BIN32,)) + size.to_bytes(4, "big"), result
