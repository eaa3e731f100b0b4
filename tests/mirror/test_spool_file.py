"""The spool file itself: batches, pages, parts, recovery, and disks that fail."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from proxy.mirror.spool_file import SpoolBatch, SpoolFailed, SpoolFile, SpoolState


def entry(
    number: int,
    state: SpoolState,
    data: bytes = b"data",
    *,
    version: int = 10,
    parts: int = 0,
    database: str = "shop",
) -> tuple[int, int, int | None, int, int, str, str | None, bytes]:
    return number, int(state), 700 + number, version, parts, database, None, data


def ids(file: SpoolFile, **limits: int) -> list[int]:
    return [one.id for one, _ in file.parked(**{"max_bytes": 1 << 20, "max_entries": 100, **limits})]


def test_entries_live_until_they_are_done(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "a.spool")
    file.write(SpoolBatch(entries=[entry(n, SpoolState.PARKED) for n in range(1, 8)]))
    assert ids(file) == [1, 2, 3, 4, 5, 6, 7]
    file.write(SpoolBatch(done=[6, 1, 2, 4], states=[(SpoolState.COMMITTED, 3)]))
    assert ids(file) == [5, 7]
    assert file.content()[0] == 3
    file.close()


def test_pages_are_bounded_and_never_empty(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "a.spool")
    file.write(SpoolBatch(entries=[entry(n, SpoolState.PARKED, b"x" * 1000) for n in range(1, 6)]))
    assert ids(file, max_bytes=1) == [1]
    assert ids(file, max_bytes=2500) == [1, 2, 3]
    assert ids(file, max_entries=2) == [1, 2]
    file.close()


def test_parts_are_cut_and_replaced_in_one_batch(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "a.spool")
    file.write(
        SpoolBatch(entries=[entry(1, SpoolState.OPEN, b"")], parts=[(1, 0, b"a"), (1, 5, b"b"), (1, 9, b"c")])
    )
    file.write(
        SpoolBatch(
            cuts=[(1, 5)],
            parts=[(1, 5, b"B")],
            entries=[entry(1, SpoolState.PARKED, b"end", parts=2)],
        )
    )
    assert [file.part(number) for number in file.parts(1)] == [b"a", b"B"]
    assert file.data(1) == b"end"
    file.write(SpoolBatch(done_with_parts=[1]))
    assert (file.parts(1), file.content()[:2]) == ([], (0, 0))
    file.close()


def test_recovery_parks_what_was_in_memory_and_names_what_is_in_doubt(tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    file = SpoolFile(path)
    states = [
        SpoolState.OPEN,
        SpoolState.PENDING,
        SpoolState.COMMITTED,
        SpoolState.PARKED,
        SpoolState.PREPARED,
    ]
    file.write(SpoolBatch(entries=[entry(n, state, version=90 - n) for n, state in enumerate(states, 1)]))
    file.write(SpoolBatch(prepared=[("trip 1", 5)]))
    file.close()
    file = SpoolFile(path)
    doubts = file.recover()
    assert [(one.id, one.state.name, one.xid, one.gid) for one in doubts] == [
        (1, "OPEN", 701, None),
        (2, "PENDING", 702, None),
        (5, "PREPARED", 705, "trip 1"),
    ]
    assert ids(file) == [3, 4]
    assert file.oldest() == {"shop": 85}
    assert file.content() == (5, 5 * 104, 5)
    file.close()


def test_a_batch_is_all_or_nothing(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "a.spool")
    file.write(SpoolBatch(entries=[entry(1, SpoolState.PARKED)]))
    broken = (*entry(3, SpoolState.PARKED)[:5], None, None, b"")
    with pytest.raises(SpoolFailed):
        file.write(SpoolBatch(entries=[entry(2, SpoolState.PARKED), broken], done=[1]))  # type: ignore[list-item]
    assert ids(file) == [1]
    file.write(SpoolBatch(entries=[entry(2, SpoolState.PARKED)]))
    assert ids(file) == [1, 2]
    file.close()


def test_checkpoints_keep_the_log_short(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "a.spool")
    sizes = []
    for turn in range(20):
        file.write(SpoolBatch(entries=[entry(turn, SpoolState.PARKED, b"x" * 100_000)], done=[turn - 1]))
        file.checkpoint()
        sizes.append(file.wal_size())
    assert max(sizes[2:]) <= sizes[2] + 100_000
    file.close()


def test_files_that_cannot_be_used_say_which_and_why(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.spool"
    garbage.write_bytes(b"this is no database" * 100)
    with pytest.raises(SpoolFailed, match=r"garbage\.spool: file is not a database"):
        SpoolFile(garbage)
    later = tmp_path / "later.spool"
    with sqlite3.connect(later) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(SpoolFailed, match="format 99"):
        SpoolFile(later)
    with pytest.raises(SpoolFailed, match="unable to open"):
        SpoolFile(tmp_path / "nowhere" / "a.spool")
