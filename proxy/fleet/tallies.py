"""What was counted of a table's reads lately: in one process, and as it tells the fleet. Pure, and bounded."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

SLOTS = 60
"""Parts of a window that are forgotten one by one: what it holds may be too old by 1/60 of it."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Reads of one table, since some moment."""

    compared: int = 0
    """On both sides, whoever answered the client."""
    mismatched: int = 0
    """Of these: differed, and went on differing."""
    served: int = 0
    """Answered by the store."""
    failed: int = 0
    """Meant for the store, which gave an error or was too slow; PostgreSQL answered."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.compared + other.compared,
            self.mismatched + other.mismatched,
            self.served + other.served,
            self.failed + other.failed,
        )

    def since(self, earlier: Counts) -> Counts:
        """What has come to `earlier`. Where a count has fallen, it began again at 0."""
        return Counts(
            _rise(earlier.compared, self.compared),
            _rise(earlier.mismatched, self.mismatched),
            _rise(earlier.served, self.served),
            _rise(earlier.failed, self.failed),
        )

    def values(self) -> list[int]:
        return [self.compared, self.mismatched, self.served, self.failed]

    def __bool__(self) -> bool:
        return any(self.values())


NOTHING = Counts()


def _rise(before: int, after: int) -> int:
    return after - before if after >= before else after


def parse_counts(values: Any) -> Counts:
    compared, mismatched, served, failed = (int(value) for value in values)
    return Counts(compared, mismatched, served, failed)


class Window:
    """The last `seconds` of counts."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._slots: deque[tuple[int, Counts]] = deque()
        """The number of the slot, rising, and what was counted in it; those with nothing are left out."""

    def add(self, counts: Counts, now: float) -> None:
        """`now`: seconds by a clock that never goes back."""
        slot = self._slot(now)
        self._forget(slot)
        if not counts:
            return
        if self._slots and self._slots[-1][0] == slot:
            counts += self._slots.pop()[1]
        self._slots.append((slot, counts))

    def total(self, now: float) -> Counts:
        self._forget(self._slot(now))
        return sum((counts for _, counts in self._slots), NOTHING)

    def _slot(self, now: float) -> int:
        return int(now / self.seconds * SLOTS)

    def _forget(self, slot: int) -> None:
        while self._slots and self._slots[0][0] <= slot - SLOTS:
            self._slots.popleft()
