"""Keeps threads from being interrupted in our own code, in interpreters without a global lock.

With that lock, whoever interrupts looks at the other thread's stack while that stands still.
Without it the thread has gone on by the time the order comes, into a write to the host perhaps, and
frames of running threads must not be looked at anyway. So a thread that runs calls has a gate: it
is open while the user's code runs, except while that code is in one of our locks, and an order is
given only through an open gate.
"""

from __future__ import annotations

import sys
from _thread import RLock, _local, allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: Whether this interpreter can do without a global lock, be it in use or not.
FREE_THREADED = "t" in getattr(sys, "abiflags", "")


class Gate:
    """The gate of one call. All but `pass_through` is for the thread that runs the call.

    `Cancelled` may come out of `close` and `leave`, which are where it is raised if the user's code
    has not taken another step since it was ordered. As a call is interrupted once only, it does no
    harm that it leaves the gate as it happened to be.
    """

    __slots__ = ("_closed", "_lock")

    def __init__(self) -> None:
        #: Held while an order is given, and while the gate closes.
        self._lock = allocate_lock()
        #: 0 if it is open; otherwise how often it was closed.
        self._closed = 1

    def enter(self) -> None:
        """The user's code begins."""
        self._closed = 0

    def leave(self) -> None:
        """The user's code has ended. Nothing is raised any more once this has returned."""
        with self._lock:
            self._closed = 1
        _step()

    def close(self) -> None:
        """Our own code begins, below the user's. Nothing is raised before `open`."""
        with self._lock:
            self._closed += 1
        _step()

    def open(self) -> None:
        """It has ended."""
        self._closed -= 1

    def pass_through(self, order: Callable[[], None]) -> bool:
        """Gives an order, for other threads; whether the gate was open."""
        with self._lock:
            if self._closed:
                return False
            order()
            return True


def _step() -> None:
    """Where the interpreter raises what it has been ordered to: at the begin of a function."""


#: The gate of the call that a thread runs.
_own: Any = _local()


def set_gate(gate: Gate | None) -> None:
    """Sets the gate of the current thread."""
    _own.gate = gate


class GatedRunning:
    """In place of the list in which a `Runner` notes what it runs: opens and shuts the gate."""

    def __setitem__(self, index: int, call: int) -> None:
        gate = _own.gate
        if call:
            gate.enter()
        else:
            gate.leave()


class GatedLock:
    """A reentrant lock whose holder is not interrupted."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = RLock()

    def __enter__(self) -> None:
        gate = getattr(_own, "gate", None)
        if gate is not None:
            gate.close()
        self._lock.acquire()

    def __exit__(self, *_exception: object) -> None:
        self._lock.release()
        gate = getattr(_own, "gate", None)
        if gate is not None:
            gate.open()


def make_lock() -> Any:
    """A reentrant lock for state of ours that the user's code reaches.

    Reentrant because a signal handler or a finaliser may interrupt its holder anywhere.
    """
    return GatedLock() if FREE_THREADED else RLock()
