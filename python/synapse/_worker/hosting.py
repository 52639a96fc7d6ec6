"""What the parts of a worker know of the calls that its code makes to the host."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from synapse._host_call import Answer


class HostCalls:
    """The calls of one worker that are not answered, for whoever reads its channels."""

    def deliver(self, kind: int, identity: int, payload: bytes) -> None:
        """An answer has come, or a part of one."""
        raise NotImplementedError

    def cancel_calls_of(self, call: int) -> None:
        """A call is cancelled: what it has asked is given up."""
        raise NotImplementedError

    def close(self) -> None:
        """No answer will come any more."""
        raise NotImplementedError


class Waiting:
    """How code of the user waits for the host; each mode has its own."""

    def parent(self) -> int:
        """The call that the current thread or task works for, or 0.

        Raises:
            RuntimeError: the host cannot be called from here.

        """
        raise NotImplementedError

    def emit(self, frames: bytes) -> None:
        """Sends a frame soon: before the current thread waits, and if it does not, anyway."""
        raise NotImplementedError

    def wait(self, answer: Answer, deadline: float | None) -> None:
        """Waits until something has come, or until the time is over."""
        raise NotImplementedError

    def wake(self) -> None:
        """An answer has been settled by somebody else than who reads: who waits looks again."""

    def begin_awaiting(self, answer: Answer, loop: AbstractEventLoop) -> None:
        """A coroutine is about to wait in `loop`."""

    def end_awaiting(self, answer: Answer, loop: AbstractEventLoop) -> None:
        """It does not wait any more."""
