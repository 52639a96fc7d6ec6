"""Wakes a thread that waits in `select` or `poll`, from any other thread: a pipe to itself."""

from __future__ import annotations

import os

#: Rings that are taken at once. Those beyond wake once more, for nothing.
_MANY = 4096


def make_bell() -> tuple[int, int]:
    """Makes one; answers the descriptor to wait for and the one to `ring`."""
    listening, ringing = os.pipe()
    # A bell that nobody hears must not stop who rings: it is full, and so it rings already.
    os.set_blocking(ringing, False)
    return listening, ringing


def ring(descriptor: int) -> None:
    """Wakes who waits; if nobody does, whoever waits next."""
    try:
        os.write(descriptor, b"!")
    except BlockingIOError:
        pass


def hush(descriptor: int) -> None:
    """Takes the rings that have come. Only where one has: it waits otherwise."""
    os.read(descriptor, _MANY)
