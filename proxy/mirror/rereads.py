"""Closing gaps whose rows are known, by reading these rows again.

Why a repaired document stays right
-----------------------------------
Let *u* be the unseen change of a row, committed; its gap is recorded after that. Documents carry the version of the
last image, and a repair keeps it: v stays, r grows. So an image with a larger version than the document's overwrites
a repair even where it is *older than u*: it was captured before u, and waits in some proxy's queue or spool. Therefore:

1. The source's position p is noted after the gap was recorded: u is before p.
2. Every proxy's queue, this one's among them, must have passed p (`Heartbeat.wait_passed`): no image with a version
   up to p is still to be applied, nor a repair by somebody who read the source before p.
3. Then the states (v, r) are read from the store, *then* the rows from PostgreSQL, then comes the repair, a
   compare-and-set on (v, r).

An image that is applied after step 2 has a version w > p. It was written after u and is a whole row, so it has u in
it, or what somebody made of it. If it is applied before the states are read, the compare is with it; between the
states and the repair, the compare fails and all is read again; after the repair, it is newer than what the repair
rests on, or it is that very row: PostgreSQL was read before or after w was written, and an image of *later* unseen
changes is the matter of *their* gaps, each with its own p > w. Hence also an open transaction needs no waiting for as
such: its images are of rows it has locked, which u cannot have changed since. (It is waited for all the same, as its
end may be on the way.)

A proxy that was declared lost is not waited for, and may hold an image from before u. So p is left in
`_causeway.rereads` before the states are read, whether or not anything is found to be repaired: such a proxy has
applied its images before it looks there (`proxy.fleet.returns`), so either its image is in the states, or p is seen.

A re-read holds a version itself from before it reads until its repairs are done: another one whose rows have changed
since waits for it. A backfill must do the same with its chunks, lest it seeds a row whose end nobody saw.

Rows found changed or gone are changes like any other: what follows from them by foreign keys is recorded before the
repair, so that a re-read cut short in between is done again with the same result.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from proxy.catalog.model import Snapshot
from proxy.catalog.source import SourceError
from proxy.fleet.cancelling import end_if_cancelled
from proxy.fleet.returns import leave_reread
from proxy.logs import EventLogger, get_logger
from proxy.mirror.cascades import IsMirrored, behind
from proxy.mirror.effects import Cause, Rows, TableId
from proxy.mirror.gap import Gap, GapLimits
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.reread_rows import CatalogueBehind, NotRereadable, Outcome, Pass, RowSource
from proxy.mirror.tables import MirroredTable
from proxy.stores.protocol import Store, StoreRefused, StoreUnavailable

log = get_logger(__name__)

VALUES_AT_ONCE = 1000
"""Values of one pass."""
AT_ONCE = 2
"""Databases that are read at the same time."""
POISON_BACKOFF_MAX = 600.0
"""Seconds between two attempts at a row that no document could hold."""


class Tables(Protocol):
    """What is mirrored now."""

    def table(self, database: str, table: TableId) -> MirroredTable | None: ...

    def ruled(self, database: str, table: TableId) -> bool:
        """Whether the rules ask for it to be mirrored."""

    def snapshot(self, database: str) -> Snapshot | None: ...

    def source(self, database: str) -> RowSource: ...

    def refresh_soon(self, database: str) -> None:
        """The catalogue as it is known does not fit a row."""


WaitPassed = Callable[[str, int], Awaitable[None]]
"""`Heartbeat.wait_passed`."""


class Rereader:
    """Works through the keeper's gaps that have rows. Belongs to one event loop. A `Holder` of the heartbeat."""

    def __init__(
        self,
        store: Store,
        keeper: GapKeeper,
        tables: Tables,
        wait_passed: WaitPassed,
        limits: GapLimits,
        *,
        proxy: str,
        log: EventLogger = log,
    ) -> None:
        """`proxy`: the id of this proxy's heartbeat."""
        self._store = store
        self._keeper = keeper
        self._tables = tables
        self._wait_passed = wait_passed
        self._limits = limits
        self._proxy = proxy
        self._log = log
        self._holding: dict[str, int] = {}
        self._working: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)
        self.rows_same = 0
        """Rows read again whose document was right."""
        self.rows_repaired = 0
        self.races = 0
        """Repairs tried again because the document had changed meanwhile."""
        self.closed = 0
        """Gaps closed."""
        self.failures = 0
        """Rounds that the store or the source cut short."""

    def watermark(self, database: str) -> int | None:
        """The version before which nothing is that a re-read under way rests on."""
        return self._holding.get(database)

    async def run(self) -> None:
        """Until cancelled. What is a fault of this program is raised."""
        news = self._keeper.rows_news
        try:
            while True:
                news.clear()
                soonest = self._start_due()
                waiting = asyncio.create_task(news.wait())
                try:
                    done, _ = await asyncio.wait(
                        {waiting, *self._working.values()},
                        timeout=soonest,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                finally:
                    waiting.cancel()
                for database in [name for name, task in self._working.items() if task in done]:
                    self._working.pop(database).result()
        finally:
            tasks = list(self._working.values())
            self._working.clear()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def round(self, database: str) -> None:
        """Reads again all rows of the database that are due. What cannot be done now is postponed."""
        gaps = list(self._sorted_out(database, self._keeper.due(database)))
        if not gaps:
            return
        taken = {gap.state.id: gap.sightings for gap in gaps}
        try:
            seen = await self._keeper.seen_in_ledger(gaps)
            source = self._tables.source(database)
            position = await source.insert_position()
            await self._wait_passed(database, position)
            self._holding[database] = position
            async with self._turn:
                for batch in _batches(gaps):
                    end_if_cancelled()
                    await self._batch(database, batch, source, position, taken, seen)
        except (StoreUnavailable, StoreRefused, SourceError, CatalogueBehind) as error:
            self.failures += 1
            self._log.warning("reread_failed", database=database, reason=str(error), gaps=len(gaps))
            if isinstance(error, CatalogueBehind):
                self._tables.refresh_soon(database)
            for gap in gaps:
                self._keeper.postpone(gap)
        except Exception as error:  # noqa: BLE001 - one row that nobody foresaw must not stop the others for good
            self.failures += 1
            self._log.exception("reread_broken", error, database=database)
            for gap in gaps:
                self._keeper.postpone(gap, POISON_BACKOFF_MAX)
        finally:
            self._holding.pop(database, None)

    def _start_due(self) -> float | None:
        """Starts what is due; seconds until something else is."""
        now = time.monotonic()
        later = []
        for database, due in self._keeper.databases().items():
            if database in self._working:
                continue
            if due <= now:
                task = asyncio.create_task(self.round(database), name=f"rereads of {database}")
                self._working[database] = task
            else:
                later.append(due - now)
        return min(later, default=None)

    def _sorted_out(self, database: str, gaps: Sequence[Gap]) -> Iterator[Gap]:
        """Those whose table is mirrored. Of the others, cascades lead on; the rest stays open in the ledger."""
        snapshot = self._tables.snapshot(database)
        for gap in gaps:
            unseen = gap.state.unseen
            if self._tables.table(database, unseen.table) is not None:
                yield gap
            elif (
                snapshot is not None
                and unseen.cause is Cause.CASCADE
                and not self._tables.ruled(database, unseen.table)
            ):
                for further in behind(snapshot, unseen, self._mirrored(database)):
                    self._keeper.record(database, further, gap.state.version)
                self._keeper.discard(gap)
            else:
                self._keeper.park(gap)

    async def _batch(
        self,
        database: str,
        gaps: Sequence[Gap],
        source: RowSource,
        position: int,
        taken: dict[str, int],
        seen: dict[str, datetime],
    ) -> None:
        """Gaps of one table and the same columns."""
        table = self._tables.table(database, gaps[0].state.unseen.table)
        if table is None:  # not any more
            for gap in gaps:
                self._keeper.park(gap)
            return
        try:
            outcome = await self._read_again(database, table, _rows_of(gaps), source, position)
        except NotRereadable as error:
            if len(gaps) > 1:
                for gap in gaps:
                    await self._batch(database, [gap], source, position, taken, seen)
                return
            state = gaps[0].state
            detail = f"{state.unseen.detail}: {error}" if state.unseen.detail else str(error)
            self._keeper.record(
                database, replace(state.unseen, rows=None, detail=detail), max(state.version, position)
            )
            outcome = Outcome()
        for poisoned in outcome.poisoned:
            self._keeper.record(database, poisoned, position)
        for gap in gaps:
            most = POISON_BACKOFF_MAX if gap.state.unseen.cause is Cause.POISON else None
            if not outcome.unsettled and await self._keeper.close(
                gap, taken[gap.state.id], seen.get(gap.state.id)
            ):
                self.closed += 1
            else:
                self._keeper.postpone(gap, most)

    async def _read_again(
        self, database: str, table: MirroredTable, rows: Rows, source: RowSource, position: int
    ) -> Outcome:
        whole = Outcome()
        # Also where nothing turns out to need a repair: a proxy that was lost may hold an older image.
        await leave_reread(self._store, self._proxy, database, table.relation.id, position)

        async def before_repairs() -> None:
            return

        for start in range(0, len(rows.values), VALUES_AT_ONCE):
            part = Pass(
                table,
                source,
                self._store,
                limit=self._limits.max_reread_rows,
                mirrored=self._mirrored(database),
                record=lambda unseen: self._keeper.record(database, unseen, position),
                before_repairs=before_repairs,
            )
            outcome = await part.run(Rows(rows.columns, rows.values[start : start + VALUES_AT_ONCE]))
            self.rows_same += outcome.same
            self.rows_repaired += outcome.repaired
            self.races += outcome.races
            whole.unsettled += outcome.unsettled
            whole.poisoned += outcome.poisoned
        return whole

    def _mirrored(self, database: str) -> IsMirrored:
        return lambda table: self._tables.table(database, table) is not None


def _batches(gaps: Sequence[Gap]) -> Iterator[list[Gap]]:
    """Gaps of one table and the same columns together, as many as one pass takes."""
    groups: dict[tuple[TableId, tuple[str, ...]], list[Gap]] = {}
    for gap in gaps:
        unseen = gap.state.unseen
        assert unseen.rows is not None
        groups.setdefault((unseen.table, unseen.rows.columns), []).append(gap)
    for group in groups.values():
        batch: list[Gap] = []
        size = 0
        for gap in group:
            assert gap.state.unseen.rows is not None
            values = len(gap.state.unseen.rows.values)
            if batch and size + values > VALUES_AT_ONCE:
                yield batch
                batch, size = [], 0
            batch.append(gap)
            size += values
        yield batch


def _rows_of(gaps: Sequence[Gap]) -> Rows:
    values: dict[tuple[str | None, ...], None] = {}
    columns: tuple[str, ...] = ()
    for gap in gaps:
        assert gap.state.unseen.rows is not None
        columns = gap.state.unseen.rows.columns
        values.update(dict.fromkeys(gap.state.unseen.rows.values))
    return Rows(columns, tuple(values))
