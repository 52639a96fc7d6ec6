"""Functions of a test in the place of handlers in Node, for `synapse.testing`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator

from synapse._host_call import Answer, Backend, HostCall
from synapse._host_errors import HandlerNotFound, HostError
from synapse._registry import RESERVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


#: What is called to learn what may be called.
TOOLS = f"{RESERVED}tools"


class FakeHost(Backend):
    """Answers calls of the host by calling functions, each when its answer is waited for."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._functions = functions
        #: What is behind each answer that has not been given in full.
        self._sources: dict[Answer, Any] = {}
        self._tasks: dict[Answer, asyncio.Task[None]] = {}
        #: Where coroutines of the functions run while plain code waits for them.
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> HostCall:
        """Calls the function that answers to `name`."""
        answer = Answer(0, name, 0)
        if name == TOOLS:
            answer.settle([{"name": tool, "metadata": {}} for tool in self._functions])
            return HostCall(answer, self)
        try:
            source = self._functions[self._route(name)](*args, **kwargs)
        except Exception as error:
            answer.settle(error=_as_host_error(error))
        else:
            if isinstance(source, (Iterator, AsyncIterator, Awaitable)):
                self._sources[answer] = source
                answer.streamed = not isinstance(source, Awaitable)
            else:
                answer.settle(source)
        return HostCall(answer, self)

    def close(self) -> None:
        """Ends what is left."""
        for answer in list(self._sources):
            self.give_up(answer)
        if self._loop is not None:
            self._loop.close()

    # ------------------------------------------------------------------------ what the calls ask

    def wait(self, answer: Answer, deadline: float | None) -> None:
        """Brings the next item or the value; a function takes the time that it takes."""
        del deadline
        loop: Callable[[], Any] = asyncio._get_running_loop  # noqa: SLF001
        if loop() is not None:
            raise RuntimeError(
                f"waiting for {answer.name} would block the event loop of this thread: use `await` "
                "or `async for`"
            )
        if answer.ready:
            return
        if isinstance(self._sources[answer], Iterator):
            self._advance(answer)
            return
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._advance_later(answer))

    def begin_awaiting(self, answer: Answer, loop: asyncio.AbstractEventLoop) -> None:
        """A coroutine is about to wait in `loop`: brings the next item or the value."""
        self._tasks[answer] = loop.create_task(self._advance_later(answer))

    def end_awaiting(self, answer: Answer, loop: asyncio.AbstractEventLoop) -> None:
        """It does not wait any more."""
        del loop
        task = self._tasks.pop(answer, None)
        if task is not None and not answer.ready:
            task.cancel()

    def grant(self, answer: Answer, items: int) -> None:
        """Nothing: items are brought one by one."""

    def give_up(self, answer: Answer) -> None:
        """Ends what is behind the answer."""
        source = self._sources.pop(answer, None)
        close = getattr(source, "close", None)
        if close is not None:
            close()

    give_up_later = give_up

    # --------------------------------------------------------------------------------- the answers

    def _advance(self, answer: Answer) -> None:
        try:
            answer.add(next(self._sources[answer]), 0)
        except StopIteration:
            self._settle(answer)
        except Exception as error:
            self._settle(answer, error=_as_host_error(error))

    async def _advance_later(self, answer: Answer) -> None:
        source = self._sources[answer]
        if isinstance(source, Iterator):
            self._advance(answer)
            return
        try:
            if isinstance(source, AsyncIterator):
                answer.add(await source.__anext__(), 0)
            else:
                self._settle(answer, await source)
        except StopAsyncIteration:
            self._settle(answer)
        except Exception as error:
            self._settle(answer, error=_as_host_error(error))

    def _settle(self, answer: Answer, value: Any = None, error: HostError | None = None) -> None:
        self._sources.pop(answer, None)
        answer.settle(value, error)

    def _route(self, wanted: str) -> str:
        """The name that `wanted` means, as Node finds it."""
        names = list(self._functions)
        if wanted in names:
            return wanted
        for found in (
            [name for name in names if name.endswith(f".{wanted}")],
            [name for name in names if name.startswith(f"{wanted}.")],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                raise HandlerNotFound(
                    f'"{wanted}" could be each of these handlers: {", ".join(found)}',
                    data={"available": found},
                )
        listed = ", ".join(names) or "none"
        raise HandlerNotFound(
            f'the host has no handler "{wanted}"; available: {listed}', data={"available": names}
        )


def _as_host_error(error: Exception) -> HostError:
    """What the code under test would get in the place of an exception of a function."""
    if isinstance(error, HostError):
        return error
    made = HostError(str(error), type(error).__name__)
    made.__cause__ = error
    return made
