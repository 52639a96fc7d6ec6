"""What the threads of a worker share."""

from __future__ import annotations

import os
import sys
from time import monotonic

from synapse._context import Backend
from synapse._protocol.codec import encode
from synapse._protocol.header import LOG, NESTED, PROGRESS, REQUEST, frame
from synapse._registry import Registry
from synapse._worker.config import Config
from synapse._worker.journal import FIRST_WITHDRAWN, LAST, SLOTS, Journal
from synapse._worker.lending import Lending
from synapse._worker.output import ControlOutput, DataOutput, leave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from synapse._worker.hosting import HostCalls, Waiting
    from synapse._worker.memory import Memory


class Holder:
    """A log stream that may hold text back until a line is complete."""

    def flush(self) -> None:
        """Emits what is held."""

    def flush_of(self, call: int) -> None:
        """Emits what is held of one call."""


#: In place of a call's id: the worker has been told to stop.
STOP = -1

#: In place of a call's id: the loop of a serial worker is to share the channel.
SHARE = -2

#: In place of a call's id: the host may withdraw requests, so the loop of a serial worker looks at
#: each before it begins.
GUARD = -3

#: Seconds for which the id of a cancelled call that has not come is remembered at least. The host
#: tells it again when a channel that could not take the request at once has taken it.
_KEEP = 1.0

#: The bits of a frame's word by which a request is known that runs in turn.
_IN_TURN = 0xFF | NESTED << 8

#: In `Worker.running`: nothing runs; the main thread waits for the host.
WAITING = -1


class Worker(Backend):
    """One worker process."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self.config = config
        self.registry = registry
        self.data = DataOutput(config.data_out)
        self.control = ControlOutput(config.control)
        #: Where the calls that begin are noted.
        self.journal = Journal(config.journal)
        if config.withdrawals:
            self.journal.heed()
        #: The call that the main thread runs, 0 between calls, or `WAITING`. A list, because a
        #: store into one is the cheapest that the hot loop can make.
        self.running = [0]
        #: Ids of calls that the host has cancelled, `STOP`, `SHARE` and `GUARD`. The hot loop looks
        #: at its truth only. Written by the watcher.
        self.cancelled: set[int] = set()
        #: Ids that had been cancelled when the data channel was found empty some time ago.
        self._stale: set[int] = set()
        #: When they are forgotten, at the earliest.
        self._stale_until = 0.0
        #: Whether the end is urgent: what runs is interrupted.
        self.urgent = False
        #: Told each id (or `STOP`) that is added to `cancelled`; set by the loop that serves.
        self.on_cancel: Callable[[int], None] | None = None
        #: Whether hello has been sent.
        self.ready = False
        #: Whether log frames may go on the data channel: hello was sent, for frames with ids.
        self.framed = False
        #: Raises `Cancelled` if the call that the current thread runs is to be interrupted: for
        #: code of ours that the user's code calls, and in which it cannot be interrupted.
        self.checkpoint: Callable[[], None] = _nothing
        #: The number of calls in flight, for the heartbeat.
        self.count_calls: Callable[[], int] = lambda: 1 if self.running[0] > 0 else 0
        #: The call that the current thread or task works for, for logs.
        self.current_call: Callable[[], int] = lambda: max(self.running[0], 0)
        #: Log streams that hold text back. The hot loop looks at its truth only.
        self.held: list[Holder] = []
        #: Whether a call in a session has come: who calls the host then says in which it is.
        self.in_sessions = False
        #: The calls of the host, once there has been one.
        self.callbacks: HostCalls | None = None
        #: Makes `callbacks` if it is not there; set by `connect`.
        self.load_callbacks: Callable[[], HostCalls] = _not_connected
        #: The memory that is shared with the host, once something large has come or gone.
        self.memory: Memory | None = None
        #: Maps `memory` if it is not yet; None if there is none. Set by `boot`.
        self.load_memory: Callable[[], Memory | None] = _no_memory
        #: Encodes what may be large. `load_memory` is looked up when it is needed: `boot` sets it.
        self.lending = Lending(config.frame, lambda: self.load_memory())  # noqa: PLW0108
        #: How the user's code waits for the host, unless another part of the worker reads for it;
        #: set by the loop that serves.
        self.create_waiting: Callable[[Worker], Waiting] | None = None
        #: Whether the worker stops, so that the host cannot be called any more.
        self.over = False
        #: Set in forked children, where the channels are the parent's.
        self.forked = False

    def cancel(self, call: int) -> None:
        """Notes that a call is not wanted any more, or with `STOP` that the worker has to end.

        A call may be cancelled twice, which interrupts it once.
        """
        if call > 0 and call in self.cancelled:
            return
        self.cancelled.add(call)
        if self.on_cancel is not None:
            self.on_cancel(call)
        if call == STOP:
            self.end_callbacks()
        elif self.callbacks is not None:
            self.callbacks.cancel_calls_of(call)

    def is_withdrawn(self, frame_word: int, call: int) -> bool:
        """Whether a frame is a request that the host has withdrawn; otherwise it begins now.

        For serial workers, which begin requests in the order of their coming, but for nested ones.
        """
        if frame_word & _IN_TURN != REQUEST or GUARD not in self.cancelled:
            return False
        words = self.journal.words
        words[LAST] = call
        found: int = words[FIRST_WITHDRAWN + call % SLOTS]
        return found == call

    def end_callbacks(self) -> None:
        """The host does not answer any more: what waits for it is told, and no call is made."""
        self.over = True
        if self.callbacks is not None:
            self.callbacks.close()

    def forget_stale(self) -> None:
        """Forgets cancelled ids that did not turn up; to be called when the channel is empty.

        What was in the channel when the cancel came has been read by the second time that this is
        called, so such a call ended before. Ids come round again some day. But what is too much for
        the channel comes in parts, and between them it is empty as well: so time has to pass too.
        """
        now = monotonic()
        if now < self._stale_until:
            return
        self._stale_until = now + _KEEP
        cancelled = self.cancelled
        cancelled -= self._stale
        self._stale = {call for call in [*cancelled] if call > 0}

    def is_over(self) -> bool:
        """Whether the host cannot be called any more."""
        return self.over

    def emit_held(self) -> None:
        """Has log streams emit what they hold: output of a call precedes its reply."""
        for holder in tuple(self.held):
            holder.flush()

    def emit_held_of(self, call: int) -> None:
        """The same where others run, whose output may be about to go on."""
        for holder in tuple(self.held):
            holder.flush_of(call)

    def is_stopping(self) -> bool:
        """Whether the worker has been told to stop."""
        return STOP in self.cancelled

    def exit_with(self, error: SystemExit) -> None:
        """Ends the process because a handler in a thread has called `sys.exit`."""
        self.emit_held()
        self.data.flush()
        code = error.code
        if code is not None and not isinstance(code, int):
            sys.stderr.write(f"{code}\n")
            sys.stderr.flush()
            code = 1
        leave(code or 0)

    # What contexts ask for.

    def is_cancelled(self, call: int) -> bool:
        return self.urgent or call in self.cancelled

    def send_progress(self, call: int, fraction: float | None, message: str | None) -> None:
        payload = encode({"fraction": fraction, "message": message})
        self.data.send(frame(PROGRESS, call, payload))

    def send_log(self, call: int, level: str, text: str) -> None:
        caller = sys._getframe(3)
        self.write_log(
            call,
            {
                "stream": "logging",
                "text": text,
                "level": level,
                "logger": "synapse",
                "file": caller.f_code.co_filename,
                "line": caller.f_lineno,
            },
        )

    def write_log(self, call: int, record: dict[str, Any]) -> None:
        """Sends a log frame at once: on the data channel, or on control before hello."""
        record["text"] = clean(record["text"])
        payload = frame(LOG, call, encode(record))
        if self.forked:
            return
        if self.framed:
            self.data.send(payload)
        else:
            self.control.send(payload)


def _not_connected() -> HostCalls:
    raise RuntimeError("the worker has no host")


def _no_memory() -> None:
    return None


def _nothing() -> None:
    """Nothing is interrupted yet."""


def clean(text: str) -> str:
    """Text that can be encoded: lone surrogates are spelled out."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def resident_bytes() -> int:
    """Memory that this process has in use, or 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        pass
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:
        return 0
    peak = getrusage(RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
