"""When a table is due, who of a fleet compares it, and the process that does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.member import open_member
from proxy.backfill.report import KIND, Outcome, Report, begun, ended
from proxy.backfill.schedule import Schedule, goes_on, is_due, scope_of
from proxy.backfill.states import all_states
from proxy.mirror.tables import MirroredTable, Surroundings, TableBook
from proxy.rulefiles.schema import Verify
from proxy.stores.model import ModelStore
from proxy.stores.protocol import Document, StoreUnavailable
from tests.backfill.verify_world import World, made_world
from tests.documents.made import rules_of
from tests.mirror.gap_world import DATABASE, FAMILY

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOURLY = Verify.model_validate({"every": "1h"})


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def tables(**rules: object) -> list[MirroredTable]:
    """Those of the family, with what their rules say of `verify`."""
    book = TableBook(
        rules_of({name: {"phase": "dual_write", "verify": verify} for name, verify in rules.items()}),
        {DATABASE: FAMILY},
        Surroundings(store=True, spool=True, control_dsn=True),
    )
    return list(book.mirrored())


def test_due_from_one_start_to_the_next() -> None:
    first = begun(None, "t", "me", NOW, scheduled=True)
    assert is_due(HOURLY, None, NOW)
    assert is_due(HOURLY, begun(None, "t", "me", NOW), NOW)
    assert not is_due(HOURLY, first, later(3599))
    assert is_due(HOURLY, first, later(3600))
    by_hand = begun(ended(first, Report(), later(60)), "t", "me", later(3000))
    assert is_due(HOURLY, by_hand, later(3600))


def test_what_goes_on() -> None:
    state = begun(None, "t", "me", NOW)
    assert goes_on(state, {"me"}, later(9999))
    assert goes_on(state, (), later(10))
    assert not goes_on(state, (), later(120))
    assert not goes_on(ended(state, Report(), NOW), {"me"}, NOW)


def test_what_is_compared() -> None:
    assert scope_of(HOURLY).whole
    scope = scope_of(Verify.model_validate({"sample": "25%", "since": "24h"}))
    assert (scope.sample, scope.since, scope.whole) == (0.25, "86400s", False)


class Fleet:
    def __init__(self, store: ModelStore, given: list[MirroredTable]) -> None:
        self.store = store
        self.now = NOW
        self.alive: set[str] = set()
        self.tables = given

    def member(self, name: str) -> Schedule:
        self.alive.add(name)
        return Schedule(self.store, lambda: self.tables, lambda: self.alive, name, dict, now=lambda: self.now)


async def test_one_of_a_fleet_compares_and_one_table_at_a_time() -> None:
    fleet = Fleet(ModelStore(), tables(parent="1h", child={"every": "2h", "repair": True}, leaf=None))
    one, two = fleet.member("one"), fleet.member("two")
    first = await one.claim()
    assert first is not None
    assert await two.claim() is None
    states = await all_states(fleet.store)
    assert [(state.owner, state.scheduled) for state in states.values()] == [("one", True)]
    fleet.now = later(60)
    await fleet.store.put_state(
        KIND,
        str(first.name),
        {**ended(states[str(first.name)], Report(), fleet.now).document(), "revision": 2},
    )
    second = await two.claim()
    assert second is not None
    assert {first.relation.name, second.relation.name} == {"parent", "child"}
    assert await one.claim() is None


async def test_claims_race() -> None:
    fleet = Fleet(ModelStore(), tables(parent="1h"))
    members = [fleet.member(f"m{number}") for number in range(5)]
    claims = await asyncio.gather(*(one.claim() for one in members))
    assert sum(claim is not None for claim in claims) == 1


async def test_a_comparison_whose_process_has_gone_does_not_bar_the_next() -> None:
    fleet = Fleet(ModelStore(), tables(parent="1h"))
    assert await fleet.member("one").claim() is not None
    fleet.alive.clear()
    fleet.now = later(3601)
    assert await fleet.member("two").claim() is not None


async def test_a_store_that_is_away_is_asked_later() -> None:
    class Away(ModelStore):
        asked = 0

        async def get_state(self, kind: str) -> dict[str, Document]:
            self.asked += 1
            if self.asked > 2:
                enough.set()
            raise StoreUnavailable("away")

    enough = asyncio.Event()
    schedule = Schedule(Away(), lambda: tables(parent="1h"), set, "me", dict, look_every=0.0)
    running = asyncio.create_task(schedule.run())
    await asyncio.wait_for(enough.wait(), 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def world(postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path) -> Iterator[World]:
    with made_world(postgres, document_store, tmp_path) as made:
        yield made


@pytest.mark.integration
@pytest.mark.timeout(120)
async def test_the_process_compares_and_repairs(world: World) -> None:
    rules = Path(world.given["rules"])
    rules.write_text(
        rules.read_text().replace("  words:\n", "  words: {verify: {every: 1h, repair: true}}\n")
    )
    async with open_member(world.settings, "test") as member:
        schedule = Schedule(
            member.store,
            lambda: member.book.mirrored(),
            set,
            member.proxy,
            world.settings.reveal,
            look_every=3600.0,
        )
        running = asyncio.create_task(schedule.run())
        name = f"{world.database}.public.words"
        try:
            async with asyncio.timeout(60):
                while True:
                    state = (await all_states(member.store)).get(name)
                    if state is not None and state.ended is not None:
                        break
                    await asyncio.sleep(0.1)  # another process says when
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    assert (state.outcome, state.scheduled, state.repair) == (Outcome.EQUAL, True, True), state
    assert state.numbers["repaired"] == world.collection("words").count_documents({}) == 200
    assert state.owner != member.proxy


@pytest.mark.integration
@pytest.mark.timeout(120)
async def test_a_process_that_fails_says_so(world: World) -> None:
    rules = Path(world.given["rules"])
    rules.write_text(rules.read_text().replace("  words:\n", "  words: {verify: 1h}\n"))
    broken = {**world.settings.reveal(), "rules": "/nowhere"}
    async with open_member(world.settings, "test") as member:
        schedule = Schedule(member.store, member.book.mirrored, set, member.proxy, lambda: broken)
        running = asyncio.create_task(schedule.run())
        name = f"{world.database}.public.words"
        try:
            async with asyncio.timeout(60):
                while True:
                    state = (await all_states(member.store)).get(name)
                    if state is not None and state.ended is not None:
                        break
                    await asyncio.sleep(0.1)  # another process says when
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    assert (state.outcome, state.message) == (Outcome.FAILED, "the process that compared it ended with 3")
    assert replace(state, outcome=Outcome.RUNNING).scheduled
