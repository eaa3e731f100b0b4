"""Whether a table's documents may be shown now: no part of them known to be missing, and the mirror near enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from proxy.mirror.gap import GapCounts
from proxy.mirror.tables import TableBook
from proxy.serve.reasons import GAP, GONE, LAG

AGAIN = 0.05
"""Seconds that an answer holds: a session's own writes are not judged here but by what the mirror tells it."""


class Gaps(Protocol):
    """Those that are open, as far as this process knows. See `proxy.mirror.gaps.GapKeeper`."""

    added: int

    def counts(self) -> GapCounts: ...


class Conditions:
    """Of the tables of one process."""

    def __init__(
        self,
        book: Callable[[], TableBook],
        gaps: Gaps,
        lags: Callable[[], Mapping[tuple[str, str], float]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lags`: seconds that the documents of each (database, `schema.table`) are behind."""
        self._book = book
        self._gaps = gaps
        self._lags = lags
        self._clock = clock
        self._until = 0.0
        self._added = 0
        self._known: dict[tuple[str, str], str] = {}
        self._behind: Mapping[tuple[str, str], float] = {}
        self._gapped: frozenset[tuple[str, str]] = frozenset()
        self._bounds: dict[tuple[str, str], float] = {}
        self._of: TableBook | None = None

    def closed(self, database: str, table: str) -> str:
        """Why it may not; empty if it may."""
        now = self._clock()
        if (
            now >= self._until or self._added != self._gaps.added
        ):  # not for a moment after a gap was recorded here
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
        self._added = self._gaps.added
        open_gaps = self._gaps.counts()
        self._gapped = frozenset((database, table) for (database, table, _), n in open_gaps.items() if n)
        self._behind = self._lags()
        self._known.clear()

    def _judged(self, place: tuple[str, str]) -> str:
        bound = self._bounds.get(place)
        if bound is None:
            return GONE
        if place in self._gapped:
            return GAP
        return LAG if self._behind.get(place, 0.0) > bound else ""
