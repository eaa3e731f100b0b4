"""The keeper of gaps: what was written and not seen, kept until the store's ledger has it or it is closed.

`record` makes a gap durable on this proxy's own disk before it returns, so that the spool may forget the transaction
it came from. `run` carries gaps to the ledger. A gap whose rows are known closes by itself within seconds
(`proxy.mirror.rereads`): it goes to the ledger only if it lasts, and is told of in the heartbeat until then.

Sightings of the same thing are one gap: its id follows from database, table, cause and scope alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from proxy.fleet.cancelling import end_if_cancelled
from proxy.logs import EventLogger, get_logger
from proxy.mirror.effects import Cause, Rows, TableId, Unseen
from proxy.mirror.gap import (
    CLOSED_BY_OTHERS,
    MAX_ALL_ROWS_BYTES,
    MAX_ROWS_BYTES,
    Gap,
    GapCounts,
    GapLimits,
    backoff,
    entry_of,
    foldable,
    folded,
    gap_id,
    merged,
    parse_table,
    size_of,
    table_name,
)
from proxy.mirror.gapfile import GapFile, StoredGap, rows_of
from proxy.stores.protocol import GapEntry, Store, StoreRefused, StoreUnavailable

log = get_logger(__name__)

FOLD_BEYOND = 10
"""Gaps that go to the ledger one by one; where there are more, those of a table are put together first."""


class GapKeeper:
    """Implements `proxy.mirror.port.GapSink`. Belongs to one event loop."""

    def __init__(
        self,
        store: Store | None,
        file: GapFile | None,
        limits: GapLimits,
        *,
        proxy: str,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        log: EventLogger = log,
    ) -> None:
        """`proxy`: the id of this proxy's heartbeat. Takes up what `file` has kept; sqlite3.Error if it cannot."""
        self._store = store
        self._file = file
        self._limits = limits
        self._proxy = proxy
        self._clock = clock
        self._now = now
        self._log = log
        self._gaps: dict[str, Gap] = {}
        self._with_rows = 0
        self._rows_size = 0
        """Characters of all their values."""
        self._crowded = False
        """Whether there are so many that putting them together has been of no use."""
        self._ledger: dict[str, GapEntry] = {}
        """The ledger as it was read last, with what this process has done to it since."""
        self._writing = asyncio.Lock()
        """Held over every write to the ledger: what is being opened is not closed at the same time."""
        self._news = asyncio.Event()
        self.rows_news = asyncio.Event()
        """Set when there is a new gap with rows."""
        self.added = 0
        """Gaps that were put beside the others, ever: who remembers what `counts` said sees by it that it says more."""
        self.file_failures = 0
        """Gaps that could not be written to the file: they are in memory until the ledger has them."""
        if file is not None:
            for stored in file.gaps():
                gap = self._add(Gap(stored, clock()))
                gap.sightings = max(stored.count, 1)
                gap.told = 0 if stored.count else 1
                if gap.untold:  # later sightings may have been in memory only
                    gap.state = replace(stored, last_seen=now())
                if stored.unseen.rows is not None:  # a kill may have come between ledger and file
                    gap.state = replace(gap.state, in_ledger=True)

    def record(self, database: str, unseen: Unseen, version: int, *, owner: str = "") -> None:
        """Keeps a gap. What it concerns must have been committed, where rows are given; see `rereads`.

        Never raises; when it returns, the gap outlives a kill of the process where there is a disk that takes it.
        """
        unseen = self._bounded(database, unseen, owner)
        if unseen.rows is not None and not unseen.rows.values:
            return
        identity = gap_id(database, unseen, owner)
        gap = self._gaps.get(identity)
        moment = self._now()
        if gap is None:
            stored = StoredGap(
                identity, database, unseen, owner, version, 1, moment, moment, identity in self._ledger
            )
            gap = self._add(Gap(stored, self._clock()))
            gap.due += self._limits.reread_linger
            self._keep(gap)
            self._say(gap)
        else:
            gap.sightings += 1
            gap.state = replace(
                gap.state,
                version=max(gap.state.version, version),
                count=gap.sightings - gap.told,
                last_seen=moment,
                unseen=unseen,
            )
            if unseen.rows is not None:
                gap.due = min(gap.due, self._clock() + self._limits.reread_linger)
        (self._news if unseen.rows is None else self.rows_news).set()

    def due(self, database: str) -> list[Gap]:
        """The gaps of a database whose rows are to be read now."""
        now = self._clock()
        return [
            gap
            for gap in self._gaps.values()
            if gap.state.unseen.rows is not None and gap.state.database == database and gap.due <= now
        ]

    def databases(self) -> dict[str, float]:
        """Those with gaps whose rows are to be read, and when the first of them is due (monotonic)."""
        found: dict[str, float] = {}
        for gap in self._gaps.values():
            if gap.state.unseen.rows is not None:
                database = gap.state.database
                found[database] = min(gap.due, found.get(database, gap.due))
        return found

    def postpone(self, gap: Gap, most: float | None = None) -> None:
        """Its rows could not be read, or not be put right: again later, after `most` seconds at most."""
        gap.attempts += 1
        gap.due = self._clock() + backoff(gap.attempts, most or self._limits.retry_backoff_max)

    def park(self, gap: Gap) -> None:
        """Its table is not mirrored now: to the ledger, where it stays open."""
        gap.due = self._clock() + self._limits.adopt_after
        gap.since -= self._limits.ledger_after
        self._news.set()

    def discard(self, gap: Gap) -> None:
        """Other gaps stand in its place; what the ledger has of it stays."""
        if self._gaps.get(gap.state.id) is gap:
            self._forget(gap)

    async def seen_in_ledger(self, gaps: Sequence[Gap]) -> dict[str, datetime]:
        """When the ledger has seen those of `gaps` that are in it; for `close`. Raises as the store does."""
        seen = {gap.state.id: CLOSED_BY_OTHERS for gap in gaps if gap.state.in_ledger}
        if seen and self._store is not None:
            for entry in await self._store.gaps():
                if entry.id in seen:
                    seen[entry.id] = entry.last_seen
        return seen

    async def close(self, gap: Gap, sightings: int, up_to: datetime | None) -> bool:
        """Closes a gap unless it was seen again, here or by others.

        `sightings`, and `up_to` as `seen_in_ledger` gave it (None where it was not there), are of before its rows
        were read. Raises StoreUnavailable and StoreRefused; the gap is open then.
        """
        async with self._writing:
            state = gap.state
            if gap.sightings != sightings or self._gaps.get(state.id) is not gap:
                return False
            if state.in_ledger and up_to is None:
                return False  # it was told of meanwhile
            if up_to not in (None, CLOSED_BY_OTHERS) and self._store is not None:
                assert up_to is not None
                if not await self._store.close_gap(state.id, up_to=up_to):
                    return False
                if gap.sightings != sightings:  # while the ledger was told of the end
                    gap.told, gap.state = sightings, replace(gap.state, in_ledger=False)
                    return False
            self._forget(gap)
            self._ledger.pop(state.id, None)
            return True

    async def close_owned(self, database: str, table: TableId, owner: str, up_to: datetime) -> bool:
        """Closes the gap UNCLEAN_END of a proxy for one table, unless it was seen again after `up_to`."""
        identity = gap_id(database, Unseen(Cause.UNCLEAN_END, table), owner)
        async with self._writing:
            gap = self._gaps.get(identity)
            if gap is not None and gap.state.last_seen > up_to:
                return False
            closed = self._store is not None and await self._store.close_gap(identity, up_to=up_to)
            if gap is not None:
                self._forget(gap)
            self._ledger.pop(identity, None)
            return closed

    def counts(self) -> GapCounts:
        """Open gaps, as far as this process knows: its own and those of the ledger as it was read last."""
        found: Counter[tuple[str, str, str]] = Counter()
        for entry in self._ledger.values():
            found[entry.database, entry.table, entry.cause] += 1
        for identity, gap in self._gaps.items():
            if identity not in self._ledger:
                state = gap.state
                found[state.database, table_name(state.unseen.table), state.unseen.cause.value] += 1
        return dict(found)

    def own(self) -> dict[tuple[str, str], int]:
        """(database, table) -> open gaps that are not in the ledger yet: for the heartbeat."""
        found: Counter[tuple[str, str]] = Counter()
        for gap in self._gaps.values():
            if not gap.state.in_ledger:
                found[gap.state.database, table_name(gap.state.unseen.table)] += 1
        return dict(found)

    async def run(self) -> None:
        """Keeps the ledger told and reads it, until cancelled."""
        if self._store is None:
            await asyncio.Event().wait()
            return
        attempts, polled = 0, -self._limits.ledger_poll
        while True:
            end_if_cancelled()
            self._news.clear()
            try:
                await self.flush()
                if self._clock() - polled >= self._limits.ledger_poll:
                    await self.read_ledger()
                    polled = self._clock()
            except (StoreUnavailable, StoreRefused) as error:
                attempts += 1
                wait = backoff(attempts, self._limits.retry_backoff_max)
                self._log.warning("gap_ledger_away", reason=str(error), retry_in=round(wait, 1))
                await asyncio.sleep(wait)
                continue
            attempts = 0
            await self._wait(polled)

    async def flush(self) -> None:
        """Tells the ledger of all gaps that belong there. Raises StoreUnavailable, StoreRefused."""
        if self._store is None:
            return
        new = [gap for gap in self._gaps.values() if not gap.state.in_ledger and gap.state.unseen.rows]
        if len(new) > FOLD_BEYOND and any(map(self._lasting, new)):
            self._fold()
        for gap in list(self._gaps.values()):
            async with self._writing:
                if gap.untold and self._lasting(gap) and self._gaps.get(gap.state.id) is gap:
                    await self._tell(self._store, gap)

    async def stop(self) -> None:
        """The last chance of gaps that no disk keeps; a store that is away is no error."""
        for gap in self._gaps.values():
            gap.since = -math.inf
        try:
            await self.flush()
        except (StoreUnavailable, StoreRefused) as error:
            kept = self._file is not None
            say = self._log.info if kept else self._log.error
            say("gaps_not_in_ledger", reason=str(error), gaps=len(self._gaps), kept_on_disk=kept)

    async def read_ledger(self) -> None:
        """Reads the ledger, and takes up the gaps with rows that nobody seems to be about to close."""
        if self._store is None:
            return
        async with self._writing:
            entries = await self._store.gaps()
            self._ledger = {entry.id: entry for entry in entries}
        late = self._now().timestamp() - self._limits.adopt_after
        for entry in entries:
            if entry.rows is not None and entry.id not in self._gaps and entry.last_seen.timestamp() < late:
                self._adopt(entry)

    def _adopt(self, entry: GapEntry) -> None:
        if entry.rows is None or self._with_rows >= self._limits.max_reread_gaps:
            return
        rows = rows_of((entry.rows["columns"], entry.rows["values"]))
        unseen = Unseen(Cause(entry.cause), parse_table(entry.table), rows, entry.detail)
        stored = StoredGap(
            entry.id, entry.database, unseen, "", entry.version, 0, entry.first_seen, entry.last_seen, True
        )
        gap = self._add(Gap(stored, self._clock()))
        gap.told = gap.sightings
        gap.due = self._clock() + random.uniform(0, self._limits.ledger_poll)  # not all proxies at once
        self.rows_news.set()

    def _lasting(self, gap: Gap) -> bool:
        if gap.state.unseen.rows is None or gap.state.in_ledger:
            return True
        return self._clock() - gap.since >= self._limits.ledger_after

    async def _tell(self, store: Store, gap: Gap) -> None:
        sightings, state = gap.sightings, gap.state
        entry = entry_of(state, self._proxy)
        await store.open_gap(entry)
        self._ledger[state.id] = entry
        gap.told = sightings
        gap.state = replace(gap.state, count=gap.sightings - sightings, in_ledger=True)
        if gap.untold or state.unseen.rows is not None:
            self._keep(gap)
        else:
            self._forget(gap)

    async def _wait(self, polled: float) -> None:
        """Until there is something to tell, or may be: a new gap with rows gives no sign."""
        now = self._clock()
        moments = [polled + self._limits.ledger_poll, now + self._limits.ledger_after]
        moments += [gap.since + self._limits.ledger_after for gap in self._gaps.values() if gap.untold]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(min(moments) - now, 0.01)):
                await self._news.wait()

    def _bounded(self, database: str, unseen: Unseen, owner: str) -> Unseen:
        """With the table for scope where there are too many rows to read them again."""
        if unseen.rows is None:
            return unseen
        rows = Rows(unseen.rows.columns, tuple(dict.fromkeys(unseen.rows.values)))
        unseen = replace(unseen, rows=rows)
        size = size_of(rows)
        fits = len(rows.values) <= self._limits.max_reread_rows and size <= MAX_ROWS_BYTES
        fits = fits and self._rows_size + size <= MAX_ALL_ROWS_BYTES
        if fits and self._with_rows >= self._limits.max_reread_gaps:
            if gap_id(database, unseen, owner) in self._gaps:
                return unseen
            if not self._crowded:
                self._fold()
                self._crowded = self._many
            fits = not self._crowded
        if fits:
            return unseen
        return replace(
            unseen, rows=None, detail=f"{unseen.detail} (more rows than can be read again)".strip()
        )

    @property
    def _many(self) -> bool:
        """Below that, many gaps fit in between one fold and the next."""
        return 4 * self._with_rows > 3 * self._limits.max_reread_gaps

    def _fold(self) -> None:
        """Puts gaps together that differ in their values alone and are not in the ledger yet."""
        for states in foldable(gap.state for gap in self._gaps.values() if not gap.state.in_ledger):
            for part in folded(states, self._limits.max_reread_rows):
                if len(part) == 1:
                    continue
                whole = Gap(merged(part), min(self._gaps[state.id].since for state in part))
                if whole.state.id not in self._gaps:
                    self._keep(self._add(whole))
                for state in part:
                    if state.id != whole.state.id:
                        self._forget(self._gaps[state.id])

    def _add(self, gap: Gap) -> Gap:
        self._gaps[gap.state.id] = gap
        self.added += 1
        rows = gap.state.unseen.rows
        if rows is not None:
            self._with_rows += 1
            self._rows_size += size_of(rows)
        return gap

    def _forget(self, gap: Gap) -> None:
        del self._gaps[gap.state.id]
        rows = gap.state.unseen.rows
        if rows is not None:
            self._with_rows -= 1
            self._rows_size -= size_of(rows)
            self._crowded = self._crowded and self._many
        if self._file is not None:
            try:
                self._file.remove(gap.state.id)
            except sqlite3.Error as error:  # it will be closed or told of once more after a restart
                self._log.error("gap_file_failed", reason=str(error))

    def _keep(self, gap: Gap) -> None:
        if self._file is None:
            return
        try:
            self._file.put(gap.state)
        except sqlite3.Error as error:
            self.file_failures += 1
            self._log.error("gap_file_failed", reason=str(error), table=table_name(gap.state.unseen.table))

    def _say(self, gap: Gap) -> None:
        unseen = gap.state.unseen
        say, scope = (self._log.warning, "table") if unseen.rows is None else (self._log.debug, "rows")
        place = {"database": gap.state.database, "table": table_name(unseen.table)}
        say("gap_opened", **place, cause=unseen.cause.value, scope=scope, detail=unseen.detail)
