"""Unmodified scripts for version 1.4: their loop over `sys.stdin.buffer` and `sys.stdout.buffer`.

A length (u32, little-endian) and one MessagePack value, both ways; replies are matched in order.
The first read says hello. Many requests may be in the script's read-ahead, and their replies are
written together: when the script has to wait for input, or flushes the last reply that is due.
"""

from __future__ import annotations

import io
import os
from struct import Struct

from synapse._protocol.codec import encode
from synapse._protocol.header import MARK, frame
from synapse._worker.hello import say_stdio_hello
from synapse._worker.interrupt import Interrupter, Wake
from synapse._worker.state import WAITING, Worker
from synapse._worker.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from typing_extensions import Buffer

#: Bytes of replies that are written without waiting for more.
_ENOUGH = 64 * 1024
#: In place of a length: a mark frame follows.
_ESCAPE = b"\xff\xff\xff\xff"
#: A reply of None.
_NIL_REPLY = b"\x01\0\0\0\xc0"

_length = Struct("<I").unpack_from
#: Scripts read twice a request, and `super()` costs as much as the reading.
_read = io.BufferedReader.read


class Frames:
    """Counts the frames in a stream of bytes that comes in pieces."""

    __slots__ = ("_head", "_skip", "count")

    def __init__(self) -> None:
        #: Frames that are complete.
        self.count = 0
        #: Bytes of the current frame that are still to come.
        self._skip = 0
        #: Begin of a length.
        self._head = b""

    @property
    def is_between(self) -> bool:
        """Whether the last frame is complete."""
        return not self._skip and not self._head

    def feed(self, data: bytes | memoryview) -> None:
        """Takes the next bytes."""
        at, end = 0, len(data)
        if self._head:
            need = 4 - len(self._head)
            self._head += bytes(data[:need])
            if len(self._head) < 4:
                return
            at = need
            self._skip, self._head = _length(self._head)[0], b""
            if not self._skip:
                self.count += 1
        skip, count = self._skip, self.count
        while at < end:
            if skip:
                if end - at < skip:
                    skip -= end - at
                    break
                at += skip
                skip = 0
                count += 1
            elif end - at < 4:
                self._head = bytes(data[at:])
                break
            else:
                skip = _length(data, at)[0]
                at += 4
                if not skip:
                    count += 1
        self._skip, self.count = skip, count


class RequestReader(io.RawIOBase):
    """The raw layer below `sys.stdin.buffer`: the data channel."""

    def __init__(self, worker: Worker, replies: ReplyWriter, interrupter: Interrupter) -> None:
        self._worker = worker
        self._interrupter = interrupter
        self._replies = replies
        self._descriptor = worker.config.data_in
        #: Whether the script has begun to read.
        self.is_open = False
        self._ended = False
        self.name = 0
        self.mode = "rb"

    def readable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The channel with `protocol: "stdio"`; otherwise nobody knows yet what is spoken."""
        if self._worker.config.protocol != "stdio":
            return 0
        self._open()
        return self._descriptor

    def isatty(self) -> bool:
        """Never."""
        return False

    def readinto(self, buffer: Buffer, /) -> int:
        """Waits for requests; before that, writes the replies that are due."""
        if self._ended:
            return 0
        if not self.is_open:
            self._open()
        self._replies.settle_marked()
        self._replies.write_pending()
        view = memoryview(buffer)
        worker = self._worker
        running = worker.running
        try:
            running[0] = WAITING
            if worker.cancelled and worker.is_stopping():
                return 0
            count = os.readv(self._descriptor, (view,))
        except Wake:
            count = 0
        finally:
            running[0] = 0
        self._ended = not count
        self._replies.delivered.feed(view[:count])
        return count

    def _open(self) -> None:
        """Says hello: the script is ready for its first request."""
        self.is_open = True
        self._replies.open()
        # A script may sleep as it likes when it is told to stop; SIGTERM ends it, as in 1.4.
        self._interrupter.install(terminate=False)
        worker = self._worker
        worker.on_cancel = self._interrupter.interrupt
        worker.count_calls = lambda: self._replies.open_requests
        say_stdio_hello(worker)

    def close_for_good(self) -> None:
        """From now on every read finds the end."""
        self._ended = True


class RequestBuffer(io.BufferedReader):
    """`sys.stdin.buffer` of a script. Counts what the script has taken of the read-ahead."""

    def __init__(self, raw: RequestReader, size: int) -> None:
        super().__init__(raw, size)
        #: Bytes that the script has read.
        self.taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any reader."""
        data = _read(self, size)
        self.taken += len(data)
        return data

    def read1(self, size: int = -1, /) -> bytes:
        """As of any reader."""
        data = super().read1(size)
        self.taken += len(data)
        return data

    def readinto(self, buffer: Buffer, /) -> int:
        """As of any reader."""
        count = super().readinto(buffer)
        self.taken += count
        return count


class ReplyWriter(io.BufferedIOBase):
    """`sys.stdout.buffer` of a script: what it writes once it has read goes to the channel."""

    def __init__(self, worker: Worker, watchdog: Watchdog, log: BinaryIO) -> None:
        self._worker = worker
        self._watchdog = watchdog
        self._log = log
        self._descriptor = worker.config.data_out
        self._is_open = False
        #: Frames that the script has been given.
        self.delivered = Frames()
        #: Frames that it has written, and the pieces that have not been counted yet.
        self._replied = Frames()
        self._uncounted: list[bytes] = []
        self._pending = worker.data.pending
        self._size = 0
        #: Where the script's requests come from; set by who makes both.
        self.requests: RequestBuffer | None = None
        #: What the script had read when it was marked that its call is rejected, until the call is
        #: answered all the same or the script goes on without.
        self._marked: int | None = None
        self.name = 1
        self.mode = "wb"
        watchdog.tasks.append(self._write_soon)

    def open(self) -> None:
        """The script has begun to read: what it writes are replies."""
        self._is_open = True

    def close_for_good(self) -> None:
        """What is written is no reply but output."""
        self._is_open = False

    @property
    def raw(self) -> ReplyWriter:
        """There is no further layer."""
        return self

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """With `protocol: "stdio"` the channel itself, for scripts that write to descriptors."""
        return self._descriptor if self._worker.config.protocol == "stdio" else 1

    def isatty(self) -> bool:
        """Never."""
        return False

    def detach(self) -> ReplyWriter:  # type: ignore[override]
        """There is no further layer."""
        return self

    def write(self, data: Buffer, /) -> int:
        """Takes a part of a reply, or several."""
        if not self._is_open:
            return self._log.write(data)
        piece = data if type(data) is bytes else bytes(data)
        if self._marked is not None:
            if self._taken() > self._marked:
                self.settle_marked()
            self._marked = None
        self._pending.append(piece)
        self._uncounted.append(piece)
        size = len(piece)
        self._size += size
        if self._size >= _ENOUGH:
            self.write_pending()
        elif self._watchdog.asleep:
            self._watchdog.wake()
        return size

    def flush(self) -> None:
        """Writes what is pending, unless the script has further requests at hand."""
        # A reply is a piece or more, so this many can be complete at most. (A script that writes
        # several replies in one piece waits for the watchdog.)
        possible = self._replied.count + len(self._uncounted)
        if possible < self.delivered.count or not self._is_open:
            return
        if self._pending and self.count() >= self.delivered.count:
            self.write_pending()

    def write_pending(self) -> None:
        """Writes what is pending."""
        if self._pending:
            self.count()
            self._size = 0
            self._worker.data.flush()

    def count(self) -> int:
        """How many replies have been written, those included that are pending.

        Only for the thread that writes them.
        """
        pieces = self._uncounted
        if pieces:
            self._uncounted = []
            # Most are small: together they are counted faster.
            for piece in pieces if self._size >= _ENOUGH else (b"".join(pieces),):
                self._replied.feed(piece)
        return self._replied.count

    @property
    def open_requests(self) -> int:
        """Requests that the script has been given and has not answered, by the last count."""
        return max(self.delivered.count - self._replied.count, 0)

    def _write_soon(self) -> bool:
        """The watchdog's task: no reply waits behind a slow later request."""
        if not self._is_open or not self._pending:
            return False
        self._worker.data.flush()
        return True

    def note(self, text: str) -> None:
        """Marks the call that runs as rejected, if text on standard error says so."""
        if not self._is_open or not text.startswith("[ERROR"):
            return
        if self._marked is not None and self._taken() > self._marked:
            self.settle_marked()
        replies = self.count()
        if self._marked is None and self._replied.is_between:
            self._marked = self._taken()
            payload = encode({"replies": replies, "text": text})
            self._pending.append(_ESCAPE + frame(MARK, 0, payload))
            if self._watchdog.asleep:
                self._watchdog.wake()

    def settle_marked(self) -> None:
        """The script has gone on without a reply to the call that was marked: it gets one."""
        if self._marked is not None:
            self._marked = None
            self._pending.append(_NIL_REPLY)
            self._uncounted.append(_NIL_REPLY)

    def _taken(self) -> int:
        return 0 if self.requests is None else self.requests.taken
