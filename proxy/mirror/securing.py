"""Open and committed transactions on their way into the spool: before COMMIT, when they outgrow memory, when parked.

What cannot be brought there becomes a gap for every table concerned, recorded before anybody is told to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from proxy.mirror.effects import Cause, Effect, Image, TableId, Truncation, Unseen
from proxy.mirror.journal import Journal, cost
from proxy.mirror.meters import TableMeter
from proxy.mirror.packing import pack
from proxy.mirror.port import GapSink
from proxy.mirror.spool_file import PART_BYTES, SpoolState
from proxy.mirror.transaction import EFFECT_OVERHEAD, Transaction, table_of


class Known(Protocol):
    """What the mirror needs to know of a table before anything of it is decoded."""

    table: TableId
    strict: bool
    """Whether its effects must be on disk before they are committed."""
    meter: TableMeter


class Tables(Protocol):
    def by_oid(self, database: str, oid: bytes) -> Known | None:
        """Of the relation an image was written to; None where it is not mirrored, or not known (yet)."""

    def by_id(self, database: str, table: TableId) -> Known | None: ...

    def all(self, database: str) -> Iterable[Known]: ...

    def unknown_is_strict(self, database: str, oid: bytes) -> bool:
        """Whether a relation that `by_oid` does not give must be taken for one of a strict table."""


class Securing:
    """Writes to the process' own spool."""

    def __init__(self, journal: Journal | None, tables: Tables, gaps: GapSink) -> None:
        """`journal`: None where there is no spool."""
        self.journal = journal
        self._tables = tables
        self._gaps = gaps

    def needed(self, tx: Transaction) -> bool:
        """Whether anything must be written before the transaction may commit."""
        if self.journal is None:
            return False
        if tx.lapsed:
            self.lapse(tx, Cause.OVERFLOW, "the transaction had outgrown the spool")
            return False
        if tx.cut is not None:
            return True  # effects on disk were rolled back
        database = tx.database
        by_oid = self._tables.by_oid
        start = tx.stored - tx.spooled
        for effect in tx.effects[start:] if start else tx.effects:
            if type(effect) is Image:
                known = by_oid(database, effect.record[12:16])
                if (
                    known.strict
                    if known is not None
                    else self._tables.unknown_is_strict(database, table_of(effect.record))
                ):
                    return True
            else:
                for table in tables_of(effect):
                    known = self._tables.by_id(database, table)
                    if known is not None and known.strict:
                        return True
        return False

    def write(self, tx: Transaction, state: SpoolState, then: Callable[[bool], None] | None) -> bool:
        """Put everything of the transaction on disk; `then` with whether it is there, later. False, and gaps, where
        there is no room; `then` is not called."""
        journal = self.journal
        if journal is None:
            return False
        data = pack(tx.effects)
        if not journal.fits(cost(data)):
            self.lapse(tx, Cause.OVERFLOW, "the spool is full")
            return False
        self._enter(tx)
        self._count(tx)
        self._weigh(tx, data)
        tx.stored = tx.spooled + len(tx.effects)

        def written(done: bool) -> None:
            if not done:
                self._lost(tx)
            if then is not None:
                then(done)

        journal.put(
            tx.entry,
            state,
            xid=tx.xid,
            version=tx.version,
            parts=len(tx.parts),
            database=tx.database,
            data=data,
            then=written,
        )
        return True

    def spill(self, tx: Transaction) -> None:
        """Move the effects in memory to disk, or to gaps where there is no room for them."""
        journal = self.journal
        if journal is None or tx.lapsed or not journal.fits(tx.size):
            self.overflow(tx, "a transaction past transaction_memory found no room in a spool")
            return
        self._enter(tx)
        self._count(tx)
        tx.tables |= self.tables_in(tx)
        position = tx.spooled
        for run in _runs(tx.effects, {place - tx.spooled for place in tx.boundaries()}):
            data = pack(run)
            tx.parts.append((position, cost(data)))
            tx.disk += cost(data)
            journal.put_part(tx.entry, position, data)
            position += len(run)
        tx.moved()
        self._weigh(tx, b"")
        journal.put(
            tx.entry,
            SpoolState.OPEN,
            xid=tx.xid,
            version=tx.version,
            parts=len(tx.parts),
            database=tx.database,
            data=b"",
            then=lambda done: None if done else self._lost(tx),
        )

    def release(self, tx: Transaction) -> None:
        """What is on disk of it is not needed any more."""
        if tx.entry and self.journal is not None:
            self.journal.done(tx.entry, tx.disk, parts=bool(tx.parts))
            tx.entry = tx.disk = tx.main = 0

    def overflow(self, tx: Transaction, detail: str) -> None:
        """Give up what is in memory: gaps in its place."""
        self.lapse(tx, Cause.OVERFLOW, detail)
        for effect in tx.effects:
            if type(effect) is Image:
                known = self._tables.by_oid(tx.database, table_of(effect.record))
                if known is not None:
                    known.meter.dropped += 1
        tx.give_up()

    def lapse(self, tx: Transaction, cause: Cause, detail: str) -> None:
        """Record a gap for every table of the effects in memory, whatever becomes of them: they are not on disk, and
        a kill would lose them."""
        for table in self.tables_in(tx) - tx.lapsed:
            self._gaps.record(tx.database, Unseen(cause, table, None, detail), tx.version)
            tx.lapsed.add(table)

    def tables_in(self, tx: Transaction) -> set[TableId]:
        """Mirrored tables of the effects in memory; all of the database where one is not known."""
        found: set[TableId] = set()
        for effect in tx.effects:
            if type(effect) is not Image:
                found.update(tables_of(effect))
                continue
            known = self._tables.by_oid(tx.database, table_of(effect.record))
            if known is not None:
                found.add(known.table)
            elif self._tables.unknown_is_strict(tx.database, table_of(effect.record)):
                found.update(known.table for known in self._tables.all(tx.database))
        return found

    def _lost(self, tx: Transaction) -> None:
        """The disk did not take it: what is in memory stays there, what was moved to disk is given up."""
        detail = "the spool could not be written"
        self.lapse(tx, Cause.SPOOL, detail)
        for table in tx.tables:
            self._gaps.record(tx.database, Unseen(Cause.SPOOL, table, None, detail), tx.version)
        if tx.entry and self.journal is not None:
            self.journal.done(tx.entry, tx.disk, parts=True)
        tx.lost()

    def _enter(self, tx: Transaction) -> None:
        assert self.journal is not None
        if not tx.entry:
            tx.entry = self.journal.number()
        if tx.cut is not None:
            gone = sum(size for start, size in tx.parts if start >= tx.cut)
            self.journal.cut(tx.entry, tx.cut, gone)
            tx.parts = [part for part in tx.parts if part[0] < tx.cut]
            tx.disk -= gone
            tx.cut = None

    def _weigh(self, tx: Transaction, data: bytes) -> None:
        """The entry itself, which may have been there, has `data` from now on."""
        assert self.journal is not None
        self.journal.bytes -= tx.main
        tx.disk += cost(data) - tx.main
        tx.main = cost(data)

    def _count(self, tx: Transaction) -> None:
        by_oid = self._tables.by_oid
        database = tx.database
        start = tx.stored - tx.spooled
        for effect in tx.effects[start:] if start else tx.effects:
            if type(effect) is Image:
                known = by_oid(database, effect.record[12:16])
                if known is not None:
                    known.meter.spooled += 1


def tables_of(effect: Effect) -> tuple[TableId, ...]:
    """Tables an effect names itself: none for an image."""
    if isinstance(effect, Truncation):
        return effect.tables
    return (effect.table,) if isinstance(effect, Unseen) else ()


def _runs(effects: list[Effect], boundaries: set[int]) -> Iterator[list[Effect]]:
    """Effects in runs of about PART_BYTES, none of them over a boundary."""
    run: list[Effect] = []
    size = 0
    for index, effect in enumerate(effects):
        if run and (index in boundaries or size >= PART_BYTES):
            yield run
            run, size = [], 0
        run.append(effect)
        size += len(effect.record) if type(effect) is Image else EFFECT_OVERHEAD
    if run:
        yield run
