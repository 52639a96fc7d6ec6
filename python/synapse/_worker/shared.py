"""The data channel of a serial worker from the moment that its code calls the host.

Then not only the loop waits for something to come: the code of a handler waits for an answer of the
host, and so may threads that the user has made. Whoever waits reads, one at a time, and passes on
what is for others. So an answer arrives whatever the main thread does, and where only the main
thread waits it reads for itself, without a switch of threads.
"""

from __future__ import annotations

import os
from collections import deque
from select import select
from threading import Condition
from time import monotonic

from synapse._protocol import fallback
from synapse._protocol.header import CALLBACK_ID, CREDIT, EXTRAS, NESTED, REQUEST, STREAM
from synapse._worker.calls import Calls
from synapse._worker.inbox import Inbox
from synapse._worker.reader import FrameReader
from synapse._worker.state import Worker
from synapse._worker.watcher import protocol_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    #: A frame as it came: its word, its id, its payload.
    Frame = tuple[int, int, bytes]


class Shared:
    """Lets several threads wait for what comes over one channel."""

    def __init__(self, worker: Worker, calls: Calls, inbox: Inbox) -> None:
        self._worker = worker
        self._calls = calls
        self._inbox = inbox
        self._changed = Condition()
        #: Somebody reads. Until `open` that is the loop, which knows nothing of this.
        self._reading = True
        self._reader = FrameReader(worker.config.data_in, worker.config.frame)
        self._wake_read, self._wake_write = os.pipe()
        self.opened = False
        #: Whether the host has closed the channel.
        self.ended = False
        #: Requests, in the order in which they came.
        self.requests: deque[Frame] = deque()
        #: Requests that a callback waits for, with the callback's id.
        self._nested: deque[tuple[int, Frame]] = deque()
        #: Told that there is a nested request.
        self.on_nested: Callable[[], None] | None = None

    @property
    def drained(self) -> bool:
        """Whether the last read took everything that there was."""
        return self._reader.drained

    def open(self, unread: bytes) -> None:
        """Takes the channel over.

        Args:
            unread: what the loop has read and not begun. Only the first call counts.

        """
        with self._changed:
            if not self.opened:
                self.opened = True
                self._reading = False
                self._sort(self._reader.resume(unread))
                self._changed.notify_all()

    def wait(self, ready: Callable[[], bool], deadline: float | None = None) -> None:
        """Waits until `ready` answers True, the time is over, or the channel has ended."""
        with self._changed:
            while not ready() and not self.ended:
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    return
                if self._reading:
                    self._changed.wait(left)
                    continue
                self._reading = True
                self._changed.release()
                try:
                    frames = self._read(left)
                finally:
                    self._changed.acquire()
                    self._reading = False
                    # If this one leaves, another has to read.
                    self._changed.notify_all()
                self._sort(frames)

    def wake(self) -> None:
        """Has those who wait look again."""
        os.write(self._wake_write, b"!")
        with self._changed:
            self._changed.notify_all()

    def has_request(self) -> bool:
        """Whether there is a request, nested or not."""
        return bool(self.requests or self._nested)

    def take_request(self) -> Frame | None:
        """Takes the next request, nested ones first; None at the end of the channel."""
        nested = self.take_nested(None)
        if nested is not None:
            return nested
        return self.requests.popleft() if self.requests else None

    def has_nested(self, callback: int | None) -> bool:
        """Whether a nested request is there: any, or one that this callback waits for."""
        if callback is None:
            return bool(self._nested)
        return any(wanted == callback for wanted, _ in tuple(self._nested))

    def take_nested(self, callback: int | None) -> Frame | None:
        """Takes the first such request, if it is still there."""
        with self._changed:
            for index, (wanted, request) in enumerate(self._nested):
                if callback is None or wanted == callback:
                    del self._nested[index]
                    return request
        return None

    def _read(self, left: float | None) -> list[Frame]:
        descriptor = self._worker.config.data_in
        ready, _, _ = select((descriptor, self._wake_read), (), (), left)
        if self._wake_read in ready:
            os.read(self._wake_read, 64)
        if descriptor not in ready:
            return []
        frames = self._reader.receive()
        if frames is None:
            self.ended = True
            return []
        return frames

    def _sort(self, frames: list[Frame]) -> None:
        nested = False
        for word, identity, payload in frames:
            kind = word & 0xFF
            if kind == REQUEST:
                if word >> 8 & STREAM:
                    self._inbox.credits.setdefault(identity, 0)
                if word >> 8 & NESTED:
                    callback = self._callback_of(word, payload)
                    self._nested.append((callback, (word, identity, payload)))
                    nested = True
                else:
                    self.requests.append((word, identity, payload))
            elif identity & CALLBACK_ID:
                if self._worker.callbacks is not None:
                    self._worker.callbacks.deliver(kind, identity, payload)
            elif kind == CREDIT:
                more = self._calls.credit(payload)
                # That of a stream that is over comes too late.
                if identity in self._inbox.credits:
                    self._inbox.grant(identity, more)
            else:
                self._calls.drop(kind)
        if nested and self.on_nested is not None:
            self.on_nested()

    def _callback_of(self, word: int, payload: bytes) -> int:
        """The callback that waits for a nested request."""
        extras: Any = fallback.unpack_from(payload, 0)[0] if word >> 8 & EXTRAS else None
        callback = extras.get("callback") if type(extras) is dict else None
        if type(callback) is not int:
            protocol_error("a nested request that names no callback")
        return callback
