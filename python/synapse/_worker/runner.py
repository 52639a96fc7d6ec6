"""Calls the user's functions in the thread it is used in, and makes values of what they return."""

from __future__ import annotations

from synapse._worker.calls import Request
from synapse._worker.hooks import Hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import CodeType
    from typing import Any, Protocol, Union

    #: Where the items of a stream come from.
    Source = Union[Iterator[Any], AsyncIterator[Any]]

    class Running(Protocol):
        """Where a runner notes what it runs, at index 0."""

        def __setitem__(self, index: int, call: int, /) -> None: ...


class Runner:
    """Runs one call at a time.

    While the user's code is on the stack `running` holds the call's id, otherwise 0: only then may
    the call be interrupted.
    """

    def __init__(
        self, hooks: Hooks, running: Running, left: Callable[[int], None] | None = None
    ) -> None:
        #: What runs its coroutines.
        self.hooks = hooks
        self._running = running
        #: Called with the call's id whenever a function of the user has returned.
        self._left = left

    def call(self, request: Request) -> Any:
        """Calls the handler; answers what it returns, be it a value, a coroutine or an iterator."""
        self._running[0] = request.call
        try:
            result = request.handler.function(*request.args, **request.kwargs)
        finally:
            self._running[0] = 0
        if self._left is not None:
            self._left(request.call)
        return result

    def pass_on(self, call: int, source: Any, take: Callable[[Any], bool]) -> bool:
        """Passes items on as long as `take` answers True; answers whether there may be more."""
        if hasattr(source, "__anext__"):
            return bool(self.complete(call, self._pass_on(call, source, take)))
        running, left = self._running, self._left
        while True:
            running[0] = call
            try:
                item = next(source)
            except StopIteration:
                return False
            finally:
                running[0] = 0
            if left is not None:
                left(call)
            if not take(item):
                return True

    async def _pass_on(
        self, call: int, source: AsyncIterator[Any], take: Callable[[Any], bool]
    ) -> bool:
        """The same in the event loop, which it does not leave between two items."""
        left = self._left
        while True:
            try:
                item = await source.__anext__()
            except StopAsyncIteration:
                return False
            if left is not None:
                left(call)
            if not take(item):
                return True

    def complete(self, call: int, result: Any) -> Any:
        """Awaits what can be awaited."""
        if not hasattr(result, "__await__"):
            return result
        self._running[0] = call
        try:
            value = self.hooks.complete(result)
        finally:
            self._running[0] = 0
        if self._left is not None:
            self._left(call)
        return value

    def value(self, call: int, result: Any) -> Any:
        """One value: coroutines are awaited, items of iterators are collected into a list."""
        result = self.complete(call, result)
        if not hasattr(result, "__next__") and not hasattr(result, "__anext__"):
            return result
        collected: list[Any] = []

        def take(item: Any) -> bool:
            collected.append(item)
            return True

        try:
            self.pass_on(call, result, take)
        finally:
            if hasattr(result, "__anext__"):
                self.close(result)
        return collected

    def source(self, call: int, result: Any) -> Source:
        """What a stream is made of; a value that is no iterator is its only item."""
        result = self.complete(call, result)
        if hasattr(result, "__anext__") or hasattr(result, "__next__"):
            return result  # type: ignore[no-any-return]
        return iter((result,))

    def close(self, source: Source) -> None:
        """Ends a source early: its `finally` blocks run. One that is at its end stays so."""
        close: Callable[[], Any] | None = getattr(source, "aclose", None)
        if close is not None:
            self.hooks.complete(close())
            return
        close = getattr(source, "close", None)
        if close is not None:
            close()


def driver_codes() -> set[CodeType]:
    """The code below which the stack is the user's."""
    functions = (Runner.call, Runner.pass_on, Runner._pass_on, Hooks.complete)
    return {function.__code__ for function in functions}
