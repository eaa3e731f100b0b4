"""A comparison as a command carries it out: the store keeps how it stands, and it can be told to end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.member import Member, open_member
from proxy.backfill.report import Outcome, Scope, begun
from proxy.backfill.states import all_states, keep
from proxy.backfill.verify import Options, Progress
from proxy.backfill.verify_progress import Lines
from proxy.backfill.verifying import WrongScope, checked, moment_of, one_table
from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.mirror.gap import entry_of, gap_id
from proxy.mirror.gapfile import StoredGap
from tests.backfill.verify_world import World, made_world

NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def open_gap(world: World, member: Member, table: str) -> str:
    unseen = Unseen(Cause.TRIGGER, TableId("public", table))
    now = datetime.now(UTC)
    state = StoredGap(gap_id(world.database, unseen), world.database, unseen, "", 5, 1, now, now, False)
    await member.store.open_gap(entry_of(state, "p"))
    return state.id


@pytest.fixture
def world(postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path) -> Iterator[World]:
    with made_world(postgres, document_store, tmp_path) as made:
        yield made


def test_a_time_back_is_a_moment_and_all_else_a_value() -> None:
    assert moment_of("24h", NOW) == "2026-02-28 00:00:00+00:00"
    assert moment_of("86400s", NOW) == moment_of("1d", NOW)
    assert moment_of("2026-01-01", NOW) == "2026-01-01"
    assert moment_of("17", NOW) == "17"


class Watching(Lines):
    """Does something at the first sight of a comparison."""

    def __init__(self, seen: asyncio.Event) -> None:
        super().__init__(None)
        self.seen = seen

    def update(self, table: str, progress: Progress) -> None:
        if progress.report.rows:
            self.seen.set()


@pytest.mark.integration
@pytest.mark.timeout(120)
async def test_told_to_end_it_says_so(world: World) -> None:
    stop = asyncio.Event()
    async with open_member(world.settings, "verify") as member:
        [table] = member.tables(["items"])
        done = await one_table(member, table, Options(rate=100.0), Watching(stop), stop)
        state = (await all_states(member.store))[str(table.name)]
    assert (done.state.outcome, done.state.message) == (Outcome.FAILED, "it was told to end")
    assert (state.outcome, state.numbers["rows"]) == (Outcome.FAILED, done.report.rows)
    assert 0 < done.report.rows < 500
    assert state.whole is None


@pytest.mark.integration
@pytest.mark.timeout(120)
async def test_whoever_began_last_has_the_state(world: World) -> None:
    async with open_member(world.settings, "verify") as member:
        [table] = member.tables(["words"])
        name = str(table.name)
        begin = asyncio.Event()

        async def another() -> None:
            await begin.wait()
            await keep(member.store, name, lambda before: begun(before, name, "another", NOW))

        other = asyncio.create_task(another())
        done = await one_table(member, table, Options(rate=100.0), Watching(begin), asyncio.Event())
        await other
        state = (await all_states(member.store))[name]
    assert done.state.outcome is Outcome.DIFFERENT
    assert (state.owner, state.outcome) == ("another", Outcome.RUNNING)


@pytest.mark.integration
@pytest.mark.timeout(120)
async def test_a_proxy_that_is_stuck_is_named_and_not_waited_for_without_end(world: World) -> None:
    await world.fill("words")
    world.collection("words").delete_many({"n": {"$lt": 3}})
    settings = world.settings.model_copy(update={"fleet_timeout": 1.0})
    async with open_member(settings, "proxy") as stuck, open_member(settings, "verify") as member:
        gap = await open_gap(world, member, "words")
        [table] = member.tables(["words"])
        with stuck.holding(world.database, 1):
            await stuck.heartbeat._try(stuck.heartbeat._turn)  # now the fleet knows
            options = Options(repair=True, gather=0.0)
            shown = Lines(None)
            done = await one_table(member, table, options, shown, asyncio.Event())
            state = (await all_states(member.store))[str(table.name)]
            assert (done.state.outcome, state.outcome) == (Outcome.UNSETTLED, Outcome.UNSETTLED)
            assert f"proxy {stuck.proxy[:8]}" in state.message
            assert (done.report.unsettled, done.report.differences, done.report.gaps_closed) == (2, 0, 0)
            assert world.collection("words").count_documents({}) == 198, "nothing was repaired"
        done = await one_table(member, table, options, shown, asyncio.Event())
        assert (done.state.outcome, done.report.repaired, done.report.gaps_closed) == (Outcome.EQUAL, 2, 1)
        assert gap not in [one.id for one in await member.store.gaps(database=world.database)]


@pytest.mark.integration
@pytest.mark.timeout(120)
async def test_equal_tables_are_equal_whoever_is_stuck_but_gaps_stay(world: World) -> None:
    await world.fill("words")
    settings = world.settings.model_copy(update={"fleet_timeout": 0.5})
    async with open_member(settings, "proxy") as stuck, open_member(settings, "verify") as member:
        gap = await open_gap(world, member, "words")
        [table] = member.tables(["words"])
        with stuck.holding(world.database, 1):
            await stuck.heartbeat._try(stuck.heartbeat._turn)
            done = await one_table(member, table, Options(repair=True), Lines(None), asyncio.Event())
        assert (done.state.outcome, done.report.gaps_closed) == (Outcome.EQUAL, 0)
        assert stuck.proxy[:8] in done.state.message
        assert gap in [one.id for one in await member.store.gaps(database=world.database)]


@pytest.mark.integration
async def test_a_scope_is_tried_before_anything_is_compared(world: World) -> None:
    async with open_member(world.settings, "verify") as member:
        words, items = member.tables(["words", "items"])
        assert (await checked(member, items, Scope(where="t.id > 1"))).where == "t.id > 1"
        with pytest.raises(WrongScope, match="last_modified"):
            await checked(member, words, Scope(since="1h"))
        for where in ("id >", "1", "id = 'x'", "true) or (select true"):
            with pytest.raises(WrongScope):
                await checked(member, items, Scope(where=where))
