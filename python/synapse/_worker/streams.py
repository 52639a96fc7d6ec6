"""The standard streams of a worker: input in the 1.4 framing, output as log events.

Which framing the user's code speaks is not known before it reads: a script written for 1.4 reads
`sys.stdin.buffer`; code that registers handlers ends instead. So the streams are the same objects
in both cases and change what they do.
"""

from __future__ import annotations

import io
import sys

from synapse._worker.interrupt import Interrupter
from synapse._worker.state import Worker
from synapse._worker.stdio import ReplyWriter, RequestBuffer, RequestReader
from synapse._worker.text import LogWriter
from synapse._worker.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Bytes that a 1.4 script's input is read ahead by.
_READ_AHEAD = 256 * 1024


class Streams:
    """Puts the streams in place."""

    def __init__(self, worker: Worker, watchdog: Watchdog, interrupter: Interrupter) -> None:
        config = worker.config
        self._worker = worker
        self.stdout: LogWriter | None = None
        self.stderr: LogWriter | None = None
        self._replies: ReplyWriter | None = None
        self._requests: RequestReader | None = None
        stdio = config.protocol != "synapse"
        if stdio or config.stdout == "event":
            framed = config.stdout == "event"
            self.stdout = LogWriter(worker, watchdog, "stdout", 1, framed=framed)
            sys.stdout = self.stdout
        if stdio or config.stderr == "event":
            framed = config.stderr == "event"
            self.stderr = LogWriter(worker, watchdog, "stderr", 2, framed=framed)
            sys.stderr = self.stderr
        if stdio and self.stdout is not None and self.stderr is not None:
            self._replies = ReplyWriter(worker, watchdog, self.stdout.buffer)
            self._requests = RequestReader(worker, self._replies, interrupter)
            self.stdout.replacement = self._replies
            self.stderr.listener = self._replies.note
            self._replies.requests = RequestBuffer(self._requests, _READ_AHEAD)
            sys.stdin = _Input(self._replies.requests)
        else:
            sys.stdin = _Input(io.BytesIO())

    @property
    def is_stdio(self) -> bool:
        """Whether the script reads requests itself."""
        return self._requests is not None and self._requests.is_open

    def close_input(self) -> None:
        """Handlers are served: from now on standard input is at its end."""
        if self._requests is not None:
            self._requests.close_for_good()
        if self._replies is not None:
            self._replies.close_for_good()

    def capture_logging(self) -> None:
        """Has records of `logging` sent with their level, if the user's code uses it."""
        if "logging" in sys.modules:
            from synapse._worker.logs import capture

            capture(self._worker, (self.stdout, self.stderr))

    def finish(self) -> None:
        """Writes what has been held back, before the process ends."""
        if self._replies is not None and self.is_stdio:
            self._replies.write_pending()
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.flush()

    def after_fork(self) -> None:
        """In a forked child: output goes to the descriptors that it has inherited."""
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.after_fork()
        if self._replies is not None:
            self._replies.close_for_good()


class _Input(io.TextIOWrapper):
    """Standard input. As text it is at its end; requests are bytes, and have `buffer`."""

    def __init__(self, requests: Any) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")
        self._requests = requests

    @property
    def buffer(self) -> Any:
        """Where scripts in the 1.4 framing read their requests."""
        return self._requests

    @property
    def name(self) -> str:
        """As the interpreter names its own."""
        return "<stdin>"

    def fileno(self) -> int:
        """The process's own standard input."""
        return 0
