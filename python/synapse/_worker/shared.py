"""The data channel of a serial worker while its code waits for the host.

Then not only the loop waits for something to come: the code of a handler waits for an answer of the
host, and so may threads that the user has made. Whoever waits reads, one at a time, and passes on
what is for others. So an answer arrives whatever the main thread does, and where only the main
thread waits it reads for itself, without a switch of threads. When nobody waits any more, the loop
gets the channel back.
"""

from __future__ import annotations

from collections import deque
from select import POLLIN, poll
from threading import Condition, RLock
from time import monotonic

from synapse._protocol import fallback
from synapse._protocol.header import CALLBACK_ID, CREDIT, EXTRAS, NESTED, REQUEST, STREAM
from synapse._worker.bell import hush, make_bell, ring
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
        # Re-entrant: a signal handler of the main thread calls `wake`.
        self._lock = RLock()
        self._changed = Condition(self._lock)
        #: Threads that wait until another one has read.
        self._sleepers = 0
        #: Threads, other than the main one, that need the channel to be shared.
        self._users = 0
        #: Somebody reads. Until `open` that is the loop, which knows nothing of this.
        self._reading = True
        self._reader = FrameReader(worker.config.data_in, worker.config.frame)
        self._wake_read, self._wake_write = make_bell()
        self._poll = poll()
        self._poll.register(worker.config.data_in, POLLIN)
        self._poll.register(self._wake_read, POLLIN)
        self.opened = False
        #: Whether the host has closed the channel.
        self.ended = False
        #: Requests, in the order in which they came.
        self.requests: deque[Frame] = deque()
        #: Requests that a callback waits for, with the callback's id.
        self._nested: deque[tuple[int, Frame]] = deque()
        #: Told that there is a nested request.
        self.on_nested: Callable[[], None] | None = None

    def take_drained(self) -> bool:
        """Whether the last read took everything that there was; answers so once for each read."""
        drained, self._reader.drained = self._reader.drained, False
        return drained

    def open(self, unread: bytes) -> None:
        """Takes the channel over.

        Args:
            unread: what the loop has read and not begun. It counts unless the channel is shared.

        """
        with self._lock:
            if not self.opened:
                self.opened = True
                self._reading = False
                if unread:
                    self._sort(self._reader.resume(unread))
                if self._sleepers:
                    self._changed.notify_all()

    def close(self) -> bytes | None:
        """Gives the channel back to the loop; answers what has been read and not used.

        Answers None if it is still needed: somebody waits, or there is something to run.
        """
        with self._lock:
            if self._users or self.requests or self._nested or not self._reader.is_at_frame:
                return None
            self.opened = False
            self._reading = True
            return self._reader.release()

    def enter(self) -> None:
        """A thread other than the main one is about to wait: once shared, the channel stays so."""
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        """It does not wait any more."""
        with self._lock:
            self._users -= 1

    def wait(self, ready: Callable[[], bool], deadline: float | None = None) -> None:
        """Waits until `ready` answers True, the time is over, or the channel has ended."""
        lock = self._lock
        with lock:
            while not ready() and not self.ended:
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    return
                if self._reading:
                    self._sleepers += 1
                    try:
                        self._changed.wait(left)
                    finally:
                        self._sleepers -= 1
                    continue
                self._reading = True
                lock.release()
                try:
                    frames = self._read(left)
                finally:
                    lock.acquire()
                    self._reading = False
                    if self._sleepers:
                        # If this one leaves, another has to read.
                        self._changed.notify_all()
                if frames:
                    self._sort(frames)

    def wake(self) -> None:
        """Has those who wait look again."""
        ring(self._wake_write)
        with self._lock:
            if self._sleepers:
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
        if callback is None or not self._nested:
            return bool(self._nested)
        return any(wanted == callback for wanted, _ in tuple(self._nested))

    def take_nested(self, callback: int | None) -> Frame | None:
        """Takes the first such request, if it is still there."""
        with self._lock:
            for index, (wanted, request) in enumerate(self._nested):
                if callback is None or wanted == callback:
                    del self._nested[index]
                    return request
        return None

    def _read(self, left: float | None) -> list[Frame]:
        frames: list[Frame] | None = []
        for descriptor, _ in self._poll.poll(None if left is None else left * 1000):
            if descriptor == self._wake_read:
                hush(descriptor)
                continue
            frames = self._reader.receive()
            if frames is None:
                self.ended = True
        return frames or []

    def _sort(self, frames: list[Frame]) -> None:
        nested = False
        for word, identity, payload in frames:
            kind = word & 0xFF
            if identity & CALLBACK_ID:
                if self._worker.callbacks is not None:
                    self._worker.callbacks.deliver(word, identity, payload)
            elif kind == REQUEST:
                if word >> 8 & STREAM:
                    self._inbox.credits.setdefault(identity, 0)
                if word >> 8 & NESTED:
                    callback = self._callback_of(word, payload)
                    self._nested.append((callback, (word, identity, payload)))
                    nested = True
                else:
                    self.requests.append((word, identity, payload))
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
