"""Putting documents right from PostgreSQL, by the compare-and-set of re-reads.

`proxy.mirror.rereads` says why a repaired document stays right. What it asks for is kept here: the position that every
queue has passed is held from before the rows are read until the repairs are done, and left in `_causeway.rereads`
before the first document is read. What follows from a change by foreign keys, and rows that no document can hold, go
to the ledger before the repair itself: a process that is killed leaves nothing behind that nobody knows of.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from proxy.backfill.lookups import Lookups, Side
from proxy.fleet.returns import leave_reread
from proxy.mirror.effects import Rows, TableId, Unseen
from proxy.mirror.gap import entry_of, gap_id
from proxy.mirror.gapfile import StoredGap
from proxy.mirror.reread_rows import Outcome, Pass
from proxy.mirror.tables import TableBook
from proxy.stores.identity import identity
from proxy.stores.protocol import Key, Repair

VALUES_AT_ONCE = 500
"""Keys of one pass."""


class Fellow(Side, Protocol):
    """The part of `member.Member` that writing needs."""

    proxy: str
    book: TableBook

    async def position(self, database: str) -> int: ...
    async def wait_passed(self, database: str, version: int) -> None: ...
    def holding(self, database: str, version: int) -> AbstractContextManager[None]: ...
    @property
    def absences(self) -> int: ...
    def lost_since(self, absences: int) -> bool: ...


class Repairer:
    """Repairs documents of one table."""

    def __init__(self, lookups: Lookups, fellow: Fellow, max_rows: int) -> None:
        """`max_rows`: of one gap; what follows from a change and is more holds for a whole table."""
        self._lookups = lookups
        self._fellow = fellow
        self._max_rows = max_rows
        self.lost = False
        """Whether others may not have waited for what was written here."""

    async def keys(self, keys: Sequence[Key], position: int) -> Outcome:
        """Whatever row or document there is of each key. `position`: passed by every queue."""
        mapping = self._lookups.table.mapping
        values = tuple(mapping.key_text(key.value) for key in keys)
        return await self.rows(Rows(mapping.key_columns, values), position)

    async def rows(self, rows: Rows, position: int) -> Outcome:
        """May be begun anew. Raises NotRereadable and CatalogueBehind, too."""
        whole = Outcome()
        absences = self._fellow.absences
        with self._fellow.holding(self._lookups.database, position):
            await self.leave(position)
            for start in range(0, len(rows.values), VALUES_AT_ONCE):
                part = Rows(rows.columns, rows.values[start : start + VALUES_AT_ONCE])
                outcome = await self._pass(part, position)
                whole.same += outcome.same
                whole.repaired += outcome.repaired
                whole.races += outcome.races
                whole.unsettled += outcome.unsettled
                whole.poisoned += outcome.poisoned
                self.lost = self.lost or self._fellow.lost_since(absences)
        return whole

    async def remove(self, ids: Sequence[object]) -> None:
        """Takes away documents whose `_id`s are no keys of the table, or are of another type than its keys: a write
        keeps the `_id` that it finds. Others may have been faster."""
        keys = [Key(value, identity(value)) for value in ids]
        states = await self._lookups.states(keys)
        repairs = [
            Repair(key, state, None)
            for key, state in zip(keys, states, strict=True)
            if state.document is not None
        ]
        await self._lookups.store.repair(self._lookups.table.mapping.namespace, repairs)

    async def _pass(self, rows: Rows, position: int) -> Outcome:
        derived: list[Unseen] = []

        async def before_repairs() -> None:
            await self._tell(derived, position)
            derived.clear()

        database = self._lookups.database
        outcome = await Pass(
            self._lookups.table,
            self._lookups.source,
            self._lookups.store,
            limit=max(self._max_rows, 2 * len(rows.values)),
            mirrored=lambda table: self._is_mirrored(database, table),
            record=derived.append,
            before_repairs=before_repairs,
        ).run(rows)
        await self._tell([*derived, *outcome.poisoned], position)
        return outcome

    async def leave(self, position: int) -> None:
        """Tells proxies that were lost and come back that documents rest on what the source held at `position`."""
        table = self._lookups.table.relation.id
        await leave_reread(self._lookups.store, self._fellow.proxy, self._lookups.database, table, position)

    def _is_mirrored(self, database: str, table: TableId) -> bool:
        return self._fellow.book.named(database, table.schema, table.name) is not None

    async def _tell(self, gaps: Sequence[Unseen], position: int) -> None:
        for unseen in gaps:
            rows = unseen.rows
            if rows is not None and len(rows.values) > self._max_rows:
                unseen = replace(unseen, rows=None)
            now = datetime.now(UTC)
            database = self._lookups.database
            state = StoredGap(gap_id(database, unseen), database, unseen, "", position, 1, now, now, False)
            await self._lookups.store.open_gap(entry_of(state, self._fellow.proxy))
