"""Notes which calls this worker begins, in memory that the host reads when the worker is dead.

A call that never began can be run by another worker, whatever it does. The note is one store into
shared memory, for a frame would cost more than the call itself.

With `queue.timeout` the host writes there, too: which calls have waited for too long and are not
to begin. It looks at the notes after that, as this worker looks at what is withdrawn after its
note: so one of the two sees the other, and a call that the host finds not begun never begins.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Index of the id of the call that began last, where calls begin in the order of their coming.
LAST = 1

#: Index of what tells how to read the rest, and its values.
_MANNER = 0
_IN_ORDER = 1
_BY_NUMBER = 2
#: Index of the first slot, and their number.
_FIRST_SLOT = 16
SLOTS = 4096
#: Index of the first of as many words in which the host withdraws calls: of one that it has
#: withdrawn, its id stands at the place that this is modulo their number.
FIRST_WITHDRAWN = _FIRST_SLOT + SLOTS
#: Bytes of a word.
_WORD = 4


class Journal:
    """The worker's journal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._mapped = descriptor < 0
        #: Store into this, by index. Until the memory is mapped each store is a system call.
        self.words: Any = [0] * (LAST + 1) if self._mapped else _File(descriptor)
        #: Requests that have come so far, for `by_number`.
        self.count = 0
        self._by_number = False
        #: Whether it is looked at what the host withdraws.
        self.heeds = False

    def heed(self) -> None:
        """The host may withdraw calls, if there is memory to do so, from now on."""
        if not self._mapped:
            self.map()
            self.heeds = not isinstance(self.words, list)

    def map(self) -> Any:
        """Makes stores cheap; answers `words`. The module that it takes is slow to load."""
        if self._mapped:
            return self.words
        self._mapped = True
        try:
            from mmap import mmap

            self.words = memoryview(mmap(self._descriptor, 0)).cast("I")
        except (ImportError, OSError, ValueError):
            # The host has had no memory for it: then nobody knows what has begun.
            self.words = [0] * (LAST + 1)
            self._by_number = False
        return self.words

    def in_order(self) -> None:
        """Calls begin in the order in which they come, from now on."""
        self.words[_MANNER] = _IN_ORDER

    def by_number(self) -> None:
        """Calls begin in any order, from now on."""
        self._by_number = self._descriptor >= 0
        self.map()[_MANNER] = _BY_NUMBER

    def take(self) -> int:
        """Counts a request that has come; answers its number, for `begin`."""
        # As the host counts: 32 bits, from 1.
        self.count = (self.count + 1) & 0xFFFF_FFFF
        return self.count

    def begin(self, number: int, call: int) -> bool:
        """Notes that a request begins; whether it may, for the host may have withdrawn it."""
        if self._by_number:
            self.words[_FIRST_SLOT + number % SLOTS] = number
        return not self.heeds or self.words[FIRST_WITHDRAWN + call % SLOTS] != call


class _File:
    """Stores by writing to the file that the memory is of."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __setitem__(self, index: int, value: int) -> None:
        os.pwrite(self._descriptor, value.to_bytes(_WORD, sys.byteorder), index * _WORD)
