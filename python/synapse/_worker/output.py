"""The worker's end of the channels that it writes to.

Frames of the data channel are collected in `DataOutput.pending` and written together. Whoever adds
a frame adds it by one call that the interpreter does not interrupt (`append`, `+=` of a tuple), and
for which it locks the list where it has no global lock. So frames of several threads never mix and
the hot loop needs no lock.
"""

from __future__ import annotations

import os
from collections import deque
from os import write

from synapse._worker.gate import make_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    Piece = bytes | memoryview

#: Pieces of one reply: the header and the payload.
_ONE_REPLY = 2
#: Bytes up to which a payload is copied behind its header.
_SMALL = 4096
#: Pieces that are handed to the kernel as they are; more are joined first.
_VECTOR = 64


def write_all(descriptor: int, data: Piece) -> None:
    """Writes all of `data`, however often the kernel takes a part only."""
    written = os.write(descriptor, data)
    size = len(data)
    while written < size:
        written += os.write(descriptor, memoryview(data)[written:])


def write_pieces(descriptor: int, pieces: Sequence[Piece]) -> None:
    """Writes pieces one after the other, without a copy if they are few."""
    if len(pieces) == 1:
        write_all(descriptor, pieces[0])
        return
    if len(pieces) > _VECTOR:
        write_all(descriptor, b"".join(pieces))
        return
    written = os.writev(descriptor, pieces)
    for index, piece in enumerate(pieces):
        if written < len(piece):
            write_all(descriptor, memoryview(piece)[written:])
            for later in pieces[index + 1 :]:
                write_all(descriptor, later)
            return
        written -= len(piece)


class DataOutput:
    """The data channel towards the host."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        #: What is not yet written; add whole frames only.
        self.pending: list[Piece] = []
        self._lock = make_lock()
        #: Whether the holder of the lock writes.
        self._writing = False

    def flush(self) -> None:
        """Writes everything that is pending. A host that is gone ends the process."""
        pending = self.pending
        while True:
            with self._lock:
                if self._writing:
                    # Re-entered: the outer call writes this as well.
                    return
                self._writing = True
                try:
                    while pending:
                        count = len(pending)
                        pieces = pending[:count]
                        del pending[:count]
                        if count <= _ONE_REPLY and len(pieces[-1]) < _SMALL:
                            # The usual case: a copy costs less than a vector of two.
                            data = b"".join(pieces) if count > 1 else pieces[0]
                            written = write(self.descriptor, data)
                            if written < len(data):
                                write_all(self.descriptor, memoryview(data)[written:])
                        else:
                            write_pieces(self.descriptor, pieces)
                except BrokenPipeError:
                    leave(1)
                finally:
                    self._writing = False
            if not pending:
                # Otherwise it was re-entered after its last look.
                return

    def send(self, frame: bytes) -> None:
        """Writes a frame at once, behind what is pending."""
        self.pending.append(frame)
        self.flush()

    def after_fork(self) -> None:
        """In a forked child: the channel belongs to the parent."""
        self.pending.clear()
        self._lock = make_lock()
        self._writing = False


class ControlOutput:
    """The control channel towards the host."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._pending: deque[bytes] = deque()
        self._lock = make_lock()
        self._writing = False

    def send(self, frame: bytes) -> None:
        """Writes a frame. A host that is gone is noticed by the watcher, not here."""
        pending = self._pending
        pending.append(frame)
        with self._lock:
            # Re-entered: the outer call writes this as well, behind the frame that it is at, and
            # looks again once it is done.
            while pending and not self._writing:
                self._writing = True
                try:
                    while pending:
                        write_all(self.descriptor, pending.popleft())
                except (BrokenPipeError, ConnectionResetError):
                    pending.clear()
                finally:
                    self._writing = False


def leave(code: int) -> NoReturn:
    """Ends the process at once, without any clean-up."""
    os._exit(code)
