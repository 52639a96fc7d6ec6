"""Serves a serial worker while its code waits for the host.

The main thread then shares the channel with whatever else waits for it (`shared`), and runs some
calls on top of others (`reentry`). It is slower than the loop in `serial`, which goes on as soon as
nobody waits any more.
"""

from __future__ import annotations

from _thread import get_ident
from time import monotonic

from synapse._cancelled import Cancelled
from synapse._worker.calls import Calls, Request
from synapse._worker.hooks import Hooks
from synapse._worker.inbox import Inbox
from synapse._worker.runner import Runner
from synapse._worker.shared import Shared
from synapse._worker.state import SHARE, Worker
from synapse._worker.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from synapse._worker.shared import Frame

    class Loop(Protocol):
        """The loop whose channel is shared: how it runs calls, and which one it runs."""

        main: int
        hooks: Hooks
        runner: Runner
        request: Request | None
        #: What runs the coroutines of the call on top.
        innermost: Hooks

        def unread(self) -> bytes:
            """What it has read and not begun."""

        def dispatch(self, frame_word: int, call: int, payload: bytes) -> None:
            """Handles a frame."""

        def execute(self, request: Request, runner: Runner) -> None:
            """Runs a call and adds its reply to what is pending."""


#: Seconds that a reply may wait for the next ones to be written with it.
_PATIENCE = 0.0005


class Sharing:
    """Runs the calls that come over the shared channel."""

    def __init__(
        self, worker: Worker, calls: Calls, watchdog: Watchdog, inbox: Inbox, loop: Loop
    ) -> None:
        self._worker = worker
        self._calls = calls
        self._watchdog = watchdog
        self._inbox = inbox
        self._loop = loop
        self.channel = Shared(worker, calls, inbox)

    @property
    def is_wanted(self) -> bool:
        """Whether the loop is to read no more."""
        return self.channel.opened or SHARE in self._worker.cancelled

    def unread(self) -> bytes:
        """What the loop has read and not begun, while the main thread runs a call."""
        return self._loop.unread()

    def serve(self, unread: bytes) -> bytes | None:
        """Serves in place of the loop, until that can go on; for the main thread.

        Answers what has been read and not used, or None at the end.

        Args:
            unread: what the loop has read and not begun.

        """
        worker, channel = self._worker, self.channel
        if not channel.opened:
            channel.open(unread)
        worker.cancelled.discard(SHARE)
        due = 0.0
        while True:
            if not channel.requests:
                if worker.data.pending:
                    worker.data.flush()
                if worker.cancelled and channel.take_drained():
                    worker.forget_stale()
                rest = channel.close()
                if rest is not None:
                    return rest
            request = self._next()
            if request is None:
                worker.data.flush()
                return None
            if channel.requests:
                if self._watchdog.asleep:
                    self._watchdog.wake()
                if monotonic() > due:
                    worker.data.flush()
                    due = monotonic() + _PATIENCE
            if not self._refuse_cancelled(request):
                self._loop.dispatch(*request)
                # Of one that was refused nothing is kept.
                self._inbox.credits.pop(request[1], None)

    def _next(self) -> Frame | None:
        """Waits for a request; answers None at the end."""
        worker, channel = self._worker, self.channel
        channel.wait(lambda: channel.has_request() or worker.is_stopping())
        return None if worker.is_stopping() else channel.take_request()

    def run_nested(self, request: Frame) -> None:
        """Runs a request while the current thread waits for the host."""
        if self._refuse_cancelled(request):
            return
        found = self._calls.read(*request)
        if isinstance(found, bytes):
            self._inbox.credits.pop(request[1], None)
            self._worker.data.pending.append(found)
        elif get_ident() != self._loop.main:
            self._run_apart(found)
        else:
            self._run_on_top(found)

    def _refuse_cancelled(self, request: Frame) -> bool:
        word, call, payload = request
        worker = self._worker
        if call not in worker.cancelled and not worker.is_withdrawn(word, call):
            return False
        self._inbox.credits.pop(call, None)
        worker.data.pending.append(self._calls.refuse(word, call, payload))
        worker.cancelled.discard(call)
        return True

    def _run_on_top(self, request: Request) -> None:
        loop, running = self._loop, self._worker.running
        outer = running[0], loop.request
        running[0], loop.request = 0, request
        try:
            if loop.hooks.is_running:
                outer_hooks = loop.innermost
                try:
                    self._run_with_own_loop(request, running)
                finally:
                    loop.innermost = outer_hooks
            else:
                loop.execute(request, loop.runner)
        finally:
            running[0], loop.request = outer

    def _run_apart(self, request: Request) -> None:
        """Runs a request in a thread of the user, whose callback waits for it."""
        from synapse._worker.pool import current

        token = current.set(request)
        try:
            self._run_with_own_loop(request, [0])
        except SystemExit as error:
            self._worker.exit_with(error)
        finally:
            current.reset(token)

    def _run_with_own_loop(self, request: Request, running: list[int]) -> None:
        """Runs a request that cannot use the event loop, because that runs further up."""
        hooks = Hooks(self._worker.registry)
        if get_ident() == self._loop.main:
            self._loop.innermost = hooks
        try:
            self._loop.execute(request, Runner(hooks, running))
        finally:
            hooks.close()

    def await_credit(self, call: int, sent: int) -> None:
        """Waits until an item of a stream may be sent, or the call is cancelled.

        Raises:
            Cancelled: the host has closed the channel.

        """
        inbox, worker = self._inbox, self._worker
        self.channel.open(inbox.data[inbox.at :])
        worker.data.flush()
        self.channel.wait(lambda: inbox.credits.get(call, 0) > sent or worker.is_cancelled(call))
        if self.channel.ended and inbox.credits.get(call, 0) <= sent:
            raise Cancelled("the host has closed the channel")
