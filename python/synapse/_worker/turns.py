"""Which calls may run: so many at once, and so many of each handler.

The calls of both kinds, coroutines and those in threads, take turns here. A nested call takes none:
a handler that runs waits for it, and does not count itself meanwhile.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from threading import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from synapse._registry import Handler
    from synapse._worker.calls import Request


class Turns:
    """Lets up to `limit` calls run at once, in the order in which they come.

    A call whose handler has all its turns waits beside the others, which pass it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        #: Guards the rest. Not taken by signal handlers.
        self._lock = Lock()
        self._running = 0
        self._arrivals = 0
        #: What runs as soon as there is room, by arrival.
        self._ready: list[tuple[int, Request]] = []
        #: What waits for a turn of its handler, by arrival.
        self._held: dict[Handler, deque[tuple[int, Request]]] = {}
        #: By handler with a limit of its own: its calls that run or are ready.
        self._taken: dict[Handler, int] = {}

    def enter(self, request: Request) -> bool:
        """Whether a call that comes may run now; otherwise it waits until `leave` names it."""
        if request.nested:
            return True
        handler = request.handler
        with self._lock:
            if handler.concurrency is not None:
                taken = self._taken.get(handler, 0)
                if taken >= handler.concurrency:
                    self._arrivals += 1
                    held = self._held.setdefault(handler, deque())
                    held.append((self._arrivals, request))
                    return False
                self._taken[handler] = taken + 1
            if self._running < self._limit:
                self._running += 1
                return True
            self._arrivals += 1
            self._ready.append((self._arrivals, request))
            return False

    def leave(self, request: Request) -> Request | None:
        """Notes that a call is over; answers the one that has to run in its place."""
        if request.nested:
            return None
        with self._lock:
            self._running -= 1
            self._give_back(request.handler)
            if not self._ready:
                return None
            self._running += 1
            return self._ready.pop(0)[1]

    def withdraw(self, call: int) -> Request | None:
        """Takes a call out of those that wait, if it is among them."""
        with self._lock:
            for entry in self._ready:
                if entry[1].call == call:
                    self._ready.remove(entry)
                    self._give_back(entry[1].handler)
                    return entry[1]
            for handler, held in self._held.items():
                for entry in held:
                    if entry[1].call == call:
                        held.remove(entry)
                        if not held:
                            del self._held[handler]
                        return entry[1]
            return None

    def clear(self) -> list[Request]:
        """Takes out all that wait, by arrival."""
        with self._lock:
            waiting = sorted([*self._ready, *(e for held in self._held.values() for e in held)])
            self._ready.clear()
            self._held.clear()
            return [request for _, request in waiting]

    def _give_back(self, handler: Handler) -> None:
        """Passes a turn of a handler on to the next of its calls."""
        if handler.concurrency is None:
            return
        held = self._held.get(handler)
        if held is None:
            self._taken[handler] -= 1
            return
        # It has waited for its place among the others, too.
        insort(self._ready, held.popleft())
        if not held:
            del self._held[handler]
