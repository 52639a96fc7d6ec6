"""The items of one stream on their way out: those that come fast travel together."""

from __future__ import annotations

from time import monotonic

from synapse._worker.calls import Calls
from synapse._worker.state import Worker
from synapse._worker.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Seconds that an item may wait for the next ones to be written with it.
_PATIENCE = 0.0005


class Outflow:
    """Sends items. One that is held back and not followed by another is written by the watchdog.

    So the loop that uses it has to have a task of the watchdog that flushes what is pending.
    """

    __slots__ = ("_call", "_calls", "_due", "_watchdog", "_worker", "sent")

    def __init__(self, worker: Worker, calls: Calls, watchdog: Watchdog, call: int) -> None:
        self._worker = worker
        self._calls = calls
        self._watchdog = watchdog
        self._call = call
        #: When what is pending is written at the latest. The first item is not held back.
        self._due = 0.0
        #: Items that have been sent.
        self.sent = 0

    def send(self, item: Any) -> None:
        """Sends an item, behind what its call has printed before.

        Raises:
            EncodeError: it cannot cross.

        """
        worker = self._worker
        if worker.held:
            worker.emit_held_of(self._call)
        worker.data.pending.append(self._calls.item(self._call, item))
        self.sent += 1
        if monotonic() > self._due:
            worker.data.flush()
            self._due = monotonic() + _PATIENCE
        elif self._watchdog.asleep:
            self._watchdog.wake()
