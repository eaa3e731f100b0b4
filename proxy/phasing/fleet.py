"""What the store knows of a fleet and of a table, as `causeway phase` asks it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from proxy.admin.history import TableHistory
from proxy.backfill.history import histories
from proxy.backfill.report import KIND as VERIFY
from proxy.backfill.run import KIND as BACKFILL
from proxy.fleet.beats import PROXY, Beat, Fleet, parse_beat
from proxy.fleet.losses import LOST, PROXIES
from proxy.fleet.rates import place_of
from proxy.fleet.standings import Seats
from proxy.fleet.switches import KIND, Switched, parse_switch
from proxy.mirror.effects import TableId
from proxy.names import TableName
from proxy.phases import Phase
from proxy.phasing.opening import gates_to
from proxy.rulefiles.ruleset import TableRule
from proxy.stores.protocol import Store
from proxy.switch_gates import Evidence, Judged

OWN = "causeway phase"
"""Who has written a switch, where this command has."""


class Observer:
    """Looks at the proxies in front of one server. Its methods raise StoreUnavailable, StoreRefused."""

    def __init__(self, store: Store, source: str) -> None:
        """`source`: the server's system identifier; empty: proxies of all servers."""
        self._store = store
        self._fleet = Fleet("", source)

    async def proxies(self) -> list[Beat]:
        """Those that live, as far as anybody knows."""
        marks = await self._store.get_state(LOST)
        beats = await self._store.get_state(PROXIES)
        told = (parse_beat(proxy, document) for proxy, document in beats.items())
        self._fleet.observe(told, marks, time.monotonic())
        return [beat for beat in self._fleet.others() if beat.role == PROXY]

    def silent(self, seconds: float) -> frozenset[str]:
        """Proxies whose beat was the same for so long."""
        return frozenset(beat.proxy for beat in self._fleet.silent(time.monotonic(), seconds))

    async def gates(
        self, rule: TableRule, name: TableName, phase: Phase, beats: Sequence[Beat]
    ) -> list[Judged]:
        """`name` has a database."""
        runs = await self._store.get_state(BACKFILL)
        history: TableHistory | None = histories(runs, await self._store.get_state(VERIFY)).get(str(name))
        place = place_of(name)
        gaps = sum(
            place == (gap.database, gap.table) for gap in await self._store.gaps(database=name.database)
        )
        gaps += sum(beat.gaps.get(place, 0) for beat in beats)
        seats = Seats(beats).of(name.database or "", TableId(name.schema, name.name))
        switches = await self._store.get_state(KIND)
        switch = parse_switch(switches[str(name)]) if str(name) in switches else None
        here = min((seat.phase or Phase.PASSTHROUGH for seat in seats if not seat.unused), default=None)
        return gates_to(
            phase,
            name,
            history,
            Evidence(rule.gates, gaps, seats, switch),
            from_=here or Phase.PASSTHROUGH,
        )

    async def let_again(self, names: Sequence[TableName], rules: str) -> list[TableName]:
        """Tells tables that were rolled back that they may pass the gates again; those that were."""
        found = []
        switches = await self._store.get_state(KIND)
        for name in names:
            document = switches.get(str(name))
            known = None if document is None else parse_switch(document)
            if known is None or not known.rolled_back:
                continue
            new = replace(known, state=Switched.GATED, rules=rules, at=datetime.now(UTC), by=OWN, why="")
            if await self._store.swap_state(KIND, str(name), known.revision, new.document()):
                found.append(name)
        return found

    def met(self, table: TableId, beats: Sequence[Beat]) -> tuple[str, ...]:
        """The databases in which a proxy, or a switch, knows the table."""
        found = {one.database for beat in beats for one in beat.tables if one.table == table}
        found |= {one.database for beat in beats for one in beat.standings if one.table == table}
        return tuple(sorted(found))
