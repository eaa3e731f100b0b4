"""Whether a table's documents may be shown now: no part of them known to be missing, and the mirror near enough."""

from __future__ import annotations

from collections.abc import Callable

from proxy.mirror.gap import GapCounts
from proxy.mirror.tables import TableBook

GAP = "there is an open gap"
LAG = "the mirror is too far behind"
AGAIN = 0.05
"""Seconds that an answer holds: a session's own writes are not judged here but by what the mirror tells it."""


class Conditions:
    """Of the tables of one process."""

    def __init__(
        self,
        book: Callable[[], TableBook],
        gaps: Callable[[], GapCounts],
        lag: Callable[[str, str], float],
        clock: Callable[[], float],
    ) -> None:
        """`lag`: seconds that a table (`schema.table`) is behind; `clock` is monotonic."""
        self._book = book
        self._gaps = gaps
        self._lag = lag
        self._clock = clock
        self._until = 0.0
        self._known: dict[tuple[str, str], str] = {}
        self._gapped: frozenset[tuple[str, str]] = frozenset()
        self._bounds: dict[tuple[str, str], float] = {}
        self._of: TableBook | None = None

    def closed(self, database: str, table: str) -> str:
        """Why it may not; empty if it may."""
        now = self._clock()
        if now >= self._until:
            self._look()
            self._until = now + AGAIN
        place = (database, table)
        found = self._known.get(place)
        if found is None:
            found = self._known[place] = self._judged(place)
        return found

    def _look(self) -> None:
        book = self._book()
        if book is not self._of:
            self._of = book
            self._bounds = {
                (one.database, one.mapping.table): one.rule.gates.max_lag for one in book.mirrored()
            }
        self._gapped = frozenset((database, table) for (database, table, _), n in self._gaps().items() if n)
        self._known.clear()

    def _judged(self, place: tuple[str, str]) -> str:
        bound = self._bounds.get(place)
        if bound is None:
            return "the table is not mirrored any more"
        if place in self._gapped:
            return GAP
        return LAG if self._lag(*place) > bound else ""
