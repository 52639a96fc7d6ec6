"""`sys.stdout` and `sys.stderr` of a worker: what is written becomes log events at once."""

from __future__ import annotations

import io
import os
from _thread import get_ident

from synapse._worker.gate import FREE_THREADED, make_lock
from synapse._worker.output import write_all
from synapse._worker.state import Holder, Worker, clean
from synapse._worker.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from typing_extensions import Buffer

#: Characters of one log event; longer texts are sent in several.
_EVENT = 256 * 1024
#: Looks of the watchdog that held text has to outlast. The first may come between the two writes of
#: a `print`, for one of them has woken it; without a global lock so may some more, if the system
#: takes the processor away from whoever prints.
_LOOKS = 8 if FREE_THREADED else 1


class LogWriter(io.TextIOWrapper, Holder):
    """A text stream whose text goes to the host.

    `print("a")` writes twice, the text and the line's end. So text without a line's end is held
    until more comes from the same call and thread, or the call ends, or a few milliseconds have
    passed, and one print is one event, whatever others print at the same time.
    """

    def __init__(
        self, worker: Worker, watchdog: Watchdog, stream: str, descriptor: int, *, framed: bool
    ) -> None:
        self._binary = LogBytes(self, descriptor)
        super().__init__(
            self._binary,
            encoding="utf-8",
            errors="backslashreplace",
            newline="\n",
            write_through=True,
        )
        self._worker = worker
        self._watchdog = watchdog
        self._stream = stream
        self._descriptor = descriptor
        #: Whether text goes out in log frames; otherwise to the descriptor.
        self.framed = framed
        #: Shown each text that is emitted.
        self.listener: Callable[[str], None] | None = None
        #: What `.buffer` answers, if it is not the bytes of this log.
        self.replacement: Any = None
        #: By call and thread.
        self._held: dict[tuple[int, int], str] = {}
        #: What was held when the watchdog looked last, and how often it had seen that.
        self._seen: dict[tuple[int, int], tuple[str, int]] = {}
        #: Guards what is held, here and in the binary layer.
        self.lock = make_lock()
        watchdog.tasks.append(self.emit_held)

    @property
    def buffer(self) -> Any:
        """The binary layer: what is written there is logged as well, unless it was replaced."""
        return self.replacement or self._binary

    @property
    def name(self) -> str:
        """As the interpreter names its own."""
        return f"<{self._stream}>"

    def write(self, text: str, /) -> int:
        """Logs text."""
        given: object = text
        if not isinstance(given, str):
            message = f"write() argument must be str, not {type(given).__name__}"
            raise TypeError(message)
        size = len(text)
        if not size:
            return 0
        writer = self._worker.current_call(), get_ident()
        with self.lock:
            if self._held:
                text = self._take(writer) + text
            if text[-1] == "\n" or len(text) >= _EVENT:
                self._emit(writer[0], text)
            else:
                if not self._held:
                    self._worker.held.append(self)
                self._held[writer] = text
                if self._watchdog.asleep:
                    self._watchdog.wake()
        if self._worker.cancelled:
            self._worker.checkpoint()
        return size

    def flush(self) -> None:
        """Logs what is held; a 1.4 script that flushes standard output means its replies too."""
        if self._held:
            with self.lock:
                for writer in [*self._held]:
                    self._emit(writer[0], self._take(writer))
        if self.replacement is not None:
            self.replacement.flush()

    def flush_of(self, call: int) -> None:
        """Logs what is held of one call."""
        with self.lock:
            for writer in [*self._held]:
                if writer[0] == call:
                    self._emit(call, self._take(writer))

    def emit_held(self) -> bool:
        """The watchdog's task: logs what has been held long enough."""
        if not self._held:
            if self._seen:
                self._seen = {}
            return False
        with self.lock:
            seen, self._seen = self._seen, {}
            for writer, text in [*self._held.items()]:
                known, looks = seen.get(writer, ("", 0))
                if known is text and looks >= _LOOKS:
                    self._emit(writer[0], self._take(writer))
                else:
                    self._seen[writer] = text, looks + 1 if known is text else 1
        return True

    def _take(self, writer: tuple[int, int]) -> str:
        """What a writer has held back, which it does not any more."""
        text = self._held.pop(writer, "")
        if not self._held and self in self._worker.held:
            self._worker.held.remove(self)
        return text

    def _emit(self, call: int, text: str) -> None:
        if not text:
            # A signal handler has emitted it.
            return
        if self.listener is not None:
            self.listener(text)
        worker = self._worker
        for start in range(0, len(text), _EVENT):
            part = text[start : start + _EVENT]
            if worker.framed and self.framed and not worker.forked:
                worker.write_log(call, {"stream": self._stream, "text": part})
            else:
                try:
                    write_all(self._descriptor, clean(part).encode())
                except OSError:
                    # Nobody listens any more. Output must not end a call.
                    return

    def after_fork(self) -> None:
        """In a forked child, where no other thread can release the lock."""
        self.lock = make_lock()
        self._held = {}


class LogBytes(io.RawIOBase):
    """The binary layer of a `LogWriter`."""

    def __init__(self, text: LogWriter, descriptor: int) -> None:
        self._text = text
        self._descriptor = descriptor
        self.mode = "wb"
        self.name = descriptor
        self._rest = b""

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The process's own descriptor, whose output is logged too."""
        return self._descriptor

    def isatty(self) -> bool:
        """Never, whatever the descriptor is."""
        return os.isatty(self._descriptor) and not self._text.framed

    @property
    def raw(self) -> LogBytes:
        """There is no further layer."""
        return self

    def write(self, data: Buffer, /) -> int:
        """Logs bytes as UTF-8; a character may come in pieces."""
        given = bytes(data)
        with self._text.lock:
            whole = self._rest + given
            try:
                text, self._rest = whole.decode(), b""
            except UnicodeDecodeError as error:
                # Up to three bytes at the end may be the begin of a character.
                cut = (
                    error.start
                    if len(whole) - error.start < 4 and error.reason.startswith("unexpected end")
                    else len(whole)
                )
                text, self._rest = whole[:cut].decode("utf-8", "backslashreplace"), whole[cut:]
            self._text.write(text)
        return len(given)
