"""The mirror as sessions see it, on a store in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy.mirror.effects import Cause, Rows, Truncation, Unseen
from proxy.mirror.mirror import Mirror
from proxy.sql.model import Verb
from proxy.stores.protocol import StoreRefused
from tests.mirror.world import (
    ACCOUNTS,
    ACCOUNTS_ID,
    DATABASE,
    FAST,
    NOTES,
    NOTES_ID,
    OTHER,
    STRICT,
    World,
    delete,
    image,
    insert,
    row,
    secured,
    until,
    update,
    version,
    write,
)


@asynccontextmanager
async def running(world: World, spool: Path | None = None, **limits: object) -> AsyncIterator[Mirror]:
    mirror = world.mirror(spool, **limits)
    await mirror.start()
    try:
        yield mirror
    finally:
        await mirror.stop()


async def test_a_committed_row_becomes_a_document() -> None:
    world = World()
    async with running(world) as mirror:
        write(mirror, insert(1, "ada", 100), insert(2, None, 110))
        write(mirror, update(1, "grace", 120))
        write(mirror, delete(2, 130))
        assert await mirror.drain(5)
    assert world.store.rows() == {1: "grace"}
    assert world.gaps.recorded == []


async def test_an_aborted_transaction_leaves_nothing() -> None:
    world = World()
    async with running(world) as mirror:
        mirror.aborted(write(mirror, insert(1, "ada", 100), commit=False))
        assert await mirror.drain(5)
        assert mirror.watermark(DATABASE) is None
    assert world.store.rows() == {}
    assert world.store.batches == []


async def test_only_the_newest_image_of_a_key_is_sent() -> None:
    world = World()
    async with running(world) as mirror:
        write(mirror, insert(1, "a", 100), update(1, "b", 110), update(1, "c", 120))
        write(mirror, update(1, "d", 130))
        assert await mirror.drain(5)
        (table,) = (row for row in mirror.meters.snapshot()["tables"] if row["table"] == "public.accounts")
    assert [len(writes) for _, writes, _ in world.store.batches] == [1]
    assert world.store.rows() == {1: "d"}
    assert (table["captured"], table["applied"], table["coalesced"], table["queued"]) == (4, 1, 3, 0)


async def test_order_does_not_matter() -> None:
    world = World()
    async with running(world) as mirror:
        write(mirror, update(1, "new", 200))
        assert await mirror.drain(5)
        write(mirror, insert(1, "old", 100))
        write(mirror, delete(2, 300))
        assert await mirror.drain(5)
        write(mirror, insert(2, "old", 250))
        assert await mirror.drain(5)
    assert world.store.rows() == {1: "new"}


async def test_rows_of_unruled_tables_are_dropped() -> None:
    world = World()
    async with running(world) as mirror:
        write(mirror, insert(1, "x", 100, oid=OTHER))
        assert await mirror.drain(5)
    assert world.looks == 0
    assert world.store.batches == []
    assert world.gaps.recorded == []


async def test_an_unknown_relation_is_looked_up_once_and_dropped() -> None:
    world = World()
    async with running(world) as mirror:
        write(mirror, insert(1, "x", 100, oid=99_000))
        assert await mirror.drain(5)
        write(mirror, insert(2, "x", 110, oid=99_000))
        assert await mirror.drain(5)
    assert world.looks == 1
    assert world.gaps.recorded == []


async def test_a_merge_does_what_its_action_says() -> None:
    world = World()
    async with running(world) as mirror:
        write(
            mirror,
            image(Verb.MERGE, 100, *row(1, "a"), action="INSERT"),
            image(Verb.MERGE, 110, *row(2, "b"), action="INSERT"),
            image(Verb.MERGE, 120, *row(2, "b"), action="DELETE"),
        )
        assert await mirror.drain(5)
    assert world.store.rows() == {1: "a"}


async def test_another_key_leaves_nothing_under_the_old_one() -> None:
    world = World()
    async with running(world) as mirror:
        write(mirror, insert(1, "a", 100))
        write(mirror, image(Verb.UPDATE, 110, *row(7, "a"), old=row(1, "a")))
        assert await mirror.drain(5)
    assert world.store.rows() == {7: "a"}


async def test_unseen_writes_become_gaps_when_the_transaction_commits() -> None:
    world = World()
    async with running(world) as mirror:
        unseen = Unseen(Cause.COPY, ACCOUNTS_ID, Rows(("id",), (("1",),)))
        mirror.aborted(write(mirror, unseen, commit=False))
        assert world.gaps.recorded == []
        write(mirror, insert(3, "x", 500), unseen)
        assert await mirror.drain(5)
    assert world.gaps.recorded == [(DATABASE, unseen, version(500))]


async def test_a_truncation_empties_the_collection_of_what_is_older() -> None:
    world = World()
    async with running(world) as mirror:
        write(mirror, insert(1, "a", 100), insert(2, "b", 100, oid=FAST))
        assert await mirror.drain(5)
        write(mirror, Truncation((ACCOUNTS_ID, NOTES_ID), version(200)), insert(9, "new", 210))
        assert await mirror.drain(5)
        write(mirror, insert(5, "late", 190))
        assert await mirror.drain(5)
    assert world.store.rows() == {9: "new"}
    assert world.store.rows(NOTES) == {}


async def test_poison_is_a_gap_and_stops_nobody() -> None:
    world = World()
    world.store.poison = {2}
    async with running(world) as mirror:
        write(mirror, insert(1, "a", 100), insert(2, "b", 110), insert(3, "c", 120))
        assert await mirror.drain(5)
    assert world.store.rows() == {1: "a", 3: "c"}
    assert world.gaps.recorded == [
        (DATABASE, Unseen(Cause.POISON, ACCOUNTS_ID, Rows(("id",), (("2",),)), "too large"), version(110))
    ]


async def test_a_document_that_breaks_the_driver_is_found_and_stops_nobody() -> None:
    world = World()
    world.store.stumble = {5}
    async with running(world) as mirror:
        write(mirror, *(insert(n, "x", 100 + n) for n in range(9)))
        assert await mirror.drain(5)
    assert set(world.store.rows()) == set(range(9)) - {5}
    assert world.gaps.causes() == [("poison", "accounts")]


async def test_a_store_that_is_down_gets_everything_later() -> None:
    world = World()
    world.store.down()
    world.store.half = True
    async with running(world) as mirror:
        for n in range(20):
            write(mirror, insert(n, "a", 100 + n))
        await until(lambda: len(world.store.batches) > 3)
        write(mirror, update(3, "b", 500))
        snapshot = mirror.meters.snapshot()
        assert (snapshot["store"], snapshot["store_error"]) == ("away", "the store is away")
        assert snapshot["tables"][0]["queued"] >= 20
        assert not await mirror.drain(0.05)
        world.store.failure = None
        assert await mirror.drain(5)
        assert mirror.meters.snapshot()["store"] == "ok"
        assert mirror.meters.memory == 0
    assert world.store.rows() == {n: "b" if n == 3 else "a" for n in range(20)}
    assert world.store.batches[0][2] is False
    assert all(replay for _, writes, replay in world.store.batches[1:-1] if len(writes) > 1)


async def test_a_store_that_refuses_is_asked_again() -> None:
    world = World()
    world.store.failure = StoreRefused("not authorized")
    async with running(world) as mirror:
        write(mirror, insert(1, "a", 100))
        await until(lambda: mirror.meters.store == "refused")
        world.store.failure = None
        assert await mirror.drain(5)
    assert world.store.rows() == {1: "a"}


async def test_sync_ack_waits_for_the_store_but_not_longer_than_its_timeout() -> None:
    world = World()
    async with running(world) as mirror:
        world.store.gate = asyncio.Event()
        first, second = asyncio.Event(), asyncio.Event()
        tx = mirror.begin(DATABASE)
        tx.add([insert(1, "a", 100)])
        assert mirror.committed(tx, first.set, 5.0) is False
        await until(lambda: len(world.store.batches) == 1)
        assert not first.is_set()
        tx = mirror.begin(DATABASE)
        tx.add([insert(2, "b", 110)])
        assert mirror.committed(tx, second.set, 0.05) is False
        await asyncio.wait_for(second.wait(), 2)
        assert not first.is_set()
        world.store.gate.set()
        await asyncio.wait_for(first.wait(), 2)
        assert world.store.rows() == {1: "a"} or world.store.rows() == {1: "a", 2: "b"}
        assert await mirror.drain(5)
        assert mirror.meters.snapshot()["tables"][0]["acks_timed_out"] == 1
        assert mirror.committed(mirror.begin(DATABASE), first.set, 1.0) is True


async def test_who_reads_his_own_writes_hears_of_each_commit_that_is_stored_however_late() -> None:
    world = World()
    async with running(world) as mirror:
        world.store.gate = asyncio.Event()
        order: list[str] = []
        tx = mirror.begin(DATABASE)
        tx.add([insert(1, "a", 100)])
        acked = asyncio.Event()
        mirror.committed(tx, acked.set, 0.05, lambda: order.append("stored"))
        await asyncio.wait_for(acked.wait(), 2)
        assert order == []  # the time was up, and that is not the same
        world.store.gate.set()
        assert await mirror.drain(5)
        await until(lambda: order == ["stored"])
        tx = mirror.begin(DATABASE)
        tx.add([insert(2, "b", 110)])
        mirror.committed(tx, lambda: order.append("acked"), 5.0, lambda: order.append("stored"))
        await until(lambda: "acked" in order)
        assert order == ["stored", "stored", "acked"]


async def test_the_watermark_covers_what_is_open_in_doubt_and_held() -> None:
    world = World()
    async with running(world) as mirror:
        assert mirror.watermark(DATABASE) is None
        mirror.noted(DATABASE, version(50))
        tx = mirror.begin(DATABASE)
        assert mirror.watermark(DATABASE) == version(50)
        tx.add([insert(1, "a", 100)])
        world.store.gate = asyncio.Event()
        mirror.committed(tx)
        await until(lambda: len(world.store.batches) == 1)
        assert mirror.watermark(DATABASE) == version(50)
        later = mirror.begin(DATABASE)
        world.store.gate.set()
        assert await mirror.drain(5)
        assert mirror.watermark(DATABASE) in (version(50), version(100))
        later.add([insert(2, "b", 150)])
        mirror.doubtful(later)
        assert mirror.watermark(DATABASE) is not None
        world.fake_source.statuses[700] = "aborted"
        await until(lambda: mirror.watermark(DATABASE) is None)
    assert world.store.rows() == {1: "a"}


async def test_a_doubtful_transaction_does_what_the_source_says() -> None:
    world = World()
    async with running(world) as mirror:
        for n in range(4):
            mirror.doubtful(write(mirror, insert(n, "x", 100, xid=700 + n), commit=False))
        await until(lambda: len(world.fake_source.asked) >= 4)
        world.fake_source.statuses.update({700: "committed", 701: "aborted", 702: "future", 703: None})
        assert await mirror.drain(8)
    assert world.store.rows() == {0: "x"}
    assert world.gaps.causes() == [("in_doubt", "accounts")]


async def test_a_doubtful_truncation_without_an_id_is_a_gap_once_it_has_ended() -> None:
    world = World()
    async with running(world) as mirror:
        write(mirror, insert(1, "a", 100))
        assert await mirror.drain(5)
        truncation = Truncation((ACCOUNTS_ID,), version(200))
        mirror.doubtful(write(mirror, truncation, Unseen(Cause.CTE, NOTES_ID), commit=False))
        await asyncio.sleep(0.1)
        assert world.gaps.recorded == []
        world.fake_source.oldest = 1000
        assert await mirror.drain(5)
    assert world.store.rows() == {1: "a"}
    assert world.gaps.causes() == [("cte", "notes"), ("truncate", "accounts")]


@pytest.mark.parametrize("with_spool", [False, True])
async def test_a_prepared_transaction_waits_for_its_second_phase(tmp_path: Path, with_spool: bool) -> None:
    world = World()
    async with running(world, tmp_path if with_spool else None) as mirror:
        tx = await secured(mirror, insert(1, "a", 100, xid=800))
        mirror.prepared(tx, "trip 1")
        assert await mirror.drain(0.1)
        assert world.store.rows() == {}
        assert mirror.watermark(DATABASE) is not None
        world.fake_source.statuses[800] = "committed"
        mirror.settle_prepared("trip 1")
        await until(lambda: world.store.rows() == {1: "a"})


async def test_memory_past_its_cap_without_a_spool_becomes_gaps() -> None:
    world = World()
    world.store.down()
    async with running(world, mirror_memory=2000) as mirror:
        for n in range(20):
            write(mirror, insert(n, "x", 100 + n))
        assert mirror.meters.memory <= 2000
        world.store.failure = None
        assert await mirror.drain(5)
        assert mirror.meters.snapshot()["tables"][0]["dropped"] > 0
        assert mirror.watermark(DATABASE) is None
    assert 0 < len(world.store.rows()) < 20
    assert world.gaps.causes() == [("overflow", "accounts")]


async def test_memory_past_its_cap_goes_to_the_spool_and_comes_back(tmp_path: Path) -> None:
    world = World()
    world.store.down()
    async with running(world, tmp_path, mirror_memory=20_000) as mirror:
        for n in range(300):
            if n % 2:
                write(mirror, insert(n, "x", 100 + n, oid=FAST))
            else:
                mirror.committed(await secured(mirror, insert(n, "x", 100 + n)))
        assert mirror.meters.memory <= 20_000
        assert mirror.watermark(DATABASE) is not None
        await asyncio.sleep(0.05)
        assert all(table["lag_seconds"] > 0.05 for table in mirror.meters.snapshot()["tables"])
        world.store.failure = None
        assert await mirror.drain(10)
        assert mirror.watermark(DATABASE) is None
        assert mirror.meters.memory == 0
        await until(lambda: mirror.meters.snapshot()["spool_entries"] == 0)
        assert mirror.meters.snapshot()["spool_bytes"] == 0
    assert len(world.store.rows()) == 150
    assert len(world.store.rows(NOTES)) == 150
    assert world.gaps.recorded == []
    assert list(tmp_path.glob("*.spool*")) == []


async def test_a_stop_keeps_on_disk_what_the_store_does_not_have(tmp_path: Path) -> None:
    world = World()
    world.store.down()
    mirror = world.mirror(tmp_path)
    await mirror.start()
    write(mirror, insert(1, "fast", 100, oid=FAST))
    mirror.committed(await secured(mirror, insert(2, "strict", 110)))
    await until(lambda: len(world.store.batches) > 2)
    assert await mirror.stop() is True
    world.store.failure = None
    async with running(world, tmp_path) as mirror:
        assert await mirror.drain(5)
    assert world.store.rows() == {2: "strict"}
    assert world.store.rows(NOTES) == {1: "fast"}
    assert world.gaps.recorded == []
    assert world.fake_source.asked == []
    assert world.store.batches[-1][2] is True


async def test_a_stop_without_a_spool_makes_gaps_of_what_the_store_does_not_have() -> None:
    world = World()
    world.store.down()
    mirror = world.mirror()
    await mirror.start()
    write(mirror, insert(1, "a", 100))
    assert await mirror.stop() is False
    assert world.gaps.causes() == [("unclean_end", "accounts")]


async def test_secure_waits_only_where_a_table_is_strict(tmp_path: Path) -> None:
    world = World()
    async with running(world, tmp_path) as mirror:
        fast = write(mirror, insert(1, "a", 100, oid=FAST), commit=False)
        assert mirror.secure(fast, _never) is True
        strict = write(mirror, insert(1, "a", 110, oid=STRICT), commit=False)
        done = asyncio.Event()
        assert mirror.secure(strict, done.set) is False
        assert not done.is_set()
        await asyncio.wait_for(done.wait(), 2)
        assert mirror.secure(strict, _never) is True
        strict.add([update(1, "b", 120)])
        done.clear()
        assert mirror.secure(strict, done.set) is False
        await asyncio.wait_for(done.wait(), 2)
        mirror.committed(strict)
        mirror.committed(fast)
        assert await mirror.drain(5)
    assert world.store.rows() == {1: "b"}
    assert list(tmp_path.glob("*.spool")) == []
    assert world.store.documents(ACCOUNTS)


def _never() -> None:
    raise AssertionError("there was nothing to wait for")
