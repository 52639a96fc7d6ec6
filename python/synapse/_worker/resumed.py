"""Streams that go on: their caller has the first items from a worker that died, or from before.

A handler that looks at `context().resume_from` before its first item begins behind that number. One
that does not begins anew, and what the caller has is dropped here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import Any

    from synapse._context import Context


def behind(items: Any, context: Context) -> Any:
    """The items of a stream, an iterator of either kind, that its caller does not have."""
    if not context.is_resumed:
        return items
    return AsyncResumed(items, context) if hasattr(items, "__anext__") else Resumed(items, context)


class Resumed:
    """The items of a handler, without those that its caller has."""

    def __init__(self, items: Iterator[Any], context: Context) -> None:
        self._items = items
        #: None once the first item has come.
        self._context: Context | None = context

    def __iter__(self) -> Resumed:
        return self

    def __next__(self) -> Any:
        item = next(self._items)
        context, self._context = self._context, None
        if context is not None:
            for _ in range(context.take_resume_from()):
                item = next(self._items)
        return item

    def close(self) -> None:
        """Ends the handler's stream, if it can be ended."""
        close = getattr(self._items, "close", None)
        if close is not None:
            close()


class AsyncResumed:
    """The same for an asynchronous stream."""

    def __init__(self, items: AsyncIterator[Any], context: Context) -> None:
        self._items = items
        #: None once the first item has come.
        self._context: Context | None = context

    def __aiter__(self) -> AsyncResumed:
        return self

    async def __anext__(self) -> Any:
        item = await self._items.__anext__()
        context, self._context = self._context, None
        if context is not None:
            for _ in range(context.take_resume_from()):
                item = await self._items.__anext__()
        return item

    async def aclose(self) -> None:
        """Ends the handler's stream, if it can be ended."""
        close = getattr(self._items, "aclose", None)
        if close is not None:
            await close()
