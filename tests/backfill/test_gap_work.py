"""Gaps are worked off to the last one that follows from another, and those that cannot be are left with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.gap_work import GapWork, Worked
from proxy.backfill.member import Member, open_member
from proxy.backfill.verify_progress import Lines
from proxy.mirror.effects import Cause, Rows, TableId, Unseen
from proxy.mirror.gap import entry_of, gap_id
from proxy.mirror.gapfile import StoredGap
from proxy.stores.protocol import GapEntry
from tests.backfill.verify_world import World, made_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

FAMILY = """
create table parents (id int primary key, name text);
create table children (id int primary key, parent int references parents on delete cascade);
create table toys (id int primary key, child int references children on delete cascade);
insert into parents select n, 'p' from generate_series(1, 20) n;
insert into children select n, n from generate_series(1, 20) n;
insert into toys select n, n from generate_series(1, 20) n;
"""


@pytest.fixture
async def joined(
    postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path
) -> AsyncIterator[tuple[World, Member]]:
    with made_world(postgres, document_store, tmp_path) as made:
        made.run(FAMILY)
        rules = Path(made.given["rules"])
        rules.write_text(rules.read_text() + "  parents:\n  children:\n  toys:\n")
        async with open_member(made.settings, "gaps") as member:
            yield made, member
        made.client["_causeway"]["gaps"].delete_many({"database": made.database})


async def opened(world: World, member: Member, table: str, cause: Cause, rows: Rows | None = None) -> None:
    unseen = Unseen(cause, TableId("public", table), rows)
    identity = gap_id(world.database, unseen)
    now = member.heartbeat._now()
    state = StoredGap(identity, world.database, unseen, "", 5, 1, now, now, False)
    await member.store.open_gap(entry_of(state, "p"))


async def test_a_proxy_that_is_stuck_is_the_reason_why_a_gap_stays(joined: tuple[World, Member]) -> None:
    world, member = joined
    await opened(world, member, "parents", Cause.TRIGGER, Rows(("id",), (("1",),)))
    await opened(world, member, "toys", Cause.UNCLEAN_END)
    settings = world.settings.model_copy(update={"fleet_timeout": 0.3})
    async with open_member(settings, "proxy") as stuck, open_member(settings, "gaps") as working:
        with stuck.holding(world.database, 1):
            await stuck.heartbeat._try(stuck.heartbeat._turn)  # now the fleet knows
            done = await worked(world, working)
    assert done.closed == 0
    assert len(done.left) == 2
    assert all(f"proxy {stuck.proxy[:8]}" in why for _, why in done.left)


async def worked(world: World, member: Member, stop: asyncio.Event | None = None) -> Worked:
    def chosen(gap: GapEntry) -> bool:
        return gap.database == world.database

    work = GapWork(member, chosen, Lines(None), stop or asyncio.Event(), max_reread_rows=1000)
    return await work.run()


async def test_what_follows_from_a_gap_is_worked_off_too(joined: tuple[World, Member]) -> None:
    """The rows of children and toys that went with their parents are found by what their documents held."""
    world, member = joined
    await world.verify("parents", "children", "toys", member=member, repair=True)
    world.run("delete from parents where id in (3, 4)")
    await opened(world, member, "parents", Cause.FUNCTION, Rows(("id",), (("3",), ("4",))))
    found = await worked(world, member)
    assert found.left == []
    assert found.closed >= 3
    for report in (await world.verify("parents", "children", "toys", member=member)).values():
        assert (report.rows, report.differences) == (18, 0)


async def test_a_gap_of_the_whole_table_is_closed_by_a_comparison(joined: tuple[World, Member]) -> None:
    world, member = joined
    await opened(world, member, "toys", Cause.TRIGGER)
    found = await worked(world, member)
    assert (found.closed, found.left) == (1, [])
    assert world.client[world.database]["toys"].count_documents({}) == 20


async def test_what_cannot_be_is_left_with_a_reason(joined: tuple[World, Member]) -> None:
    world, member = joined
    world.client[world.database]["toys"].insert_one({"_id": "somebody's"})
    await opened(world, member, "toys", Cause.TRIGGER)
    await opened(world, member, "nowhere", Cause.TRIGGER)
    found = await worked(world, member)
    reasons = {gap.table: why for gap, why in found.left}
    assert "1 differences are left" in reasons["public.toys"]
    assert "no rule is about table" in reasons["public.nowhere"]


async def test_told_to_end_it_begins_nothing_more(joined: tuple[World, Member]) -> None:
    world, member = joined
    await opened(world, member, "toys", Cause.TRIGGER)
    stop = asyncio.Event()
    stop.set()
    found = await worked(world, member, stop)
    assert (found.closed, len(found.left)) == (0, 1)
