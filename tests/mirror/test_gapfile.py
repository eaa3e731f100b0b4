from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.mirror.effects import Cause, Rows, TableId, Unseen
from proxy.mirror.gapfile import GapFile, StoredGap

MOMENT = datetime(2026, 3, 4, 5, 6, 7, 891000, UTC)


def gap(identity: str, rows: Rows | None) -> StoredGap:
    unseen = Unseen(Cause.CASCADE, TableId("public", 'Od"d'), rows, "why")
    return StoredGap(identity, "shop", unseen, "owner", (2047 << 52) | 99, 3, MOMENT, MOMENT, True)


def test_what_was_put_is_there_after_the_file_is_opened_again(tmp_path: Path) -> None:
    file = GapFile(tmp_path / "gaps")
    rows = gap("a", Rows(("x", "y"), (("1", None), ("ü\U0001f600", ""))))
    whole = gap("b", None)
    file.put(rows)
    file.put(whole)
    file.set_note("proxy", ["p", None, 1])
    copied = GapFile(tmp_path / "gaps")  # the first was not closed: killed
    assert sorted(copied.gaps(), key=lambda one: one.id) == [rows, whole]
    assert copied.note("proxy") == ["p", None, 1]
    assert copied.note("nothing") is None
    copied.remove("a")
    assert [one.id for one in copied.gaps()] == ["b"]
    copied.close()
    file.close()


def test_the_newest_state_of_a_gap_counts(tmp_path: Path) -> None:
    file = GapFile(tmp_path / "gaps", fsync=True)
    file.put(gap("a", None))
    file.put(gap("a", Rows(("x",), (("1",),))))
    assert list(file.gaps()) == [gap("a", Rows(("x",), (("1",),)))]
    file.close()


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gaps").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(sqlite3.Error):
        GapFile(tmp_path / "gaps")


def test_files_of_one_directory_are_a_group(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    paths = [tmp_path / "gaps-0", tmp_path / "gaps-1", tmp_path / "elsewhere" / "gaps-0"]
    files = [GapFile(path) for path in paths]
    one, two, three = (file.group for file in files)
    assert one == two != three
    assert files[0].group == one
    for file in files:
        file.close()
    assert sorted(path.name for path in tmp_path.glob("group*")) == ["group.id"]
