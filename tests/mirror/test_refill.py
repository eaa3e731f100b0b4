"""What waits on disk comes back; what dead processes have left is taken over, by exactly one of the living."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from proxy.mirror.spool import Spool
from proxy.mirror.spool_file import SpoolFailed
from tests.mirror.test_kills import killed
from tests.mirror.test_mirror import running
from tests.mirror.test_securing import crash
from tests.mirror.world import DATABASE, World, insert, secured, until, version


async def test_a_worker_that_dies_is_taken_over_by_one_that_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.mirror.refill.ADOPT_SECONDS", 0.05)
    world = World()
    async with running(world, tmp_path) as first, running(world, tmp_path) as second:
        secured_numbers, committed, _ = await asyncio.to_thread(killed, tmp_path, "down", 64 << 20, 0.05)
        world.fake_source.statuses = {
            n: "committed" if n in committed else "aborted" for n in range(1, max(secured_numbers) + 1000)
        }
        await until(lambda: set(world.store.rows()) >= committed, timeout=10)
        assert await first.drain(5)
        assert await second.drain(5)
        await until(lambda: len(list(tmp_path.glob("*.spool"))) == 2)
    assert set(world.store.rows()) == committed
    assert list(tmp_path.glob("*.spool*")) == []


async def test_more_than_memory_holds_comes_back_in_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.mirror.spool.PAGE_ENTRIES", 10)
    world = World()
    world.store.down()
    mirror = world.mirror(tmp_path)
    await mirror.start()
    for n in range(200):
        mirror.committed(await secured(mirror, insert(n, "x", 100 + n, xid=n)))
    await crash(mirror)
    world.store.failure = None
    world.fake_source.statuses = dict.fromkeys(range(200), "committed")
    largest = 0
    async with running(world, tmp_path, mirror_memory=8_000) as mirror:
        assert mirror.watermark(DATABASE) == version(100)
        assert mirror.depth == 200

        def drained() -> bool:
            nonlocal largest
            largest = max(largest, mirror.meters.memory)
            return len(world.store.rows()) == 200

        await until(drained, timeout=20)
        assert await mirror.drain(5)
        assert (mirror.watermark(DATABASE), mirror.depth) == (None, 0)
    assert largest < 10_000
    assert world.gaps.recorded == []


async def test_what_is_written_while_the_spool_drains_goes_on(tmp_path: Path) -> None:
    world = World()
    world.store.down()
    async with running(world, tmp_path, mirror_memory=10_000) as mirror:
        for n in range(300):
            mirror.committed(await secured(mirror, insert(n, "x", 100 + n, xid=n)))
        world.store.failure = None
        for n in range(300, 400):
            mirror.committed(await secured(mirror, insert(n, "x", 100 + n, xid=n)))
            await asyncio.sleep(0.001)
        assert await mirror.drain(10)
    assert set(world.store.rows()) == set(range(400))


async def test_a_disk_that_cannot_be_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.mirror.refill.DISK_RETRY", 0.02)
    world = World()
    world.store.down()
    whole, failures = Spool.page, 0

    async def failing(spool: Spool, now: float) -> object:
        nonlocal failures
        if failures < 3:
            failures += 1
            raise SpoolFailed("input/output error")
        return await whole(spool, now)

    monkeypatch.setattr(Spool, "page", failing)
    async with running(world, tmp_path, mirror_memory=2_000) as mirror:
        for n in range(50):
            mirror.committed(await secured(mirror, insert(n, "x", 100 + n)))
        world.store.failure = None
        assert await mirror.drain(10)
    assert failures == 3
    assert set(world.store.rows()) == set(range(50))


async def test_a_spool_file_that_cannot_be_opened_is_a_gap_of_every_table_and_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.mirror.refill.ADOPT_SECONDS", 0.02)
    (tmp_path / "1.spool").write_bytes(b"nonsense" * 1000)
    world = World()
    world.snapshot, known = None, world.snapshot
    async with running(world, tmp_path) as mirror:
        assert world.gaps.recorded == []  # no table is known yet
        world.snapshot = known
        await until(lambda: world.gaps.causes() == [("spool", "accounts"), ("spool", "notes")])
        mirror.committed(await secured(mirror, insert(1, "x", 100)))
        assert await mirror.drain(5)
        await asyncio.sleep(0.1)
    assert len(world.gaps.recorded) == 2
    assert world.store.rows() == {1: "x"}


async def test_a_spool_that_cannot_be_read_any_more_is_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.mirror.refill.DISK_RETRY", 0.001)

    async def failing(spool: Spool, now: float) -> object:
        raise SpoolFailed("input/output error")

    world = World()
    world.store.down()
    async with running(world, tmp_path, mirror_memory=500) as mirror:
        for n in range(5):
            mirror.committed(await secured(mirror, insert(n, "x", 100 + n)))
        monkeypatch.setattr(Spool, "page", failing)
        world.store.failure = None
        await until(lambda: world.gaps.causes() == [("spool", "accounts"), ("spool", "notes")])


def test_the_writer_of_the_kill_tests_names_its_lines() -> None:
    """The parent reads the lines with this expression; a writer that wrote others would prove nothing."""
    text = (Path(__file__).parent / "spool_writer.py").read_text()
    assert len(re.findall(r'f"[sca] \{', text)) == 3
