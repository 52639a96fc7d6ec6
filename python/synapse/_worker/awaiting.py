"""How code of an asynchronous worker waits for the host: its event loop reads."""

from __future__ import annotations

from _thread import get_ident

from synapse._worker.callbacks import Waiting
from synapse._worker.state import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from typing import Any


class LoopWaiting(Waiting):
    """Sends what one turn of the loop has to send together."""

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
