"""Gaps in the place of transactions: of those nobody can tell the end of, and of those that were given up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from proxy.mirror.effects import Cause, TableId, Truncation, Unseen
from proxy.mirror.port import GapSink
from proxy.mirror.resolver import Verdict
from proxy.mirror.transaction import Transaction


class TablesIn(Protocol):
    def tables_in(self, tx: Transaction) -> set[TableId]:
        """Mirrored tables of the effects in memory."""


class Losses:
    def __init__(self, gaps: GapSink, tables: TablesIn, latest: Callable[[str], int]) -> None:
        """`latest`: the newest version known of a database."""
        self._gaps = gaps
        self._tables = tables
        self._latest = latest

    def unseen(self, tx: Transaction) -> None:
        """It committed, and its images are gaps already: what it could not see is one as well."""
        for effect in tx.effects:
            if isinstance(effect, Unseen):
                self._gaps.record(tx.database, effect, self._latest(tx.database))

    def in_doubt(self, tx: Transaction, verdict: Verdict) -> None:
        """Nobody knows any more whether it committed: gaps for everything it may have done.

        Verdict.ENDED is that of a transaction without images.
        """
        if verdict is Verdict.ENDED:
            self.unseen(tx)
            truncated = {
                table for effect in tx.effects if isinstance(effect, Truncation) for table in effect.tables
            }
            self._record(tx, truncated, Cause.TRUNCATE, "whether it committed is not known")
        else:
            tables = self._tables.tables_in(tx) | tx.tables
            self._record(tx, tables, Cause.IN_DOUBT, "the source has forgotten whether it committed")

    def unclean(self, tx: Transaction) -> None:
        """The process ends, and neither the store nor a disk has it."""
        tables = self._tables.tables_in(tx) | tx.tables
        self._record(tx, tables, Cause.UNCLEAN_END, "the proxy ended before the store had it")

    def _record(self, tx: Transaction, tables: Iterable[TableId], cause: Cause, detail: str) -> None:
        for table in tables:
            self._gaps.record(tx.database, Unseen(cause, table, None, detail), self._latest(tx.database))
