"""A call of a handler in Node, as the code that made it sees it."""

from __future__ import annotations

from _thread import RLock, get_ident
from collections import deque
from time import monotonic

from synapse._cancelled import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
    from typing import Any

#: Items that the host may be ahead of the consumer.
AHEAD = 32
#: Bytes of items that it may be ahead where more items are allowed.
_AHEAD_BYTES = 256 * 1024

#: In place of the items of an answer that has none, as most have. It takes none.
_NO_ITEMS: deque[Any] = deque(maxlen=0)


#: Held while an answer is settled: who reads and who cancels may come together. Reentrant: SIGTERM
#: cancels what is open.
_settling = RLock()


class Answer:
    """What has come for one call. Written by whoever reads the channel."""

    __slots__ = (
        "__weakref__",
        "awaiting",
        "came",
        "came_bytes",
        "done",
        "dropped",
        "error",
        "id",
        "items",
        "listeners",
        "most",
        "name",
        "outstanding",
        "parent",
        "streamed",
        "value",
        "window",
    )

    def __init__(self, identity: int, name: str, parent: int) -> None:
        self.id = identity
        self.name = name
        #: The call whose handler asks, or 0.
        self.parent = parent
        #: Nothing further will come.
        self.done = False
        #: The handler answers by a stream.
        self.streamed = False
        self.value: Any = None
        self.error: BaseException | None = None
        #: Items that have come and were not taken.
        self.items: deque[Any] = _NO_ITEMS
        #: Items that were granted and not taken.
        self.outstanding = AHEAD
        #: Items that may be granted at once, and what that may grow to.
        self.window = self.most = AHEAD
        #: Items that have come, and their size.
        self.came = self.came_bytes = 0
        #: Called, by whoever reads, whenever something has come.
        self.listeners: list[Callable[[], None]] = []
        #: Coroutines that wait for it.
        self.awaiting = 0
        #: Nobody can take anything any more.
        self.dropped = False

    @property
    def ready(self) -> bool:
        """Whether there is something to take."""
        return self.done or bool(self.items)

    def settle(self, value: Any = None, error: BaseException | None = None) -> None:
        """Nothing further will come. Only the first time counts."""
        with _settling:
            if self.done:
                return
            self.value, self.error = value, error
            self.done = True
        self.tell()

    def add(self, item: Any, size: int) -> None:
        """An item has come that took so many bytes."""
        self.streamed = True
        self.came += 1
        self.came_bytes += size
        if self.items is _NO_ITEMS:
            self.items = deque()
        self.items.append(item)
        self.tell()

    def tell(self) -> None:
        """Tells those who wait."""
        for listener in tuple(self.listeners):
            listener()


class Backend:
    """What a worker does for the calls of the host that its code makes."""

    def wait(self, answer: Answer, deadline: float | None) -> None:
        """Waits until something has come, or until the time is over."""
        raise NotImplementedError

    def begin_awaiting(self, answer: Answer, loop: AbstractEventLoop) -> None:
        """A coroutine is about to wait in `loop`."""
        raise NotImplementedError

    def end_awaiting(self, answer: Answer, loop: AbstractEventLoop) -> None:
        """It does not wait any more."""
        raise NotImplementedError

    def grant(self, answer: Answer, items: int) -> None:
        """Lets the host send further items."""
        raise NotImplementedError

    def give_up(self, answer: Answer) -> None:
        """Tells the host that nobody wants the rest."""
        raise NotImplementedError

    def give_up_later(self, answer: Answer) -> None:
        """The same, in a finaliser: it may run anywhere, in the middle of a write too."""
        raise NotImplementedError


class HostCall:
    """A call of a handler in Node, on its way since it was made.

    Await it in coroutines, ask for its `result()` elsewhere. If the handler streams, iterate over
    it (`for` or `async for`) to get the items as they come; otherwise there is a list of all.
    """

    __slots__ = ("_answer", "_backend", "_collected")

    # Users see it as `synapse.HostCall`.
    __module__ = "synapse"

    def __init__(self, answer: Answer, backend: Backend) -> None:
        self._answer = answer
        self._backend = backend
        self._collected: list[Any] = []

    @property
    def name(self) -> str:
        """The handler, as it was called."""
        return self._answer.name

    def done(self) -> bool:
        """Whether the whole answer has come."""
        return self._answer.done

    def cancel(self) -> bool:
        """Gives the call up, and its `ctx.signal` aborts; answers whether it was under way."""
        if not self._settle_cancelled():
            return False
        self._backend.give_up(self._answer)
        return True

    def result(self, timeout: float | None = None) -> Any:
        """Waits for the answer, in code that is no coroutine.

        Args:
            timeout: seconds; default any number. The call goes on when they are over.

        Raises:
            HostError: the handler threw.
            HandlerNotFound: there is no such handler.
            TimeoutError: the time was over.
            Cancelled: the call that asks was cancelled, or the worker stops.
            RuntimeError: this thread runs an event loop, which would wait for itself: use `await`.

        """
        answer = self._answer
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            self._backend.wait(answer, deadline)
            if not answer.done and not answer.items:
                raise TimeoutError(f"{self.name} has not answered within {timeout} seconds")
            if answer.items:
                self._collect()
            if answer.done:
                return self._outcome()

    def __iter__(self) -> Iterator[Any]:
        """The items, as they come; of a plain answer that is its only item."""
        answer = self._answer
        try:
            while True:
                self._backend.wait(answer, None)
                if answer.items:
                    yield self._take()
                elif answer.done:
                    yield from self._rest()
                    return
        finally:
            self.cancel()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._complete().__await__()

    def __aiter__(self) -> AsyncIterator[Any]:
        return HostItems(self)

    def take(self) -> Any:
        """The next item, for the iterator of plain code; raises StopIteration at the end."""
        answer = self._answer
        if not answer.items:
            try:
                self._backend.wait(answer, None)
            except BaseException:
                self.cancel()
                raise
            if not answer.items:
                for item in self._rest():
                    answer.streamed = True
                    return item
                raise StopIteration
        return self._take()

    def widen(self, most: int) -> None:
        """Lets the host be ahead by more items, as long as they are small."""
        self._answer.most = most

    def __repr__(self) -> str:
        return f"<HostCall {self.name} {'done' if self.done() else 'under way'}>"

    # ----------------------------------------------------------------------------- in coroutines

    async def _complete(self) -> Any:
        try:
            while not self._answer.done:
                await self._arrival()
                self._collect()
        except BaseException:
            self.cancel()
            raise
        self._collect()
        return self._outcome()

    async def next_item(self) -> Any:
        """The next item; raises StopAsyncIteration at the end. For the iterator."""
        answer = self._answer
        try:
            await self._arrival()
        except BaseException:
            self.cancel()
            raise
        if answer.items:
            return self._take()
        for item in self._rest():
            answer.streamed = True
            return item
        raise StopAsyncIteration

    async def _arrival(self) -> None:
        """Waits until something has come."""
        answer = self._answer
        if answer.ready:
            return
        from asyncio import get_running_loop

        loop = get_running_loop()
        future: Future[None] = loop.create_future()
        owner = get_ident()

        def settle() -> None:
            if not future.done():
                future.set_result(None)

        def wake() -> None:
            if get_ident() == owner:
                settle()
                return
            try:
                loop.call_soon_threadsafe(settle)
            except RuntimeError:
                # The loop is closed: nobody waits.
                pass

        answer.listeners.append(wake)
        self._backend.begin_awaiting(answer, loop)
        try:
            if not answer.ready:
                await future
        finally:
            self._backend.end_awaiting(answer, loop)
            answer.listeners.remove(wake)

    # --------------------------------------------------------------------------------- what came

    def leave(self) -> None:
        """Gives the call up in a finaliser, for its iterator."""
        if self._settle_cancelled():
            self._backend.give_up_later(self._answer)

    def __del__(self) -> None:
        answer = self._answer
        answer.dropped = True
        # One that has not begun to stream is given up when it does.
        if answer.streamed and not answer.done:
            self._backend.give_up_later(answer)

    def _settle_cancelled(self) -> bool:
        answer = self._answer
        if answer.done:
            return False
        answer.items.clear()
        answer.settle(error=Cancelled(f"the call of {answer.name} was cancelled"))
        return True

    def _take(self) -> Any:
        answer = self._answer
        item = answer.items.popleft()
        answer.outstanding -= 1
        if not answer.done and answer.outstanding <= answer.window // 2:
            if answer.most > AHEAD:
                fitting = _AHEAD_BYTES * answer.came // (answer.came_bytes + 1)
                answer.window = max(2, min(answer.window * 2, answer.most, fitting))
            more = answer.window - answer.outstanding
            if more > 0:
                answer.outstanding += more
                self._backend.grant(answer, more)
        return item

    def _collect(self) -> None:
        while self._answer.items:
            self._collected.append(self._take())

    def _outcome(self) -> Any:
        answer = self._answer
        if answer.error is not None:
            raise answer.error
        return self._collected if answer.streamed else answer.value

    def _rest(self) -> tuple[Any, ...]:
        """What iteration ends with: an error, or a plain answer."""
        answer = self._answer
        if answer.error is not None:
            raise answer.error
        return () if answer.streamed else (answer.value,)


class HostItems:
    """The items of a call, one by one.

    No generator: the loop would close one later, if it still runs. This one gives the call up as
    soon as nobody holds it.
    """

    __slots__ = ("_call",)

    def __init__(self, call: HostCall) -> None:
        self._call = call

    def __aiter__(self) -> HostItems:
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self._call.next_item()

    def __del__(self) -> None:
        self._call.leave()
