"""Start and stop hooks, and coroutines in workers that have no event loop of their own."""

from __future__ import annotations

from synapse._registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import Awaitable, Callable
    from typing import Any


class Hooks:
    """Runs hooks. The event loop is made when the first coroutine needs it, and kept."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._loop: AbstractEventLoop | None = None
        #: What runs in it, as long as `complete` waits for that.
        self._task: Task[Any] | None = None

    @property
    def loop(self) -> AbstractEventLoop:
        """The event loop that all coroutines of this worker run in."""
        if self._loop is None:
            import asyncio

            from synapse._worker.selector import new_event_loop

            self._loop = new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop

    @property
    def is_running(self) -> bool:
        """Whether the event loop runs, further up on the stack."""
        return self._loop is not None and self._loop.is_running()

    def complete(self, awaitable: Awaitable[Any]) -> Any:
        """Runs a coroutine to its end; if that is interrupted, its `finally` blocks run first."""
        import asyncio

        loop = self.loop
        task = asyncio.ensure_future(awaitable, loop=loop)
        outer, self._task = self._task, task
        try:
            return loop.run_until_complete(task)
        except BaseException:
            if not task.done():
                task.cancel()
                loop.run_until_complete(asyncio.wait((task,)))
            raise
        finally:
            self._task = outer

    def runs_something_else(self) -> bool:
        """Whether the event loop is in a callback or a task that is not what `complete` waits for.

        An exception that is raised there ends in the loop's log: the coroutine never hears of it.
        """
        task = self._task
        if task is None:
            return False
        from asyncio import current_task

        return current_task(self._loop) is not task

    def cancel(self, wanted: Callable[[], bool]) -> None:
        """Cancels the coroutine that runs, if there is one, at its next `await`.

        To be called by any thread, or by a signal handler: an exception that is raised in the event
        loop itself would leave that half-way through what it does.

        Args:
            wanted: asked just before; what it answers False to is left alone.

        """
        task, loop = self._task, self._loop
        if task is None or loop is None:
            return

        def cancel() -> None:
            if not task.done() and wanted():
                task.cancel()

        try:
            loop.call_soon_threadsafe(cancel)
        except RuntimeError:
            # The loop is closed.
            pass

    def start(self) -> None:
        """Runs what `on_start` registered, in that order."""
        self._run_all(self._registry.start_hooks)

    def stop(self) -> None:
        """Runs what `on_stop` registered, the last one first; errors do not keep the others."""
        for hook in reversed(self._registry.stop_hooks):
            try:
                self._run_all([hook])
            except Exception:
                import traceback

                traceback.print_exc()
        self.close()

    def close(self) -> None:
        """Ends the event loop and what still runs in it."""
        if self._loop is not None and not self._loop.is_closed():
            self._close_loop(self._loop)

    def _run_all(self, hooks: list[Any]) -> None:
        for hook in hooks:
            result = hook()
            if hasattr(result, "__await__"):
                self.complete(result)

    def _close_loop(self, loop: AbstractEventLoop) -> None:
        import asyncio

        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=1.0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
