"""Compares one table with its collection while both are written to, and repairs what differs.

From the rows to the documents: key-ordered chunks, each side as a digest, row by row where these differ. Then from the
documents to the rows: every `_id` is looked up. What differs is looked at again, beside the comparison, until it is
equal, or can be explained by nothing that is under way (`recheck`). Memory is that of some chunks and of the keys that
are looked at again, whatever the size of the table.

Why a comparison closes gaps
----------------------------
Let *u* be an unseen change, committed, whose gap the ledger had when the comparison began. The source's position p is
noted after the ledger was read, so u is before p; and every queue has passed p before the first row is read. So

* every row is read after u, and has u in it; every `_id` is looked up after u;
* no image up to p is still to come: what is applied from now on has a version w > p, and so was written after u. A
  document found equal to its row has u in it, and only such images, or repairs resting on later readings, replace it;
* what differs is repaired as `rereads` says, at a position later than p.

So if no difference is left of the whole table, u is in the documents. A gap that was seen again after the ledger was
read stays, and so do all if others had given this process up meanwhile, as they did not wait for what it wrote, or if
a proxy did not pass p in time. A proxy that was given up itself, and comes back, finds p in `_causeway.rereads`, where
it is left before the fleet is waited for: so either it is waited for, or it opens its gap again
(`proxy.fleet.returns`).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from proxy.backfill.compare import Difference, Kind, difference
from proxy.backfill.crew import Crew
from proxy.backfill.digests import MARKS, same
from proxy.backfill.elements import fields
from proxy.backfill.lookups import Lookups
from proxy.backfill.passing import HeldUp
from proxy.backfill.patience import Patience
from proxy.backfill.rate import TokenBucket
from proxy.backfill.rechecks import AT_ONCE, GATHER, Decided, Lasting, Rechecks
from proxy.backfill.repair import Fellow, Repairer
from proxy.backfill.report import Found, Report, Scope
from proxy.backfill.run import Boundary, KeyText
from proxy.mirror.effects import Cause
from proxy.names import TableName
from proxy.stores.protocol import Key

FIRST_ROWS = 100
CHUNK_ROWS = 1000
CHUNK_BYTES = 4 << 20
"""Of the documents of a chunk, about: fewer rows are read at once where they are large."""
IDS_AT_ONCE = 1000
TRIES = 3
"""How often a key is repaired that does not stay repaired."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is to be done."""

    scope: Scope = field(default_factory=Scope)
    repair: bool = False
    remove_foreign: bool = False
    """With `repair`: also documents that Causeway has not made and whose `_id`s are no keys of the table."""
    concurrency: int = 2
    """Chunks compared at once."""
    rate: float = 0.0
    """Rows and documents a second; 0: any number."""
    max_reread_rows: int = 10_000
    gather: float = GATHER
    chunk_rows: int = CHUNK_ROWS


@dataclass(slots=True)
class Progress:
    """What is shown while it goes on."""

    phase: str = ""
    waiting: str = ""
    """For what: source or store cannot be reached."""
    behind: str = ""
    """Which proxy is waited for, where that has taken a while."""
    estimate: int = 0
    """Rows and documents, about."""
    report: Report = field(default_factory=Report)


class Verify:
    """One comparison. Raises what source and store raise once patience is over, and NotReady."""

    def __init__(
        self,
        fellow: Fellow,
        name: TableName,
        options: Options,
        progress: Progress,
        *,
        lookups: Lookups | None = None,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._fellow = fellow
        self._options = options
        self._progress = progress
        self._report = progress.report
        self._lookups = lookups or Lookups(fellow, name)
        self._dice = dice
        self._repairer = Repairer(self._lookups, fellow, options.max_reread_rows)
        self._patience = Patience(self._lookups.refresh, self._say)
        self._bucket = TokenBucket()
        self._row_bytes = 0.0
        self._rechecks: Rechecks

    def _say(self, reason: str) -> None:
        self._progress.waiting = reason

    async def run(self) -> Report:
        options = self._options
        self._progress.phase = "waiting for the fleet"
        estimate = await self._patience.of(self._lookups.estimate)
        self._progress.estimate = 0 if options.scope.filtered else int(estimate * options.scope.sample)
        absences = self._fellow.absences
        closing = options.repair and options.scope.whole
        gaps: dict[str, tuple[str, datetime]] = {}
        if closing:
            gaps = await self._patience.of(self._open_gaps)
            try:
                await self._patience.of(self._passed)
            except HeldUp as error:
                self._report.held_up = str(error)
                gaps = {}
        async with Crew(AT_ONCE) as looks, Crew(options.concurrency) as chunks:
            rechecks = self._rechecks = Rechecks(
                self._lookups,
                self._fellow,
                self._report,
                self._settle,
                looks,
                self._patience,
                gather=options.gather,
            )
            self._progress.phase = "rows"
            async for low, boundary in self._boundaries():
                await chunks.begin(self._chunk(rechecks, low, boundary.high))
            await chunks.wait()
            await rechecks.finish()
            if not options.scope.filtered:
                self._progress.phase = "documents"
                async for ids in self._ids():
                    await chunks.begin(self._lookup(rechecks, ids))
                await chunks.wait()
            self._progress.phase = "rechecks"
            await rechecks.finish()
        if closing and gaps:
            await self._patience.of(lambda: self._close(gaps, absences))
        self._progress.phase = ""
        return self._report

    # From rows to documents.

    async def _boundaries(self) -> AsyncIterator[tuple[KeyText | None, Boundary]]:
        """The chunks that are to be compared."""
        low: KeyText | None = None
        while True:
            asked = low
            size = self._chunk_rows()
            boundary = await self._patience.of(lambda: self._lookups.boundary(asked, size))  # noqa: B023
            if boundary.high is None:
                return
            if self._chosen():
                await self._pace(boundary.keys)
                yield low, boundary
            if boundary.last:
                return
            low = boundary.high

    async def _chunk(self, rechecks: Rechecks, low: KeyText | None, high: KeyText | None) -> None:
        rows, keyless, size, suspects = await self._patience.of(lambda: self._compared(low, high))
        if rows:
            self._row_bytes = size / rows
        self._report.rows += rows
        self._report.impossible += keyless
        self._report.chunks += 1
        self._report.unequal += bool(suspects)
        await rechecks.suspect(suspects)

    async def _compared(self, low: KeyText | None, high: KeyText | None) -> tuple[int, int, int, list[Key]]:
        """How many rows there are, how many whose key no `_id` can hold, the bytes of the documents, and the keys of
        the rows that differ from theirs."""
        rows, keyless = await self._lookups.chunk(low, high, self._options.scope)
        documents = await self._lookups.documents_of(rows)
        size = sum(len(row.raw or b"") for row in rows)
        if same(rows, documents):
            return len(rows), keyless, size, []
        mapping = self._lookups.table.mapping
        suspects = [
            row.key
            for row, document in zip(rows, documents, strict=True)
            if row.raw is None or difference(mapping, row.raw, document) is not None
        ]
        return len(rows), keyless, size, suspects

    def _chunk_rows(self) -> int:
        rows = min(self._options.chunk_rows, FIRST_ROWS)
        if self._row_bytes:
            rows = min(self._options.chunk_rows, int(CHUNK_BYTES / self._row_bytes))
        if self._options.rate:
            rows = min(rows, int(self._options.rate))
        return max(1, rows)

    # From documents to rows.

    async def _ids(self) -> AsyncIterator[list[Any]]:
        after: Any = None
        while True:
            last = after
            ids = await self._patience.of(lambda: self._lookups.scan(last, IDS_AT_ONCE))  # noqa: B023
            if not ids:
                return
            if self._chosen():
                await self._pace(len(ids))
                yield ids
            after = ids[-1]

    async def _lookup(self, rechecks: Rechecks, ids: list[Any]) -> None:
        keys, foreign = await self._patience.of(lambda: self._lookups.sorted_out(ids))
        self._report.documents += len(ids)
        await rechecks.suspect(keys)
        if foreign:
            await self._strangers(foreign)

    async def _strangers(self, ids: Sequence[Any]) -> None:
        """Documents whose `_id`s no row can have. Those that have `_cw` are of a key the table had before."""
        documents = await self._patience.of(lambda: self._lookups.documents(ids))
        there = [(value, raw) for value, raw in zip(ids, documents, strict=True) if raw is not None]
        own = [value for value, raw in there if MARKS in fields(raw)]
        for value, _ in there:
            self._report.foreign += 1
            self._report.add(Found(Difference(Kind.EXTRA), value, "its _id is no key of the table"))
        if self._options.repair:
            removable = [value for value, _ in there] if self._options.remove_foreign else own
            self._report.removed += await self._patience.of(lambda: self._removed(removable))

    async def _removed(self, ids: Sequence[Any]) -> int:
        await self._repairer.remove(ids)
        left = await self._lookups.documents(ids)
        return sum(raw is None for raw in left)

    # What lasts.

    async def _settle(self, decided: Decided) -> None:
        report = self._report
        for one in decided.lasting:
            if one.difference is None:
                report.impossible += 1
            else:
                report.add(Found(one.difference, one.key.value))
        if not self._options.repair:
            return
        left, unsettled = decided, 0
        for _ in range(TRIES):
            keys = {one.key.token: one.key for one in left.lasting}
            if not keys:
                break
            position = left.position
            misnamed = [one.key.value for one in left.lasting if self._is_misnamed(one)]
            await self._patience.of(lambda: self._repairer.remove(misnamed))  # noqa: B023
            await self._patience.of(lambda: self._repairer.keys(list(keys.values()), position))  # noqa: B023
            left = await self._patience.of(lambda: self._rechecks.decide(keys))  # noqa: B023
            unsettled += left.unsettled
        report.repaired += _real(decided) - _real(left) - unsettled

    def _is_misnamed(self, one: Lasting) -> bool:
        """Whether the `_id` of its document may be of another type."""
        key = self._lookups.table.mapping.key_columns
        return len(key) == 1 and one.difference is not None and key[0] in one.difference.columns

    # Gaps.

    async def _open_gaps(self) -> dict[str, tuple[str, datetime]]:
        """Of the table, those in the ledger: cause and last sighting by id."""
        relation = self._lookups.table.relation
        name = str(TableName(relation.schema, relation.name))
        return {
            gap.id: (gap.cause, gap.last_seen)
            for gap in await self._fellow.store.gaps(database=self._lookups.database)
            if gap.table == name
        }

    async def _passed(self) -> None:
        position = await self._fellow.position(self._lookups.database)
        await self._repairer.leave(position)
        await self._fellow.wait_passed(self._lookups.database, position)

    async def _close(self, gaps: dict[str, tuple[str, datetime]], absences: int) -> None:
        report = self._report
        if report.left > report.impossible or self._repairer.lost or self._fellow.lost_since(absences):
            return
        for gap, (cause, seen) in list(gaps.items()):
            if cause == Cause.POISON.value and report.impossible:
                continue
            report.gaps_closed += await self._fellow.store.close_gap(gap, up_to=seen)
            del gaps[gap]

    # Pace.

    def _chosen(self) -> bool:
        sample = self._options.scope.sample
        return sample >= 1.0 or self._dice() < sample

    async def _pace(self, rows: int) -> None:
        now = time.monotonic()
        if wait := self._bucket.wait(self._options.rate, now):
            await asyncio.sleep(wait)
        self._bucket.spend(rows, self._options.rate, time.monotonic())


def _real(decided: Decided) -> int:
    """Differences that a repair can close."""
    return sum(one.difference is not None for one in decided.lasting)
