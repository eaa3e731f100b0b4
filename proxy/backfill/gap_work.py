"""Working off the gaps of the ledger: those with rows by reading these again, those of whole tables by comparing them.

A gap with rows is closed as `proxy.mirror.rereads` says: its last sighting is read from the ledger, then the source's
position is noted and waited for, then its rows are repaired; a sighting that came later keeps it open. A gap of a whole
table is closed by `verify`, for its reasons. What a repair leads to by foreign keys is a gap of its own, so this is
repeated while it gets on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from proxy.backfill.lookups import Lookups
from proxy.backfill.member import Member, NotReady
from proxy.backfill.patience import Patience
from proxy.backfill.repair import Repairer
from proxy.backfill.verify import Options
from proxy.backfill.verify_progress import Shown
from proxy.backfill.verifying import FAULTS, one_table
from proxy.mirror.gap import parse_table
from proxy.mirror.gapfile import rows_of
from proxy.mirror.reread_rows import NotRereadable
from proxy.names import TableName
from proxy.stores.protocol import GapEntry

ROUNDS = 10
"""Of cascades behind cascades."""
TABLE_SCOPE = "table"


@dataclass(slots=True)
class Worked:
    """What has become of the gaps."""

    closed: int = 0
    left: list[tuple[GapEntry, str]] = field(default_factory=list)
    """Those still open, and why."""


Chosen = Callable[[GapEntry], bool]


class GapWork:
    """Raises what the store raises."""

    def __init__(
        self, member: Member, chosen: Chosen, shown: Shown, stop: asyncio.Event, *, max_reread_rows: int
    ) -> None:
        """`stop`: no further table is begun, and that under way is cut short."""
        self._member = member
        self._chosen = chosen
        self._shown = shown
        self._stop = stop
        self._why: dict[str, str] = {}
        self._max_rows = max_reread_rows

    async def run(self) -> Worked:
        worked = Worked()
        for _ in range(ROUNDS):
            before = await self._open()
            if not before:
                break
            for name, gaps in _by_table(before):
                if not self._stop.is_set():
                    await self._table(name, gaps)
            after = await self._open()
            ids = {gap.id for gap in after}
            closed = sum(gap.id not in ids for gap in before)
            worked.closed += closed
            if not closed or self._stop.is_set():
                break
        worked.left = [(gap, self._why.get(gap.id, "")) for gap in await self._open()]
        return worked

    async def _open(self) -> list[GapEntry]:
        return [gap for gap in await self._member.store.gaps() if self._chosen(gap)]

    async def _table(self, name: TableName, gaps: Sequence[GapEntry]) -> None:
        try:
            self._member.table(name)
        except NotReady as error:
            self._explain(gaps, str(error))
            return
        whole = [gap for gap in gaps if gap.scope == TABLE_SCOPE or gap.rows is None]
        try:
            for gap in gaps:
                if gap not in whole and not await self._rows(name, gap):
                    whole.append(gap)
            if whole:
                await self._compare(name, whole)
        except FAULTS as error:
            self._explain(gaps, str(error))

    async def _rows(self, name: TableName, gap: GapEntry) -> bool:
        """False where only a comparison of the table can close it."""
        assert gap.rows is not None
        lookups = Lookups(self._member, name)
        patience = Patience(lookups.refresh)
        repairer = Repairer(lookups, self._member, self._max_rows)
        position = await patience.of(lambda: self._member.position(lookups.database))
        await patience.of(lambda: self._member.wait_passed(lookups.database, position))
        rows = rows_of((gap.rows["columns"], gap.rows["values"]))
        try:
            outcome = await patience.of(lambda: repairer.rows(rows, position))
        except NotRereadable:
            return False
        if outcome.poisoned:
            self._explain([gap], outcome.poisoned[0].detail or "no document can hold a row")
        elif outcome.unsettled:
            self._explain([gap], "its documents keep changing")
        elif repairer.lost:
            self._explain([gap], "the fleet has given this command up meanwhile")
        elif not await patience.of(lambda: self._member.store.close_gap(gap.id, up_to=gap.last_seen)):
            self._explain([gap], "it was seen again")
        return True

    async def _compare(self, name: TableName, gaps: Sequence[GapEntry]) -> None:
        options = Options(repair=True, max_reread_rows=self._max_rows)
        table = self._member.table(name)
        done = await one_table(self._member, table, options, self._shown, self._stop)
        why = done.state.message or "it was seen again"
        if done.report.left and not done.report.held_up:
            why = f"{done.report.left} differences are left; `causeway verify` shows them"
        self._explain(gaps, why)

    def _explain(self, gaps: Sequence[GapEntry], why: str) -> None:
        self._why.update(dict.fromkeys((gap.id for gap in gaps), why))


def _by_table(gaps: Sequence[GapEntry]) -> Iterator[tuple[TableName, list[GapEntry]]]:
    found: dict[TableName, list[GapEntry]] = {}
    for gap in gaps:
        table = parse_table(gap.table)
        found.setdefault(TableName(table.schema, table.name, gap.database), []).append(gap)
    yield from found.items()
