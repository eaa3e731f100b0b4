"""Lets tables into `primary_switch`, keeps them out, and takes them back: one process's part in what the fleet decides.

It judges the gates by what all proxies have told in their heartbeats, and reads and writes the switches of the fleet.
Serving begins only once the store has noted that the table is let in; falling back begins here at once, and is
written as soon as the store takes it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Protocol

from proxy.fleet.beats import PROXY, Fleet
from proxy.fleet.rates import Rates, Totals, place_of
from proxy.fleet.standings import Seat, Seats, Standing
from proxy.fleet.switches import KIND, Switch, Switched, parse_switch
from proxy.fleet.tallies import NOTHING
from proxy.logs import EventLogger, get_logger
from proxy.mirror.effects import TableId
from proxy.mirror.tables import UNKNOWN, Closed, RuledTable, Switchboard, TableBook
from proxy.names import TableName
from proxy.phases import Holding, Phase
from proxy.rulefiles.ruleset import RuleSet
from proxy.stores.protocol import Store, StoreRefused, StoreUnavailable
from proxy.switch_gates import Evidence, closed, entering, lasting, mirroring, past_limits, refreshed, shut
from proxy.switch_moves import Change, View, move

log = get_logger(__name__)

LOOK_INTERVAL = 1.0
"""Seconds between two looks at the switches of the fleet while a table asks for `primary_switch`."""
IDLE_INTERVAL = 10.0
"""The same while none does."""
MAX_CHANGES = 100
"""Changes of the rules that are remembered while the store does not answer."""
LETTING_IN = "all gates are open; the fleet is being told"


class Fellows(Protocol):
    """The part of the heartbeat that is needed here."""

    attentive: bool

    @property
    def proxy(self) -> str: ...
    @property
    def fleet(self) -> Fleet: ...
    @property
    def met(self) -> bool:
        """Whether the others were ever looked at."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """What is the same for all tables at one moment."""

    moment: float
    gaps: Mapping[tuple[str, str], int]
    lags: Mapping[tuple[str, str], float]
    others: Seats


class Switching:
    """Belongs to one event loop."""

    def __init__(
        self,
        store: Store,
        fellows: Fellows,
        tables: Callable[[], TableBook],
        gaps: Callable[[], Mapping[tuple[str, str, str], int]],
        lags: Callable[[], Mapping[tuple[str, str], float]],
        totals: Iterable[Totals],
        unseen: Callable[[str, TableId, str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        log: EventLogger = log,
    ) -> None:
        """`gaps`: open ones by database, table and cause. `lags`: seconds by database and table. `unseen` keeps a gap:
        database, table, and why something of it may be missing in the documents."""
        self._store = store
        self._fellows = fellows
        self._tables = tables
        self._gaps = gaps
        self._lags = lags
        self._unseen = unseen
        self._clock = clock
        self._now = now
        self._log = log
        self._rates = Rates(totals)
        self._switches: Mapping[str, Switch] = {}
        self._known = False
        """Whether the switches were ever read."""
        self._inside: set[TableName] = set()
        """Tables that the fleet has let in, and that nothing has thrown out here since."""
        self._falling: dict[TableName, str] = {}
        """Tables that fall back, and why, until the store has noted it."""
        self._changes: list[Change] = []
        self._news = asyncio.Event()
        self._fresh: Mapping[str, Closed] = {}
        self._used = Switchboard(others=UNKNOWN)
        self.rollbacks: Counter[tuple[str, str]] = Counter()
        """By database and table: how often this process has taken it back."""

    # What the process asks and tells.

    @property
    def board(self) -> Switchboard:
        """What a TableBook is to be made with."""
        return self._used

    def settle(self) -> bool:
        """Judges every table that asks for `primary_switch`; whether another TableBook must be made."""
        self._fresh = self._judge()
        if _outline(self._fresh) == _outline(self._used.tables):
            return False
        self._used = Switchboard(MappingProxyType(dict(self._fresh)), UNKNOWN)
        return True

    def shown(self, name: TableName, holding: Holding) -> Holding:
        """With the figures of now: those of the TableBook are as old as the decision."""
        return refreshed(holding, self._used.at(name), self._fresh.get(str(name), self._used.at(name)))

    def rules_changed(self, old: RuleSet, new: RuleSet) -> None:
        self._changes = [*self._changes[1 - MAX_CHANGES :], Change(old, new)]
        self._news.set()

    def standings(self) -> tuple[Standing, ...]:
        """For the heartbeat."""
        scene = self._scene()
        return tuple(
            self._standing(name, ruled, scene)
            for name, ruled in self._tables().ruled.items()
            if ruled.holding.held or ruled.holding.effective >= Phase.DARK_READ
        )

    async def run(self) -> None:
        """Reads and writes the switches until cancelled."""
        while True:
            self._news.clear()
            asked = max(
                (one.holding.requested for one in self._tables().ruled.values()), default=Phase.PASSTHROUGH
            )
            if asked >= Phase.DARK_READ or self._changes:
                try:
                    await self.turn()
                except (StoreUnavailable, StoreRefused) as error:
                    self._log.debug("switches_not_read", reason=str(error))
            pause = LOOK_INTERVAL if asked >= Phase.PRIMARY_SWITCH else IDLE_INTERVAL
            try:
                async with asyncio.timeout(pause):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def turn(self) -> None:
        """One look, and what follows from it. Raises StoreUnavailable, StoreRefused."""
        changes = list(self._changes)
        found = await self._store.get_state(KIND)
        ruled = self._tables().ruled
        ours = {str(name) for name in ruled}
        self._switches = {name: parse_switch(value) for name, value in found.items() if name in ours}
        self._known = True
        scene = self._scene()
        for name, table in ruled.items():
            if self._is_wanted(table) or str(name) in self._switches:
                await self._move(name, table, changes, scene)
        self._changes = [change for change in self._changes if change not in changes]

    async def _move(
        self, name: TableName, ruled: RuledTable, changes: Sequence[Change], scene: _Scene
    ) -> None:
        switch = self._switches.get(str(name))
        told = any(change.tells(switch, name.database or "", name.schema, name.name) for change in changes)
        state = move(switch, self._view(name, ruled, scene, told))
        if state is None:
            return
        why = self._falling.get(name, "") if state is Switched.ROLLED_BACK else ""
        new = Switch(state, self._tables().rules.digest, self._now(), self._fellows.proxy, why)
        revision = 0 if switch is None else switch.revision
        if not await self._store.swap_state(KIND, str(name), revision, new.document()):
            return  # somebody was faster: the next look shows it
        self._switches = {**self._switches, str(name): replace(new, revision=revision + 1)}
        self._log.info("table_switch", table=str(name), state=state.value, why=why)

    # How it judges.

    @staticmethod
    def _is_wanted(ruled: RuledTable) -> bool:
        return ruled.holding.requested >= Phase.PRIMARY_SWITCH and ruled.mirrored is not None

    def _judge(self) -> Mapping[str, Closed]:
        """By `str(TableName)`, what keeps a table that asks for it out of `primary_switch`."""
        ruled = self._tables().ruled
        self._rates.measure(ruled, self._clock())
        wanted = {name: table for name, table in ruled.items() if self._is_wanted(table)}
        self._fellows.attentive = bool(wanted)
        self._inside.intersection_update(wanted)
        self._falling = {name: why for name, why in self._falling.items() if name in wanted}
        if not self._known or not self._fellows.met:
            return {str(name): UNKNOWN for name in wanted}
        scene = self._scene() if wanted else None
        return (
            {} if scene is None else {str(name): self._closed(name, wanted[name], scene) for name in wanted}
        )

    def _closed(self, name: TableName, ruled: RuledTable, scene: _Scene) -> Closed:
        known = self._evidence(name, ruled, scene)
        switch = known.switch
        if switch is not None and switch.rolled_back:
            self._falling.pop(name, None)
            self._inside.discard(name)
        elif switch is not None and switch.admitted and name not in self._falling:
            self._inside.add(name)
        inside = name in self._inside
        found = closed(known, inside=inside)
        if inside and found.reasons:  # it was served, and is put right before it is again
            self._inside.discard(name)
            self._unseen(name.database or "", TableId(name.schema, name.name), found.reasons[0])
        if ruled.holding.effective >= Phase.PRIMARY_SWITCH and not found.firm:
            self._watch(name, ruled, known)
        if name in self._falling:
            self._inside.discard(name)
            return replace(found, firm=(f"falls back by itself: {self._falling[name]}",))
        if not inside and not found.reasons and not found.firm:
            return Closed((LETTING_IN,))
        return found

    def _watch(self, name: TableName, ruled: RuledTable, known: Evidence) -> None:
        """Takes the table back where a limit is passed."""
        there = [seat.standing for seat in known.seats if seat.standing is not None]
        counts = sum((standing.recent for standing in there), NOTHING)
        lag = max((standing.lag for standing in there), default=0.0)
        why = past_limits(ruled.rule.auto_rollback, counts, lag)
        if not why or name in self._falling:
            return
        self._falling[name] = why
        self._news.set()
        self.rollbacks[place_of(name)] += 1
        self._log.error(
            "table_rolled_back",
            table=str(name),
            reason=why,
            requested=str(ruled.holding.requested),
            force=ruled.rule.force,
        )

    def _view(self, name: TableName, ruled: RuledTable, scene: _Scene, told: bool) -> View:
        known = self._evidence(name, ruled, scene)
        others = [seat for seat in known.seats if seat.proxy != self._fellows.proxy]
        met = self._fellows.met
        return View(
            wanted=self._is_wanted(ruled),
            told=told,
            inside=name in self._inside,
            ready=met
            and ruled.holding.effective >= Phase.DARK_READ
            and not shut([*entering(known), *lasting(known)]),
            unseen=met and not mirroring(known).open,
            others=any(seat.wants(Phase.PRIMARY_SWITCH) for seat in others),
            past=self._falling.get(name, ""),
        )

    def _evidence(self, name: TableName, ruled: RuledTable, scene: _Scene) -> Evidence:
        phase = None if ruled.mirrored is None else ruled.holding.effective
        own = Seat(self._fellows.proxy, phase, self._standing(name, ruled, scene))
        others = scene.others.of(name.database or "", TableId(name.schema, name.name))
        gaps = scene.gaps.get(place_of(name), 0)
        return Evidence(ruled.rule.gates, gaps, (own, *others), self._switches.get(str(name)))

    def _scene(self) -> _Scene:
        gaps: Counter[tuple[str, str]] = Counter()
        for (database, table, _), count in self._gaps().items():
            gaps[database, table] += count
        proxies = [beat for beat in self._fellows.fleet.others() if beat.role == PROXY]
        for beat in proxies:
            gaps.update(beat.gaps)  # that are not in the ledger yet
        return _Scene(self._clock(), gaps, self._lags(), Seats(proxies))

    def _standing(self, name: TableName, ruled: RuledTable, scene: _Scene) -> Standing:
        gate, recent = self._rates.of(name, scene.moment)
        return Standing(
            name.database or "",
            TableId(name.schema, name.name),
            str(ruled.holding.requested),
            "; ".join(self.shown(name, ruled.holding).reasons),
            scene.lags.get(place_of(name), 0.0),
            gate,
            recent,
        )


def _outline(tables: Mapping[str, Closed]) -> dict[str, tuple[bool, bool]]:
    """What of it changes the phase of a table."""
    return {name: (bool(one.reasons), bool(one.firm)) for name, one in tables.items()}
