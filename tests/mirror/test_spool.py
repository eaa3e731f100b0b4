"""What is parked comes back page by page, each entry once, and leaves the disk when the store has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.mirror.journal import Journal, cost
from proxy.mirror.packing import pack
from proxy.mirror.spool import Spool
from proxy.mirror.spool_file import SpoolFailed, SpoolFile, SpoolState
from tests.mirror.world import DATABASE, insert, version


def spool(path: Path) -> Spool:
    file = SpoolFile(path / "a.spool")
    return Spool(file, Journal(file, size=1 << 20))


def park(spool: Spool, number: int, *, parts: int = 0) -> None:
    entry = spool.journal.number()
    for part in range(parts):
        spool.journal.put_part(entry, part, pack([insert(1000 * number + part, "part", 100)]))
    spool.journal.put(
        entry,
        SpoolState.PARKED,
        xid=1,
        version=version(number),
        parts=parts,
        database=DATABASE,
        data=pack([insert(number, "x", 100)]),
    )
    spool.park(DATABASE, version(number), float(number))


async def test_pages_hold_each_entry_once_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.mirror.spool.PAGE_ENTRIES", 2)
    one = spool(tmp_path)
    for number in (5, 3, 4):
        park(one, number)
    assert (one.parked, one.parked_since, one.floors) == (True, 5.0, {DATABASE: version(3)})
    first, second = await one.page(9.0), await one.page(9.0)
    assert [held.version for held, _, _ in first + second] == [version(5), version(3), version(4)]
    assert one.parked
    assert await one.page(9.0) == []
    assert (one.parked, one.floors, one.in_memory) == (False, {}, 3)
    for held, _, _ in first + second:
        one.finished(held)
    assert one.empty
    assert one.journal.bytes == 0
    await one.journal.close()
    assert one.file.content()[0] == 0
    one.file.close()


async def test_a_big_transaction_comes_part_by_part_and_leaves_when_all_are_done(tmp_path: Path) -> None:
    one = spool(tmp_path)
    park(one, 1, parts=3)
    pages = []
    while page := await one.page(9.0):
        pages.append(page)
    assert [len(page) for page in pages] == [1, 1, 1, 1]
    held = [held for page in pages for held, _, _ in page]
    assert [bool(one.part) for one in held] == [False, True, True, True]
    one.finished(held[0])
    one.finished(held[2])
    await one.journal.flushed()
    assert (one.empty, len(one.file.parts(1))) == (False, 2)
    one.finished(held[1])
    one.finished(held[3])
    await one.journal.flushed()
    assert (one.empty, one.journal.bytes, one.file.content()[:2]) == (True, 0, (0, 0))
    await one.journal.close()
    one.file.close()


async def test_what_cannot_be_read_comes_with_the_reason(tmp_path: Path) -> None:
    one = spool(tmp_path)
    entry = one.journal.number()
    one.journal.put(entry, SpoolState.PARKED, xid=1, version=5, parts=0, database=DATABASE, data=b"?")
    one.park(DATABASE, 5, 1.0)
    ((held, found, damage),) = await one.page(9.0)
    assert (held.effects, found.id, damage is None) == ([], entry, False)
    assert held.disk == cost(b"?")
    await one.journal.close()
    one.file.close()


async def test_a_disk_that_takes_no_marks_gives_no_page_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = spool(tmp_path)
    park(one, 1)
    assert len(await one.page(9.0)) == 1

    def failing(batch: object) -> None:
        raise SpoolFailed("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(one.file, "write", failing)
        with pytest.raises(SpoolFailed):
            await one.page(9.0)
    assert await one.page(9.0) == []
    await one.journal.close()
    one.file.close()
