"""Streams of Node that came among the arguments of calls."""

from __future__ import annotations

from synapse._protocol.errors import ValueRefused
from synapse._protocol.values import INPUT, register_extension

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from synapse._host_call import HostCall
    from synapse._worker.functions import Owner

#: Items that Node may be ahead of the handler once it is known how large they are.
_MOST = 1024

_NAME = "the input stream"


class HostStream:
    """A stream of Node, as an iterator: `for` in plain code and threads, `async for` in coroutines.

    Nothing is taken from its source before the first item is asked for. It ends with the call that
    brought it: reading on then raises `HostError`. Leave it early by `close()`, or by letting go of
    it, and the source's `finally` runs.
    """

    __slots__ = ("_call", "_owner", "_reference")

    # Users see it as `synapse.HostStream`.
    __module__ = "synapse"

    def __init__(self, owner: Owner, reference: int) -> None:
        self._owner = owner
        #: 0 once it was begun or closed.
        self._reference = reference
        self._call: HostCall | None = None

    def __iter__(self) -> HostStream:
        return self

    def __next__(self) -> Any:
        """The next item.

        Raises:
            StopIteration: there is none.
            HostError: the source threw.
            Cancelled: the call was cancelled, or the worker stops.
            RuntimeError: this thread runs an event loop, which would wait for itself.

        """
        call = self._call or self._begin()
        if call is None:
            raise StopIteration
        return call.take()

    def __aiter__(self) -> HostStream:
        return self

    def __anext__(self) -> Awaitable[Any]:
        call = self._call or self._begin()
        return _nothing() if call is None else call.next_item()

    def close(self) -> None:
        """Ends the stream: nothing more is taken from its source. Twice is harmless."""
        reference, self._reference = self._reference, 0
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        elif reference:
            self._owner.release(reference)

    async def aclose(self) -> None:
        """The same, for `contextlib.aclosing`."""
        self.close()

    def _begin(self) -> HostCall | None:
        """Asks for the first items; answers None if the stream is closed."""
        reference = self._reference
        if not reference:
            return None
        call = self._owner.call_function(reference, _NAME, (), {})
        call.widen(_MOST)
        self._reference, self._call = 0, call
        return call

    def __repr__(self) -> str:
        state = (
            "under way" if self._call is not None else "not begun" if self._reference else "closed"
        )
        return f"<host stream {state}>"

    def __del__(self) -> None:
        try:
            if self._call is not None:
                self._call.leave()
            elif self._reference:
                self._owner.release(self._reference)
        except Exception:  # noqa: S110
            # The interpreter ends: the host ends all streams of this worker.
            pass


async def _nothing() -> Any:
    raise StopAsyncIteration


def accept_inputs(owner: Owner) -> None:
    """From now on input streams can be decoded."""

    def revive(data: bytes, unpack: Callable[[Any], Any]) -> HostStream:
        reference = unpack(data)
        if type(reference) is not int:
            raise ValueRefused("the payload of an input stream is no reference")
        return HostStream(owner, reference)

    register_extension(INPUT, revive)
