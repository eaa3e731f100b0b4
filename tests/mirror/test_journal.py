"""Group commit, and what becomes of a commit that fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from proxy.mirror.journal import Journal, cost
from proxy.mirror.spool_file import SpoolBatch, SpoolFailed, SpoolFile, SpoolState


class CountingFile(SpoolFile):
    """Counts its commits, and fails if told so."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.batches: list[SpoolBatch] = []
        self.failing = False

    def write(self, batch: SpoolBatch) -> None:
        if self.failing:
            raise SpoolFailed("no space left on device")
        self.batches.append(batch)
        super().write(batch)


def put(journal: Journal, told: list[tuple[int, bool]], data: bytes = b"data") -> int:
    number = journal.number()
    journal.put(
        number,
        SpoolState.PARKED,
        xid=None,
        version=1,
        parts=0,
        database="shop",
        data=data,
        then=lambda done: told.append((number, done)),
    )
    return number


@pytest.mark.parametrize("fsync", [False, True])
async def test_one_turn_is_one_commit(tmp_path: Path, fsync: bool) -> None:
    file = CountingFile(tmp_path / "a.spool")
    journal = Journal(file, size=1 << 20, fsync=fsync)
    told: list[tuple[int, bool]] = []
    numbers = [put(journal, told) for _ in range(5)]
    assert (told, file.batches) == ([], [])
    assert journal.pending
    await journal.flushed()
    assert told == [(number, True) for number in numbers]
    assert len(file.batches) == 1
    assert (journal.entries, journal.bytes) == (5, 5 * cost(b"data"))
    for number in numbers:
        journal.done(number, cost(b"data"))
    assert (journal.entries, journal.bytes) == (0, 0)
    await journal.close()
    assert file.content()[0] == 0
    file.close()


async def test_what_nobody_waits_for_goes_along_with_the_next_commit(tmp_path: Path) -> None:
    file = CountingFile(tmp_path / "a.spool")
    journal = Journal(file, size=1 << 20)
    told: list[tuple[int, bool]] = []
    first = put(journal, told)
    await journal.flushed()
    journal.done(first, cost(b"data"))
    put(journal, told)
    await journal.flushed()
    assert [(len(batch.entries), batch.done) for batch in file.batches] == [(1, []), (1, [first])]
    await journal.close()
    file.close()


@pytest.mark.parametrize(("count", "size"), [(1, 300_000), (1500, 1)])
async def test_a_large_commit_leaves_the_loop_free_and_what_comes_meanwhile_is_the_next(
    tmp_path: Path, count: int, size: int
) -> None:
    file = CountingFile(tmp_path / "a.spool")
    journal = Journal(file, size=1 << 30)
    told: list[tuple[int, bool]] = []
    large = [put(journal, told, b"x" * size) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert told == []  # it is under way, in a thread
    small = put(journal, told)
    await journal.flushed()
    assert [number for number, _ in told] == [*large, small]
    assert [len(batch.entries) for batch in file.batches] == [count, 1]
    await journal.close()
    file.close()


async def test_a_failed_commit_is_told_and_its_removals_are_made_up_for(tmp_path: Path) -> None:
    file = CountingFile(tmp_path / "a.spool")
    journal = Journal(file, size=1 << 20)
    told: list[tuple[int, bool]] = []
    first = put(journal, told)
    await journal.flushed()
    file.failing = True
    journal.done(first, cost(b"data"))
    second = put(journal, told)
    await journal.flushed()
    assert told == [(first, True), (second, False)]
    assert journal.failure == "no space left on device"
    assert journal.failures == 1
    journal.done(second, cost(b"data"))
    file.failing = False
    third = put(journal, told)
    await journal.flushed()
    assert journal.failure == ""
    assert told[-1] == (third, True)
    assert [one.id for one, _ in file.parked(max_bytes=1000, max_entries=10)] == [third]
    assert (journal.entries, journal.bytes) == (1, cost(b"data"))
    await journal.close()
    file.close()


async def test_a_disk_that_fails_for_good_ends_nothing(tmp_path: Path) -> None:
    file = CountingFile(tmp_path / "a.spool")
    journal = Journal(file, size=1 << 20)
    told: list[tuple[int, bool]] = []
    first = put(journal, told)
    await journal.flushed()
    file.failing = True
    journal.done(first, cost(b"data"))
    async with asyncio.timeout(5):
        await journal.close()
    file.close()


async def test_the_log_is_moved_into_the_file_while_writing_goes_on(tmp_path: Path) -> None:
    file = CountingFile(tmp_path / "a.spool")
    journal = Journal(file, size=1 << 30)
    told: list[tuple[int, bool]] = []
    data = b"x" * (256 << 10)
    largest = written = 0
    while written < 100 << 20:
        number = put(journal, told, data)
        await journal.flushed()
        journal.done(number, cost(data))
        await asyncio.sleep(0.004)
        written += len(data)
        largest = max(largest, file.wal_size())
    assert all(done for _, done in told)
    assert largest < 100 << 20  # twice as much was written to it
    await journal.close()
    file.close()


async def test_numbers_go_on_where_a_file_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    for expected in (1, 2, 3):
        file = SpoolFile(path)
        journal = Journal(file, size=1 << 20)
        told: list[tuple[int, bool]] = []
        assert put(journal, told) == expected
        await journal.close()
        file.close()
    assert not journal.fits(1 << 20)
