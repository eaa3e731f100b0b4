"""Processes of a fleet on one store in memory, and what they make of a table that asks for `primary_switch`."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from proxy.fleet.beats import Beat, Fleet, TableFact
from proxy.fleet.switches import KIND
from proxy.fleet.tallies import Counts
from proxy.mirror.effects import TableId
from proxy.mirror.tables import UNKNOWN, Surroundings, TableBook
from proxy.names import TableName
from proxy.phases import Holding, Phase
from proxy.rulefiles.ruleset import RuleSet
from proxy.stores.model import ModelStore
from proxy.stores.protocol import StoreUnavailable
from proxy.switching import LETTING_IN, Switching
from tests.mirror.test_tables import ITEMS, snapshot
from tests.rulefiles.texts import rules

NAME = TableName("public", "items", "shop")
PLACE = ("shop", "public.items")
ID = TableId("public", "items")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = "auto_rollback: {min_reads: 10, max_mismatch_rate: 5%, max_error_rate: 5%, max_lag: 30s}"


def ruled(
    phase: str = "primary_switch", *, force: bool = False, least: int = 10, more: str = LIMITS
) -> RuleSet:
    forced = ", force: true" if force else ""
    return rules(
        f"database: shop\ngates: {{min_comparisons: {least}}}\ntables: {{items: {{phase: {phase}{forced}, {more}}}}}",
        last_built=Phase.PRIMARY_SWITCH,
    )


class World:
    """What the processes share: the store, and the heartbeats."""

    def __init__(self) -> None:
        self.store = ModelStore()
        self.now = 1000.0
        self.processes: list[Process] = []

    def process(self, rules: RuleSet | None = None) -> Process:
        process = Process(self, f"proxy{len(self.processes)}", rules or ruled())
        self.processes.append(process)
        return process

    async def beat(self, times: int = 2, seconds: float = 1.0) -> None:
        """Every process tells, hears, reads the switches and judges."""
        for _ in range(times):
            self.now += seconds
            beats = [process.beat() for process in self.processes]
            for process in self.processes:
                process.fleet.observe(beats, (), self.now)
                process.met = True
            for process in self.processes:
                await process.turn()

    @property
    def switch(self) -> str:
        return str(self.store._own.get(KIND, {}).get(str(NAME), {}).get("state", ""))


class Process:
    """The parts of a proxy that switching rests on."""

    def __init__(self, world: World, proxy: str, rules: RuleSet) -> None:
        self.world = world
        self.proxy = proxy
        self.fleet = Fleet(proxy)
        self.attentive = False
        self.met = False
        self.rules = rules
        self.gaps: dict[tuple[str, str, str], int] = {}
        self.lag = 0.0
        self.counts = Counts()
        self.away = False
        self.number = 0
        self.logged: list[str] = []
        self.unseen: list[str] = []
        self.tables = TableBook(RuleSet(), {}, Surroundings(store=True, spool=True, control_dsn=True))
        self.switching = Switching(
            self._store(), self, lambda: self.tables, lambda: self.gaps, lambda: {PLACE: self.lag},
            [lambda: {PLACE: self.counts}], lambda database, table, why: self.unseen.append(why),
            clock=lambda: world.now, now=lambda: NOW, log=self,  # type: ignore[arg-type]
        )  # fmt: skip
        self.build()

    def _store(self) -> Any:
        process, store = self, self.world.store

        class Store:
            def __getattr__(self, name: str) -> Any:
                if process.away:
                    raise StoreUnavailable("away")
                return getattr(store, name)

        return Store()

    def info(self, event: str, **fields: Any) -> None: ...
    def debug(self, event: str, **fields: Any) -> None: ...

    def error(self, event: str, **fields: Any) -> None:
        self.logged.append(f"{event}: {fields['reason']}")

    def build(self) -> None:
        """As `Mirroring._rebuild` does."""
        for _ in range(2):
            around = Surroundings(store=True, spool=True, control_dsn=True, switch=self.switching.board)
            self.tables = TableBook(
                self.rules, {"shop": snapshot(ITEMS)}, around, last_built=Phase.PRIMARY_SWITCH
            )
            if not self.switching.settle():
                break

    def rule(self, new: RuleSet) -> None:
        old, self.rules = self.rules, new
        self.switching.rules_changed(old, new)
        self.build()

    async def turn(self) -> None:
        try:
            await self.switching.turn()
        except StoreUnavailable:
            assert self.away
        if self.switching.settle():
            self.build()

    def beat(self) -> Beat:
        self.number += 1
        facts = tuple(
            TableFact("shop", ID, str(self.holding.effective), "strict") for _ in self.tables.mirrored()
        )
        return Beat(
            self.proxy, "i", self.number, NOW, NOW, rules=self.rules.digest, tables=facts,
            passed=MappingProxyType({"shop": 1}), gaps={place[:2]: count for place, count in self.gaps.items()},
            standings=self.switching.standings(),
        )  # fmt: skip

    @property
    def holding(self) -> Holding:
        return self.switching.shown(NAME, self.tables.ruled[NAME].holding)

    @property
    def phase(self) -> Phase:
        return self.holding.effective

    @property
    def why(self) -> str:
        return "; ".join(self.holding.reasons)

    async def compares(self, compared: int, mismatched: int = 0, **more: int) -> None:
        """After a look at what was before."""
        self.counts += Counts(compared, mismatched, **more)
        await self.world.beat()


async def served(count: int = 1) -> tuple[World, list[Process]]:
    """A fleet that serves the table."""
    world = World()
    processes = [world.process() for _ in range(count)]
    await world.beat()
    await processes[0].compares(20)
    assert {process.phase for process in processes} == {Phase.PRIMARY_SWITCH}
    assert world.switch == "admitted"
    return world, processes


async def test_nothing_is_served_before_the_store_has_told() -> None:
    world = World()
    process = world.process(ruled(least=0))

    def phase() -> Phase:
        return process.phase

    assert (process.phase, process.why) == (Phase.DARK_READ, UNKNOWN.firm[0])
    process.away = True
    await world.beat()
    assert phase() is Phase.DARK_READ
    process.rule(ruled(least=0, force=True))
    assert phase() is Phase.DARK_READ, "nor by force"
    process.away = False
    await world.beat()
    assert phase() is Phase.PRIMARY_SWITCH


async def test_a_table_is_let_in_once_all_gates_are_open_and_the_fleet_knows() -> None:
    world = World()
    one, other = world.process(), world.process()
    await world.beat()
    assert one.why == "0 of 10 comparisons within 1h"
    other.counts += Counts(7)
    await one.compares(2)
    assert one.why == "9 of 10 comparisons within 1h", "the figures are those of now, of the whole fleet"
    other.gaps["shop", "public.items", "trigger"] = 2
    await one.compares(5)
    assert (one.why, other.why) == ("2 open gaps", "2 open gaps"), "one of them has not told the ledger yet"
    other.gaps.clear()
    await world.beat(3)
    assert {one.phase, other.phase} == {Phase.PRIMARY_SWITCH}
    other.gaps["shop", "public.items", "trigger"] = 2
    await world.beat(3)
    assert {one.phase, other.phase} == {Phase.PRIMARY_SWITCH}, "inside it is asked no more"
    assert one.attentive


async def test_a_gate_that_closes_again_before_the_store_has_noted_it_holds() -> None:
    world = World()
    process = world.process(ruled(least=0))
    world.store._own.setdefault(KIND, {})
    process.met, process.gaps["shop", "public.items", "ddl"] = True, 1
    await process.turn()
    assert (process.phase, process.why) == (Phase.DARK_READ, "1 open gap")
    process.gaps.clear()
    assert process.switching.settle() is False
    assert process.why == LETTING_IN
    process.gaps["shop", "public.items", "ddl"] = 1
    await process.turn()
    assert (process.phase, world.switch) == (Phase.DARK_READ, "")


async def test_a_restart_does_not_ask_the_gates_again() -> None:
    world, (process,) = await served()
    world.processes.remove(process)
    again = world.process()
    await world.beat()
    assert again.counts == Counts()
    assert again.phase is Phase.PRIMARY_SWITCH


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"mismatched": 2, "compared": 10}, "mismatch rate 20 % > 5 %"),
        ({"compared": 0, "failed": 1, "served": 9}, "store errors 10 % > 5 % of the reads"),
        ({"compared": 0, "lag": 31.0}, "mirror lag 31.0 s > 30s"),
    ],
)
async def test_a_table_falls_back_by_itself_in_the_whole_fleet_and_stays(
    given: dict[str, Any], why: str
) -> None:
    world, (one, other) = await served(2)
    given = dict(given)
    one.lag = given.pop("lag", 0.0)
    await one.compares(**given)
    await world.beat()
    assert world.switch == "rolled_back"
    for process in (one, other):
        assert process.phase is Phase.DARK_READ
        assert process.why == f"rolled back by itself on 2026-03-01 at 12:00:00Z: {why}"
    assert f"table_rolled_back: {why}" in one.logged + other.logged
    assert sum(process.switching.rollbacks[PLACE] for process in (one, other)) >= 1
    one.lag = 0.0
    await world.beat(3, 4000.0)
    again = world.process()
    await one.compares(100)
    assert {process.phase for process in (one, other, again)} == {Phase.DARK_READ}, "it stays"
    for process in (one, other, again):
        process.rule(ruled(force=True))
    await world.beat()
    assert {process.phase for process in (one, other, again)} == {Phase.DARK_READ}, (
        "nor does force bring it back"
    )


async def test_what_one_process_has_seen_counts_for_all() -> None:
    world, (one, other) = await served(2)
    one.counts += Counts(6, 0)
    await other.compares(4, 1)
    await world.beat()
    assert world.switch == "rolled_back", "1 of 10, of which neither saw more than 6"


async def test_it_falls_back_at_once_though_the_store_is_away() -> None:
    world, (process,) = await served()
    process.away = True
    await process.compares(0, failed=50)
    assert process.phase is Phase.DARK_READ
    assert process.why == "falls back by itself: store errors 100 % > 5 % of the reads"
    assert world.switch == "admitted"
    await world.beat(1, 1000.0)
    assert process.phase is Phase.DARK_READ
    process.away = False
    await world.beat()
    assert world.switch == "rolled_back"
    assert process.switching.rollbacks[PLACE] == 1


async def test_a_forced_table_falls_back_as_well() -> None:
    world = World()
    process = world.process(ruled(force=True))
    await world.beat()
    assert process.holding.overridden == ("0 of 10 comparisons within 1h",)
    assert (process.phase, world.switch) == (Phase.PRIMARY_SWITCH, ""), "what is forced is not let in"
    process.lag = 40.0
    await world.beat()
    assert (process.phase, world.switch) == (Phase.DARK_READ, "rolled_back")


async def test_another_phase_tells_a_table_otherwise() -> None:
    world, (process,) = await served()
    process.lag = 31.0
    await world.beat()
    assert world.switch == "rolled_back"
    process.lag = 0.0
    process.rule(ruled("dark_read"))
    await world.beat()
    assert world.switch == "gated"
    process.rule(ruled())
    await world.beat()
    assert process.phase is Phase.PRIMARY_SWITCH


async def test_a_process_that_gets_the_same_rules_late_tells_nothing() -> None:
    world = World()
    one, late = world.process(), world.process(ruled("dark_read"))
    await world.beat()
    await one.compares(20)
    one.lag = 31.0
    await world.beat()
    assert world.switch == "rolled_back"
    one.lag = 0.0
    late.rule(ruled())
    await world.beat()
    assert (world.switch, late.phase) == ("rolled_back", Phase.DARK_READ)


async def test_going_back_is_immediate_and_the_gates_are_asked_again() -> None:
    world, (one, other) = await served(2)
    one.rule(ruled("dark_read"))
    assert one.phase is Phase.DARK_READ
    await world.beat()
    assert world.switch == "gated"
    assert other.phase is Phase.PRIMARY_SWITCH, "neighbouring phases may coexist"
    other.rule(ruled("dark_read"))
    await world.beat()
    one.gaps["shop", "public.items", "ddl"] = 1
    one.rule(ruled())
    await world.beat()
    assert (one.phase, one.why) == (Phase.DARK_READ, "1 open gap")


async def test_nobody_is_let_in_for_good_by_a_fleet_that_was_stopped_inside() -> None:
    world, (process,) = await served()
    world.processes.clear()
    world.process(ruled("dark_read"))
    await world.beat()
    assert world.switch == "gated"
    assert process.phase is Phase.PRIMARY_SWITCH  # it is gone; nothing has told it


async def test_a_proxy_that_does_not_mirror_puts_the_table_out_everywhere() -> None:
    world, (one, other) = await served(2)
    stranger = world.process(ruled("passthrough", more="durability: strict"))
    await world.beat()
    for process in (one, other):
        assert process.phase is Phase.DARK_READ
    assert world.switch == "gated"
    assert "proxy proxy2 does not mirror it" in one.why
    assert one.unseen == other.unseen == ["proxy proxy2 does not mirror it"], (
        "what it wrote must be looked for"
    )
    stranger.rule(ruled("dual_write"))
    await world.beat()
    assert "proxy proxy2 is in dual_write" in one.why
    stranger.rule(ruled("dark_read"))
    await world.beat()
    assert (one.phase, world.switch) == (Phase.PRIMARY_SWITCH, "admitted")


async def test_what_is_told_of_tables() -> None:
    _, (process,) = await served()
    (standing,) = process.switching.standings()
    assert (standing.requested, standing.why, standing.gate.compared) == ("primary_switch", "", 20)
    process.rule(ruled("dual_write"))
    assert process.switching.standings() == ()
