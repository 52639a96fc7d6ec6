"""The thread that keeps time: heartbeats, and output that must not wait.

It sleeps without a timer until it is needed. While replies of a burst wait to be written together
it wakes every few milliseconds, so that none of them waits behind a slow later call; after a while
without bursts it sleeps again. The hot loop only looks at `asleep`, and wakes it once a burst.
"""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread
from time import monotonic, process_time

from synapse._protocol.codec import encode
from synapse._protocol.header import HEARTBEAT, frame
from synapse._worker.state import Worker, resident_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between two looks while something may wait to be written.
_TICK = 0.005
#: Looks without anything to do, after which the thread sleeps without a timer.
_PATIENCE = 20


class Watchdog:
    """Calls each of `tasks` every few milliseconds for some time after `wake`.

    A task answers whether it may have to be called again soon.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        #: Whether `wake` is needed to have the tasks called.
        self.asleep = True
        self.tasks: list[Callable[[], bool]] = []
        #: What is to be called at what time, once.
        self._alarm: tuple[float, Callable[[], None]] | None = None
        self._bell = allocate_lock()
        self._bell.acquire()

    def start(self) -> None:
        """Starts the thread."""
        start_new_thread(self._run, ())

    def wake(self) -> None:
        """Has the tasks called soon, and then again as long as they want it."""
        self.asleep = False
        try:
            self._bell.release()
        except RuntimeError:
            # Two threads rang at once.
            pass

    def set_alarm(self, seconds: float, task: Callable[[], None]) -> None:
        """Has a task called once, after so many seconds, in place of any before."""
        self._alarm = (monotonic() + seconds, task)
        try:
            self._bell.release()
        except RuntimeError:
            # It rings already.
            pass

    def _run(self) -> None:
        interval = self._worker.config.heartbeat
        due = monotonic() + interval
        idle = 0
        while True:
            now = monotonic()
            timeout = -1.0
            if not self.asleep:
                timeout = _TICK
            elif interval:
                timeout = max(due - now, 0.0)
            timeout = self._until_alarm(now, timeout)
            self._bell.acquire(True, timeout)
            if self._worker.forked:
                return
            now = monotonic()
            self._ring(now)
            if interval and now >= due:
                self._beat((now - due) * 1000)
                due = now + interval
            if self.asleep:
                continue
            busy = False
            for task in self.tasks:
                busy = task() or busy
            idle = 0 if busy else idle + 1
            if idle >= _PATIENCE:
                idle = 0
                self.asleep = True
                # Whoever saw `asleep` unset a moment ago did not ring: look once more.
                for task in self.tasks:
                    if task():
                        self.asleep = False

    def _until_alarm(self, now: float, timeout: float) -> float:
        alarm = self._alarm
        if alarm is None:
            return timeout
        left = max(alarm[0] - now, 0.0)
        return left if timeout < 0 else min(timeout, left)

    def _ring(self, now: float) -> None:
        alarm = self._alarm
        if alarm is not None and now >= alarm[0]:
            self._alarm = None
            alarm[1]()

    def _beat(self, lag: float) -> None:
        if not self._worker.ready:
            return
        calls = self._worker.count_calls()
        payload = encode(
            {"rss": resident_bytes(), "calls": calls, "lag": lag, "cpu": process_time()}
        )
        self._worker.control.send(frame(HEARTBEAT, 0, payload))
