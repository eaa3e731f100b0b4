"""Transactions on their way to disk: what must be there, what was rolled back, disks that are full or broken."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from proxy.mirror.effects import Cause, Rows, Truncation, Unseen
from proxy.mirror.mirror import Mirror
from proxy.mirror.spool_file import SpoolBatch, SpoolFailed, SpoolFile
from tests.mirror.world import (
    ACCOUNTS_ID,
    DATABASE,
    FAST,
    NOTES,
    NOTES_ID,
    OTHER,
    World,
    insert,
    secured,
    until,
    update,
    version,
    write,
)


async def started(world: World, spool: Path, **limits: object) -> Mirror:
    mirror = world.mirror(spool, **limits)
    await mirror.start()
    return mirror


async def crash(mirror: Mirror) -> None:
    """End as a kill would: nothing more is written; locks are given up."""
    await mirror._end_tasks()
    await mirror._intake.stop()
    await mirror._lanes.stop()
    if mirror._marker is not None:
        mirror._marker.cancel()
    assert mirror._directory is not None
    for spool in mirror._refill._spools:
        spool.journal._batch = SpoolBatch()
        spool.journal.abandon()
        # What a thread is writing is written, as it is where a kill comes a moment later.
        await asyncio.to_thread(spool.journal._executor.shutdown, wait=True)
        mirror._directory.leave(spool.file)


async def recovered(world: World, spool: Path) -> None:
    world.store.failure = None
    mirror = await started(world, spool)
    assert await mirror.drain(8)
    assert await mirror.stop()


async def test_a_big_transaction_goes_through_the_spool(tmp_path: Path) -> None:
    world = World()
    mirror = await started(world, tmp_path)
    tx = mirror.begin(DATABASE)
    for n in range(50):
        tx.add([insert(n, "x" * 1000, 100 + n)])
        if tx.size > 10_000:
            mirror.spill(tx)
            assert (tx.size, tx.effects) == (0, [])
    assert len(tx.parts) > 3
    mirror.committed(tx)
    assert await mirror.drain(5)
    await until(lambda: mirror.meters.snapshot()["spool_entries"] == 0)
    assert mirror.meters.snapshot()["spool_bytes"] == 0
    assert await mirror.stop()
    assert set(world.store.rows()) == set(range(50))
    assert list(tmp_path.glob("*.spool*")) == []


async def test_what_was_rolled_back_behind_the_spool_is_not_applied(tmp_path: Path) -> None:
    world = World()
    world.store.down()
    world.fake_source.statuses[700] = "committed"
    for crashes in (False, True):
        mirror = await started(world, tmp_path)
        tx = mirror.begin(DATABASE)
        tx.add([insert(1, "kept", 100)])
        tx.savepoint("s")
        tx.add([insert(2, "rolled back", 110)])
        mirror.spill(tx)
        tx.add([insert(3, "rolled back", 120)])
        mirror.spill(tx)
        tx.add([insert(4, "rolled back", 130)])
        tx.rollback_to("s")
        tx.add([insert(5, "kept", 140)])
        done = asyncio.Event()
        assert mirror.secure(tx, done.set) is False
        await asyncio.wait_for(done.wait(), 2)
        if crashes:
            await crash(mirror)
        else:
            mirror.committed(tx)
            assert await mirror.stop()
        await recovered(world, tmp_path)
        assert world.store.rows() == {1: "kept", 5: "kept"}
        world.store.down()
    assert world.gaps.recorded == []


async def test_what_was_rolled_back_after_it_was_secured_leaves_the_disk(tmp_path: Path) -> None:
    world = World()
    world.store.down()
    world.fake_source.statuses[700] = "committed"
    mirror = await started(world, tmp_path)
    tx = mirror.begin(DATABASE)
    tx.savepoint("s")
    tx.add([insert(1, "rolled back", 100)])
    done = asyncio.Event()
    assert mirror.secure(tx, done.set) is False
    await done.wait()
    tx.rollback_to("s")
    tx.add([insert(2, "kept", 110, oid=FAST)])
    done.clear()
    assert mirror.secure(tx, done.set) is False
    await done.wait()
    await crash(mirror)
    await recovered(world, tmp_path)
    assert world.store.rows() == {}
    assert world.store.rows(NOTES) == {2: "kept"}


async def test_a_transaction_of_which_nothing_is_left_leaves_nothing_on_disk(tmp_path: Path) -> None:
    world = World()
    mirror = await started(world, tmp_path)
    for end in (mirror.committed, mirror.doubtful, lambda tx: mirror.prepared(tx, "trip 1")):
        tx = mirror.begin(DATABASE)
        tx.savepoint("s")
        tx.add([insert(1, "x", 100)])
        mirror.spill(tx)
        await asyncio.sleep(0.01)
        tx.rollback_to("s")
        end(tx)
        assert mirror.meters.snapshot()["spool_bytes"] == 0
    assert mirror.watermark(DATABASE) is None
    assert await mirror.stop()
    assert list(tmp_path.glob("*.spool*")) == []


async def test_an_aborted_big_transaction_leaves_nothing_on_disk(tmp_path: Path) -> None:
    world = World()
    mirror = await started(world, tmp_path)
    tx = mirror.begin(DATABASE)
    tx.add([insert(1, "x", 100)])
    mirror.spill(tx)
    await asyncio.sleep(0.05)
    mirror.aborted(tx)
    assert mirror.meters.snapshot()["spool_entries"] == 0
    assert mirror.meters.snapshot()["spool_bytes"] == 0
    assert await mirror.stop()
    assert list(tmp_path.glob("*.spool*")) == []
    assert world.store.batches == []


@pytest.mark.parametrize(
    ("effect", "waits"),
    [
        (insert(1, "x", 100), True),
        (insert(1, "x", 100, oid=FAST), False),
        (insert(1, "x", 100, oid=OTHER), False),
        (insert(1, "x", 100, oid=99_999), True),
        (Unseen(Cause.COPY, ACCOUNTS_ID, Rows(("id",), (("1",),))), True),
        (Unseen(Cause.COPY, NOTES_ID), False),
        (Truncation((NOTES_ID, ACCOUNTS_ID), version(100)), True),
    ],
)
async def test_what_must_be_on_disk_before_its_commit(tmp_path: Path, effect: object, waits: bool) -> None:
    world = World()
    mirror = await started(world, tmp_path)
    tx = write(mirror, effect, commit=False)
    assert mirror.secure(tx, lambda: None) is not waits
    mirror.aborted(tx)
    await mirror.stop()


async def test_what_cannot_wait_is_on_disk_at_once(tmp_path: Path) -> None:
    world = World()
    mirror = await started(world, tmp_path)
    waiting = asyncio.Event()
    other = write(mirror, insert(2, "y", 110, xid=2), commit=False)
    assert mirror.secure(other, waiting.set) is False
    tx = write(mirror, insert(1, "x", 100, xid=1), commit=False)
    mirror.secure_now(tx)
    assert mirror._spool is not None
    assert mirror._spool.file.content()[0] == 2
    assert not waiting.is_set()
    await asyncio.wait_for(waiting.wait(), 2)
    mirror.secure_now(tx)  # nothing more to write
    mirror.aborted(tx)
    mirror.aborted(other)
    assert await mirror.stop()


async def test_a_full_spool_makes_gaps_before_the_commit_goes_on(tmp_path: Path) -> None:
    world = World()
    world.store.down()
    mirror = await started(world, tmp_path, spool_size=2000)
    for n in range(20):
        mirror.committed(await secured(mirror, insert(n, "x", 100 + n, xid=700 + n)))
    assert world.gaps.causes() == [("overflow", "accounts")]
    assert mirror.meters.snapshot()["spool_bytes"] <= 2000
    world.store.failure = None
    assert await mirror.drain(5)
    assert len(world.store.rows()) == 20  # memory had room, so what is a gap is there nevertheless
    await mirror.stop()


async def test_a_transaction_that_found_no_room_has_gaps_for_tables_it_comes_to_later(tmp_path: Path) -> None:
    world = World()
    mirror = await started(world, tmp_path, spool_size=100)
    tx = await secured(mirror, insert(1, "x", 100))
    assert world.gaps.causes() == [("overflow", "accounts")]
    tx.add([insert(2, "y", 110, oid=FAST)])
    assert mirror.secure(tx, lambda: None) is True
    assert world.gaps.causes() == [("overflow", "accounts"), ("overflow", "notes")]
    assert len(world.gaps.recorded) == 2
    mirror.aborted(tx)
    await mirror.stop()


async def test_a_broken_disk_makes_gaps_and_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    mirror = await started(world, tmp_path)
    whole = SpoolFile.write
    broken = True

    def failing(file: SpoolFile, batch: SpoolBatch) -> None:
        if broken:
            raise SpoolFailed("input/output error")
        whole(file, batch)

    monkeypatch.setattr(SpoolFile, "write", failing)
    mirror.committed(await secured(mirror, insert(1, "x", 100)))
    assert world.gaps.causes() == [("spool", "accounts")]
    big = mirror.begin(DATABASE)
    big.add([insert(2, "lost", 110, oid=FAST)])
    mirror.spill(big)
    await until(lambda: ("spool", "notes") in world.gaps.causes())
    big.add([insert(3, "kept", 120, oid=FAST)])
    mirror.committed(big)
    assert await mirror.drain(5)
    broken = False
    mirror.committed(await secured(mirror, insert(4, "y", 130)))
    assert await mirror.drain(5)
    assert await mirror.stop()
    assert world.store.rows() == {1: "x", 4: "y"}
    assert world.store.rows(NOTES) == {3: "kept"}
    assert list(tmp_path.glob("*.spool*")) == []


async def test_a_kill_after_every_step_loses_nothing_that_was_secured(tmp_path: Path) -> None:
    world = World()
    world.store.down()
    world.fake_source.statuses = {1: "committed", 2: "aborted", 3: "committed", 4: None, 5: "future"}
    mirror = await started(world, tmp_path)
    for n in range(1, 6):
        await secured(mirror, insert(n, "x", 100 + n, xid=n))
    mirror.committed(await secured(mirror, insert(6, "x", 110, xid=6), update(6, "y", 111, xid=6)))
    await asyncio.sleep(0)
    await crash(mirror)
    world.fake_source.statuses[6] = "committed"
    await recovered(world, tmp_path)
    assert world.store.rows() == {1: "x", 3: "x", 6: "y"}
    assert world.gaps.causes() == [("in_doubt", "accounts")]


async def test_after_a_while_nobody_is_asked_about_what_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.mirror.mirror.MARK_SECONDS", 0.02)
    world = World()
    world.store.down()
    mirror = await started(world, tmp_path)
    mirror.committed(await secured(mirror, insert(1, "x", 100)))
    await asyncio.sleep(0.2)
    await crash(mirror)
    await recovered(world, tmp_path)
    assert world.store.rows() == {1: "x"}
    assert world.fake_source.asked == []


async def test_unseen_writes_without_an_id_are_gaps_once_everything_has_ended(tmp_path: Path) -> None:
    world = World()
    mirror = await started(world, tmp_path)
    unseen = Unseen(Cause.COPY, ACCOUNTS_ID, Rows(("id",), (("1",),)))
    await secured(mirror, unseen)
    await crash(mirror)
    mirror = await started(world, tmp_path)
    assert mirror.watermark(DATABASE) is not None
    await asyncio.sleep(0.1)
    assert world.gaps.recorded == []
    world.fake_source.oldest = 1000
    assert await mirror.drain(5)
    assert [unseen for _, unseen, _ in world.gaps.recorded] == [unseen]
    assert mirror.watermark(DATABASE) is None
    assert await mirror.stop()


async def test_a_prepared_transaction_outlives_the_process(tmp_path: Path) -> None:
    world = World()
    mirror = await started(world, tmp_path)
    tx = mirror.begin(DATABASE)
    tx.add([insert(1, "x", 100, xid=800, oid=FAST)])
    mirror.spill(tx)
    tx.add([update(1, "y", 110, xid=800, oid=FAST)])
    mirror.prepared(tx, "trip 1")
    await until(lambda: not mirror._refill._spools[0].journal.pending)
    await crash(mirror)
    mirror = await started(world, tmp_path)
    assert await mirror.drain(5)  # it may take for ever, and nobody waits for it
    assert world.store.rows(NOTES) == {}
    assert mirror.watermark(DATABASE) is not None
    world.fake_source.statuses[800] = "committed"
    mirror.settle_prepared("trip 1")
    await until(lambda: world.store.rows(NOTES) == {1: "y"})
    assert await mirror.stop()
    assert list(tmp_path.glob("*.spool*")) == []


async def test_a_damaged_entry_is_a_gap_of_every_table_and_stops_nobody(tmp_path: Path) -> None:
    world = World()
    world.store.down()
    mirror = await started(world, tmp_path)
    for n in range(3):
        mirror.committed(await secured(mirror, insert(n, "x", 100 + n)))
    await crash(mirror)
    (path,) = tmp_path.glob("*.spool")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE entries SET state = 5")
        connection.execute("UPDATE entries SET data = x'00' WHERE id = 2")
    connection.close()
    await recovered(world, tmp_path)
    assert world.store.rows() == {0: "x", 2: "x"}
    assert world.gaps.causes() == [("spool", "accounts"), ("spool", "notes")]
    assert list(tmp_path.glob("*.spool*")) == []
