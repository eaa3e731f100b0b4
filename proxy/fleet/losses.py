"""Declaring silent proxies lost, and forgetting those that are long gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from proxy.fleet.beats import Beat, Fleet, TableFact, parse_beat
from proxy.logs import EventLogger
from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.mirror.gaps import GapKeeper
from proxy.stores.protocol import Store

PROXIES = "proxies"
LOST = "lost"
FORGET_AFTER = timedelta(days=7)
"""A proxy that ended cleanly, or was declared lost, so long ago is dropped from the documents."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Says that a proxy was declared lost, and what it had said of itself last."""

    proxy: str
    incarnation: str
    tables: tuple[TableFact, ...]
    passed: Mapping[str, int]
    """Its last: what it still holds is newer, and others may meanwhile have read the same rows again."""
    at: datetime
    by: str

    def document(self) -> dict[str, Any]:
        return {
            "incarnation": self.incarnation,
            "tables": [
                [fact.database, fact.table.schema, fact.table.name, fact.phase, fact.durability]
                for fact in self.tables
            ],
            "passed": [[database, version] for database, version in self.passed.items()],
            "at": self.at,
            "by": self.by,
        }


def parse_mark(proxy: str, document: Mapping[str, Any]) -> Mark:
    return Mark(
        proxy,
        str(document["incarnation"]),
        tuple(
            TableFact(database, TableId(schema, name), phase, durability)
            for database, schema, name, phase, durability in document["tables"]
        ),
        MappingProxyType({database: int(version) for database, version in document["passed"]}),
        document["at"],
        str(document["by"]),
    )


class Losses:
    """Reads the documents of the fleet, and declares lost who has been silent for too long."""

    def __init__(
        self,
        store: Store,
        keeper: GapKeeper,
        own: str,
        lost_after: float,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        log: EventLogger,
    ) -> None:
        self._store = store
        self._keeper = keeper
        self._own = own
        self._lost_after = lost_after
        self._clock = clock
        self._now = now
        self._log = log
        self.fleet = Fleet(own)
        self.marks: Mapping[str, Mark] = {}

    async def look(self) -> None:
        """Read the documents now; the marks first, so that who is marked meanwhile is waited for once too often."""
        marks = await self._store.get_state(LOST)
        beats = await self._store.get_state(PROXIES)
        self.marks = {proxy: parse_mark(proxy, document) for proxy, document in marks.items()}
        self.fleet.observe(
            (parse_beat(proxy, document) for proxy, document in beats.items()), marks, self._clock()
        )

    async def declare(self) -> None:
        """Gaps for the tables of every proxy that is silent, and then the mark: a mark without gaps is never seen."""
        for beat in self.fleet.silent(self._clock(), self._lost_after):
            for fact in beat.tables:
                why = f"proxy {beat.proxy[:8]} has not been heard of, and may hold writes"
                self._keeper.record(
                    fact.database, Unseen(Cause.UNCLEAN_END, fact.table, None, why), 0, owner=beat.proxy
                )
            await self._keeper.flush()
            mark = Mark(beat.proxy, beat.incarnation, beat.tables, beat.passed, self._now(), self._own)
            await self._store.put_state(LOST, beat.proxy, mark.document())
            self._log.warning(
                "proxy_lost", proxy=beat.proxy, tables=len(beat.tables), silent_for=self._lost_after
            )

    async def forget(self) -> None:
        """Drops the documents of those that are long gone; their gaps stay."""
        late = self._now() - FORGET_AFTER
        for proxy, beat in self.fleet.beats.items():
            mark = self.marks.get(proxy)
            if proxy != self._own and (_ended(beat, late) or (mark is not None and mark.at < late)):
                await self._store.delete_state(PROXIES, proxy)
                await self._store.delete_state(LOST, proxy)


def _ended(beat: Beat, late: datetime) -> bool:
    return beat.clean and beat.at < late
