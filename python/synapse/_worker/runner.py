"""Calls the user's functions in the thread it is used in, and makes values of what they return."""

from __future__ import annotations

from synapse._worker.calls import Request
from synapse._worker.hooks import Hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType
    from typing import Any


class Runner:
    """Runs one call at a time.

    While the user's code is on the stack `running` holds the call's id, otherwise 0: only then may
    the call be interrupted.
    """

    def __init__(
        self, hooks: Hooks, running: list[int], left: Callable[[int], None] | None = None
    ) -> None:
        self._hooks = hooks
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

    def next(self, call: int, items: Iterator[Any]) -> Any:
        """The next item; raises StopIteration at the end."""
        self._running[0] = call
        try:
            item = next(items)
        finally:
            self._running[0] = 0
        if self._left is not None:
            self._left(call)
        return item

    def complete(self, call: int, result: Any) -> Any:
        """Awaits what can be awaited."""
        if not hasattr(result, "__await__"):
            return result
        self._running[0] = call
        try:
            value = self._hooks.complete(result)
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
        items = self.items(call, result)
        collected = []
        while True:
            try:
                collected.append(self.next(call, items))
            except StopIteration:
                return collected

    def items(self, call: int, result: Any) -> Iterator[Any]:
        """What a stream is made of; a value that is no iterator is its only item."""
        result = self.complete(call, result)
        if hasattr(result, "__anext__"):
            return self._hooks.iterate(result)
        return result if hasattr(result, "__next__") else iter((result,))


def driver_codes() -> set[CodeType]:
    """The code below which the stack is the user's."""
    functions = (Runner.call, Runner.next, Hooks.complete)
    return {function.__code__ for function in functions}
