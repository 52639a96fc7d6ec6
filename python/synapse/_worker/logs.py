"""Records of the `logging` module, sent with their level, logger, file and line.

Imported only if the user's code has imported `logging`.
"""

from __future__ import annotations

import logging

from synapse._worker.state import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from synapse._worker.text import LogWriter


class HostHandler(logging.Handler):
    """Sends records to the host."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    def emit(self, record: logging.LogRecord) -> None:
        """Sends a record; its text is what the formatter makes of it."""
        try:
            self._worker.write_log(self._worker.current_call(), as_map(record, self.format(record)))
        except Exception:
            self.handleError(record)


def as_map(record: logging.LogRecord, text: str) -> dict[str, object]:
    """A log frame's payload."""
    return {
        "stream": "logging",
        "text": text,
        "level": record.levelname,
        "logger": record.name,
        "file": record.pathname,
        "line": record.lineno,
    }


def capture(worker: Worker, streams: tuple[LogWriter | None, ...]) -> None:
    """Has records sent with their level.

    A root logger without handlers gets one. Handlers of the user stay as they are, but for plain
    stream handlers on our standard streams, as `logging.basicConfig` makes them: what they format
    is sent as a record instead of bare text.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(HostHandler(worker))
        return
    for handler in root.handlers:
        if type(handler) is logging.StreamHandler and handler.stream in streams:
            _redirect(handler, worker)


def _redirect(handler: logging.StreamHandler[LogWriter], worker: Worker) -> None:
    plain, stream = handler.emit, handler.stream

    def emit(record: logging.LogRecord) -> None:
        if handler.stream is not stream:
            plain(record)
            return
        try:
            worker.write_log(worker.current_call(), as_map(record, handler.format(record)))
        except Exception:
            handler.handleError(record)

    handler.emit = emit  # type: ignore[method-assign]
