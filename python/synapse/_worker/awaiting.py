"""How code waits for the host where another part of the worker reads: a thread, or a loop."""

from __future__ import annotations

from _thread import allocate_lock, get_ident
from time import monotonic

from synapse._worker.hosting import Waiting
from synapse._worker.state import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from typing import Any

    from synapse._host_call import Answer


class ThreadWaiting(Waiting):
    """In threads: each has a bell of its own."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def parent(self) -> int:
        return self._worker.current_call()

    def emit(self, frames: bytes) -> None:
        self._worker.data.send(frames)

    def wait(self, answer: Answer, deadline: float | None) -> None:
        bell = allocate_lock()
        bell.acquire()

        def ring() -> None:
            try:
                bell.release()
            except RuntimeError:
                # It rings already.
                pass

        answer.listeners.append(ring)
        try:
            while not answer.ready:
                left = -1.0 if deadline is None else max(0.0, deadline - monotonic())
                if not bell.acquire(True, left):
                    return
        finally:
            answer.listeners.remove(ring)


class LoopWaiting(ThreadWaiting):
    """In coroutines: sends what one turn of the loop has to send together."""

    def __init__(
        self,
        worker: Worker,
        loop: AbstractEventLoop,
        send_with_turn: Callable[[tuple[Any, ...]], None],
    ) -> None:
        super().__init__(worker)
        self._loop = loop
        self._send_with_turn = send_with_turn
        #: The thread that runs the loop; known once a coroutine has called the host.
        self._main = 0

    def emit(self, frames: bytes) -> None:
        if not self._main:
            from asyncio import _get_running_loop

            if _get_running_loop() is self._loop:
                self._main = get_ident()
        if self._main == get_ident():
            self._send_with_turn((frames,))
        else:
            super().emit(frames)
