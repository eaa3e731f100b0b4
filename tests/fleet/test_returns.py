from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from proxy.fleet.beats import TableFact
from proxy.fleet.losses import Mark
from proxy.fleet.returns import come_back, leave_reread, nothing_lost, overtaken
from proxy.logs import get_logger
from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.mirror.gap import GapLimits
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.unclean import Lifetime
from tests.mirror.gap_world import MemoryStore

ORDERS, ITEMS = TableId("public", "orders"), TableId("s.x", "items")


async def test_only_re_reads_of_others_past_what_was_passed_count() -> None:
    store = MemoryStore()
    await leave_reread(store, "other", "shop", ORDERS, 10)
    await leave_reread(store, "other", "shop", ITEMS, 20)
    await leave_reread(store, "me", "shop", ORDERS, 99)
    await leave_reread(store, "other", "stock", ORDERS, 5)
    assert await overtaken(store, "me", {"shop": 10, "stock": 5}) == {("shop", ITEMS)}
    assert await overtaken(store, "me", {"shop": 20}) == {("stock", ORDERS)}


async def test_of_a_table_the_newest_re_read_of_each_proxy_is_kept() -> None:
    store = MemoryStore()
    for version in (10, 30):
        await leave_reread(store, "other", "shop", ORDERS, version)
    await leave_reread(store, "third", "shop", ORDERS, 20)
    assert len(store.kinds["rereads"]) == 2
    assert await overtaken(store, "me", {"shop": 29}) == {("shop", ORDERS)}


@pytest.mark.parametrize(
    ("durability", "incarnation", "kept"),
    [
        ("fast", "own", True),
        ("fast", "before", False),
        ("strict", "own", True),
        ("strict", "before", True),
        ("strict", "stranger", False),
    ],
)
def test_what_a_process_still_has(durability: str, incarnation: str, kept: bool) -> None:
    lifetime = Lifetime(None, fsync=False, boot_id="boot")
    lifetime.current = replace(lifetime.current, id="own", lineage=("own", "before"))
    fact = TableFact("shop", ORDERS, "dual_write", durability)
    assert nothing_lost(fact, incarnation, lifetime) is kept


class Passing:
    """A group that has passed everything."""

    async def position(self, database: str) -> int:
        return 100

    async def wait_group(self, database: str, version: int) -> None:
        return


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("compared", [False, True])
async def test_a_comparison_that_did_not_wait_for_it_leaves_the_gap_open(
    closed: bool, compared: bool
) -> None:
    """Even if it has closed the gap already."""
    store = MemoryStore()
    lifetime = Lifetime(None, fsync=False, boot_id="boot")
    keeper = GapKeeper(store, None, GapLimits(), proxy=lifetime.proxy)
    fact = TableFact("shop", ORDERS, "dual_write", "strict")
    beat_of_loss = Mark(
        lifetime.proxy, lifetime.current.id, (fact,), {"shop": 10}, datetime.now(UTC), "other"
    )
    keeper.record("shop", Unseen(Cause.UNCLEAN_END, ORDERS), 0, owner=lifetime.proxy)
    await keeper.flush()
    if compared:
        await leave_reread(store, "a comparison", "shop", ORDERS, 20)
    if closed:
        store.ledger.clear()
    await come_back(beat_of_loss, store, keeper, lifetime, Passing(), get_logger("test"))
    await keeper.flush()
    assert bool(store.ledger) == compared
