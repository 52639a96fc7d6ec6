"""Event loops whose timers are not a millisecond late.

`epoll_wait` counts whole milliseconds, and asyncio rounds up: with calls that begin at any time
`asyncio.sleep(0.01)` takes 10.5 ms on average, a twentieth of what such handlers could answer.
`select` counts microseconds, and an epoll object can itself be waited for.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from selectors import SelectorKey

#: `select` takes no descriptor from here on.
_FD_SETSIZE = 1024

#: Seconds from which on a millisecond does not matter, and one system call is cheaper than two.
_LONG = 0.1

if sys.platform == "linux":

    class PreciseSelector(selectors.EpollSelector):
        """Waits for as long as it is told, to the microsecond."""

        def __init__(self) -> None:
            super().__init__()
            self._itself = [self.fileno()] if self.fileno() < _FD_SETSIZE else []

        def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
            """What is ready, within `timeout` seconds; `None` waits for ever."""
            if timeout is not None and 0 < timeout < _LONG and self._itself:
                select.select(self._itself, (), (), timeout)
                timeout = 0
            return super().select(timeout)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """An event loop by the policy of the user; asyncio's own one gets timers that are precise."""
    loop = asyncio.new_event_loop()
    if sys.platform == "linux" and type(loop) is asyncio.SelectorEventLoop:
        loop.close()
        return asyncio.SelectorEventLoop(PreciseSelector())
    return loop
