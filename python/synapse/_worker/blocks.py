"""Which blocks of an arena are taken, and which that are not have memory already.

Mirrors `src/memory/blocks.rs`.
"""

from __future__ import annotations

#: Seconds that memory which nobody uses is kept for the next value.
IDLE = 5.0


class Blocks:
    """The blocks of one arena. Runs of blocks are pairs: the first, and how many."""

    def __init__(self, first: int, total: int) -> None:
        #: A byte a block: 1 if it is used or warm, or never given out.
        self._taken = bytearray(total)
        self._taken[:first] = b"\1" * first
        #: What has memory and is not used, with the time since when; the oldest first.
        self._warm: list[tuple[int, int, float]] = []

    def take(self, count: int) -> tuple[int, int, bool] | None:
        """Takes `count` blocks in a row, or a few more; answers also whether they have memory."""
        best = -1
        for index in range(len(self._warm) - 1, -1, -1):
            length = self._warm[index][1]
            if count <= length <= 2 * count and (best < 0 or length < self._warm[best][1]):
                best = index
        if best >= 0:
            first, length, _ = self._warm.pop(best)
            return first, length, True
        first = self._taken.find(bytes(count))
        if first < 0:
            return None
        self._taken[first : first + count] = b"\1" * count
        return first, count, False

    def put(self, first: int, count: int, now: float) -> None:
        """Takes back what a value does not need any more."""
        self._warm.append((first, count, now))

    def cool(self, limit: int, now: float) -> list[tuple[int, int]]:
        """Forgets what is warm beyond `limit` blocks, and what has been for too long.

        Answers what was forgotten: its memory is to be given back.
        """
        total = sum(count for _, count, _ in self._warm)
        keep, cold = [], []
        for warm in self._warm:
            first, count, since = warm
            if total <= limit and since + IDLE > now:
                keep.append(warm)
            else:
                total -= count
                cold.append((first, count))
                self._taken[first : first + count] = bytes(count)
        self._warm = keep
        return cold

    @property
    def is_cold(self) -> bool:
        """Whether nothing is warm."""
        return not self._warm
