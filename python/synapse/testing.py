"""Tests of handlers without Node: what `context()` and `host` give while a test calls one.

    from synapse.testing import running

    def test_greet():
        with running(host={"getUser": lambda id: {"name": "Ada"}}) as call:
            assert greet(1) == "Hello, Ada!"
        assert call.progress == [(1.0, "greeted")]

Handlers that use neither need nothing of this: they are plain functions.
"""

from __future__ import annotations

from time import monotonic
from typing import final

from synapse import _context
from synapse._context import Context
from synapse._fake_host import FakeHost
from synapse._host import host as _host
from synapse._protocol.codec import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Any

    from synapse._host import Starter

__all__ = ["RunningCall", "running"]


def running(
    *,
    host: Mapping[str, Callable[..., Any]] | None = None,
    session: Mapping[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    timeout: float | None = None,
    resume_from: int | None = None,
) -> RunningCall:
    """A call that runs as long as the `with` block lasts, as a handler in it sees it.

    Args:
        host: functions in the place of handlers in Node, by their names, such as `getUser` or
            `market.prices`. One may be a coroutine function; a generator streams; what it raises
            arrives as a `HostError`.
        session: what the session of the call holds; default no session, so that writing to
            `context().session` raises.
        metadata: what `context().metadata` gives.
        timeout: seconds until the deadline, for `context().remaining()`; nothing is interrupted.
        resume_from: what `context().resume_from` gives.

    Raises:
        EncodeError: a value of the session could not cross to or from Node.

    """
    extras: dict[str, Any] = {}
    if session is not None:
        data = {key: encode(value) for key, value in session.items()}
        extras["session"] = {"id": "test", "data": data}
    if metadata is not None:
        extras["metadata"] = metadata
    if timeout is not None:
        extras["remaining"] = timeout * 1000
    if resume_from is not None:
        extras["resume_from"] = resume_from
    return RunningCall(extras, FakeHost({} if host is None else host))


@final
class RunningCall(_context.Backend):
    """The call that `running()` makes, and what the handlers in it have told."""

    def __init__(self, extras: dict[str, Any], host: FakeHost) -> None:
        #: What `context().progress()` was given, call by call.
        self.progress: list[tuple[float | None, str | None]] = []
        #: What `context().log` was given: level and text.
        self.logs: list[tuple[str, str]] = []
        self._cancelled = False
        self._host = host
        self._context = Context(1, extras, monotonic(), self)
        self._before: tuple[Callable[[], Context | None] | None, Starter | None] = (None, None)

    @property
    def session(self) -> dict[str, Any]:
        """What the session holds by now."""
        return dict(self._context.session)

    def cancel(self) -> None:
        """`context().cancelled` is true from now on. Nothing is interrupted."""
        self._cancelled = True

    def __enter__(self) -> RunningCall:
        self._before = _context.provide(lambda: self._context), _host.connect(self._host.start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        provider, starter = self._before
        _context.provide(provider)
        _host.connect(starter)
        self._host.close()
        if error is None:
            # As at the end of a call: what cannot cross is told then.
            self._context.session_changes()

    # --------------------------------------------------------------------- what the context tells

    def is_cancelled(self, call: int) -> bool:
        """Whether `cancel()` was called."""
        del call
        return self._cancelled

    def send_progress(self, call: int, fraction: float | None, message: str | None) -> None:
        """Keeps it in `progress`."""
        del call
        self.progress.append((fraction, message))

    def send_log(self, call: int, level: str, text: str) -> None:
        """Keeps it in `logs`."""
        del call
        self.logs.append((level, text))
