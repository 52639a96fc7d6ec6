"""What a handler can learn about its call, and tell its caller while it runs."""

from __future__ import annotations

from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from synapse._session import Session


class Context:
    """The running call. `context()` gives it; keep it no longer than the call lasts."""

    __slots__ = ("_backend", "_deadline", "_extras", "_id", "_resume_read", "_session")

    def __init__(
        self, call: int, extras: dict[str, Any], received: float, backend: Backend
    ) -> None:
        self._id = call
        self._extras = extras
        self._backend = backend
        remaining = extras.get("remaining")
        self._deadline: float | None = None if remaining is None else received + remaining / 1000
        self._session: Session | None = None
        self._resume_read = False

    @property
    def call_id(self) -> int:
        """The number of the call, as log events in Node carry it."""
        return self._id

    @property
    def session(self) -> Session:
        """State of the caller's session, a mapping; what is written is there in its next call.

        Empty, and not writable, if the call belongs to no session.
        """
        if self._session is None:
            from synapse._session import Session

            self._session = Session(self._extras.get("session"))
        return self._session

    @property
    def session_id(self) -> str | None:
        """The id of the caller's session, or None if the call belongs to none."""
        given = self._extras.get("session")
        found = given.get("id") if type(given) is dict else None
        return found if type(found) is str else None

    def session_changes(self) -> dict[str, Any] | None:
        """What the call has changed in its session, for the worker; None if nothing."""
        return None if self._session is None else self._session.changes()

    @property
    def cancelled(self) -> bool:
        """Whether the caller has given up the call."""
        return self._backend.is_cancelled(self._id)

    @property
    def resume_from(self) -> int | None:
        """The number of the last item that the consumer of the stream has, or None if it has none.

        Items are numbered from 1. A handler that looks at this before its first item yields the
        items behind that number. If it does not, it starts from scratch: what the consumer has is
        dropped, and this is None from then on.
        """
        self._resume_read = True
        value = self._extras.get("resume_from")
        return value if type(value) is int else None

    @property
    def is_resumed(self) -> bool:
        """Whether the consumer of the stream has items already, for the worker."""
        return "resume_from" in self._extras

    def take_resume_from(self) -> int:
        """The items to drop, for the worker: what the consumer has if the handler did not ask."""
        if self._resume_read:
            return 0
        value = self._extras.pop("resume_from", None)
        return value if type(value) is int else 0

    @property
    def metadata(self) -> dict[str, Any]:
        """What the caller attached to the call."""
        value = self._extras.get("metadata")
        return value if type(value) is dict else {}

    @property
    def log(self) -> Log:
        """A logger whose records carry the call."""
        return Log(self._backend, self._id)

    def remaining(self) -> float | None:
        """Seconds until the deadline (never below 0), or None if the call has none."""
        if self._deadline is None:
            return None
        return max(0.0, self._deadline - monotonic())

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        """Reports how far the call is: a fraction from 0 to 1, and a text."""
        self._backend.send_progress(
            self._id,
            None if fraction is None else float(fraction),
            None if message is None else str(message),
        )


class Log:
    """Writes log records with a level: a text and `%` arguments, as `logging` takes them."""

    __slots__ = ("_backend", "_id")

    def __init__(self, backend: Backend, call: int) -> None:
        self._backend = backend
        self._id = call

    def debug(self, message: object, *args: object) -> None:
        """Detail for whoever looks for a fault."""
        self._write("DEBUG", message, args)

    def info(self, message: object, *args: object) -> None:
        """Something happened as it should."""
        self._write("INFO", message, args)

    def warning(self, message: object, *args: object) -> None:
        """Something is odd, and was coped with."""
        self._write("WARNING", message, args)

    def error(self, message: object, *args: object) -> None:
        """Something failed."""
        self._write("ERROR", message, args)

    def _write(self, level: str, message: object, args: tuple[object, ...]) -> None:
        text = str(message) % args if args else str(message)
        self._backend.send_log(self._id, level, text)


class Backend:
    """What a worker does for the contexts of its calls. This one serves code outside a worker."""

    def is_cancelled(self, call: int) -> bool:
        """Whether the caller has given up the call."""
        del call
        return False

    def send_progress(self, call: int, fraction: float | None, message: str | None) -> None:
        """Tells the caller how far the call is."""

    def send_log(self, call: int, level: str, text: str) -> None:
        """Writes a log record."""


_provider: list[Callable[[], Context | None]] = []


def provide(provider: Callable[[], Context | None] | None) -> Callable[[], Context | None] | None:
    """Sets where `context()` looks: the worker's way to find the running call.

    Returns:
        Where it looked before; None for nowhere.

    """
    before = _provider[0] if _provider else None
    _provider[:] = [] if provider is None else [provider]
    return before


def session_of(call: int) -> str | None:
    """The id of the session of a call that the current thread or task works for, if it has one."""
    found = _provider[0]() if _provider else None
    return found.session_id if found is not None and found.call_id == call else None


def context() -> Context:
    """The call that is running.

    Raises:
        RuntimeError: no call is running here; the message says what to do.

    """
    found = _provider[0]() if _provider else None
    if found is None:
        raise RuntimeError(
            "context() found no running call: use it inside a handler, in the thread or task that "
            "runs it; in tests, inside `with synapse.testing.running():`"
        )
    return found
