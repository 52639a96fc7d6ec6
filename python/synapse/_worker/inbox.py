"""What has been read from the data channel and not yet been worked on, in serial mode."""

from __future__ import annotations

import os
from select import select

from synapse._protocol.header import CALLBACK_ID, COUNTED, CREDIT, HEADER, HEADER_SIZE, REQUEST
from synapse._worker.bell import hush, make_bell, ring
from synapse._worker.calls import Calls
from synapse._worker.state import Worker
from synapse._worker.watcher import protocol_error

#: Bytes of a read while a stream runs.
_READ = 64 * 1024


class Inbox:
    """Lets a stream that waits for credit read on, and keeps for later what is not its own."""

    def __init__(self, worker: Worker, calls: Calls) -> None:
        self._worker = worker
        self._calls = calls
        #: Bytes that the loop has read, and where it has come to.
        self.data = b""
        self.at = 0
        #: Whether the host has closed the channel.
        self.ended = False
        #: Items that the host has granted so far, by call.
        self.credits: dict[int, int] = {}
        self._wake_read = -1
        self._wake_write = -1

    def take(self) -> None:
        """Applies the credit frames among the bytes that have come, and keeps the others."""
        data, at = self.data, self.at
        kept = []
        while len(data) - at >= HEADER_SIZE:
            length, word, call = HEADER.unpack_from(data, at)
            if length < COUNTED or length > self._worker.config.frame + COUNTED:
                protocol_error(f"a frame of length {length}")
            stop = at + 4 + length
            if stop > len(data):
                break
            if word & 0xFF == CREDIT and not call & CALLBACK_ID:
                self.grant(call, self._calls.credit(data[at + HEADER_SIZE : stop]))
            elif word & 0xFF == REQUEST or call & CALLBACK_ID:
                kept.append(data[at:stop])
            at = stop
        kept.append(data[at:])
        self.data, self.at = b"".join(kept), 0

    def grant(self, call: int, more: int) -> None:
        """Notes credit for a stream, also for one that has not begun."""
        self.credits[call] = self.credits.get(call, 0) + more

    def listen(self) -> None:
        """From now on a `wake` ends the next `wait`, however early it comes.

        To be called before looking at what `wake` reports.
        """
        if self._wake_read < 0:
            self._wake_read, self._wake_write = make_bell()

    def wait(self) -> None:
        """Waits until something has come, or `wake` is called."""
        descriptor = self._worker.config.data_in
        ready, _, _ = select((descriptor, self._wake_read), (), ())
        if self._wake_read in ready:
            hush(self._wake_read)
        if descriptor in ready:
            more = os.read(descriptor, _READ)
            self.ended = not more
            self.data = self.data[self.at :] + more
            self.at = 0

    def wake(self) -> None:
        """Ends `wait`, from another thread."""
        if self._wake_write >= 0:
            ring(self._wake_write)
