from __future__ import annotations

from pathlib import Path

import pytest

from proxy.fleet.beats import TableFact
from proxy.mirror.effects import TableId
from proxy.mirror.gap import GapLimits
from proxy.mirror.gapfile import GapFile
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.unclean import Incarnation, Lifetime, losses, read_boot_id, spool_survived, successor

FAST, STRICT = TableId("public", "fast"), TableId("public", "strict")
FACTS = (
    TableFact("shop", FAST, "dual_write", "fast"),
    TableFact("shop", STRICT, "dual_write", "strict"),
)


def left(*, clean: bool = False, fsync: bool = False, boot_id: str = "boot") -> Incarnation:
    tables = {("shop", FAST): "fast", ("shop", STRICT): "strict"}
    return Incarnation("one", boot_id, fsync, tables, ("one", "zero"), clean)


@pytest.mark.parametrize(
    ("previous", "boot_id", "lost"),
    [
        (left(), "boot", [FAST]),
        (left(), "another", [FAST, STRICT]),
        (left(fsync=True), "another", [FAST]),
        (left(boot_id=""), "", [FAST, STRICT]),
        (left(clean=True), "another", []),
    ],
    ids=["killed", "machine down", "machine down, flushed", "no boot id", "clean"],
)
def test_what_an_end_may_have_lost(previous: Incarnation, boot_id: str, lost: list[TableId]) -> None:
    assert [table for _, table, _ in losses(previous, boot_id)] == lost


def test_a_line_of_incarnations_breaks_where_the_spool_may_have_lost_something() -> None:
    new = successor(left(), "boot", fsync=False)
    assert new.lineage == (new.id, "one", "zero")
    assert not new.clean
    new = successor(left(), "another", fsync=False)
    assert new.lineage == (new.id,)
    assert spool_survived(left(clean=True), "another")
    assert len(successor(left(), "boot", fsync=False).lineage) == 3


class Run:
    """One incarnation on the disk of a test."""

    def __init__(self, path: Path, boot_id: str = "boot") -> None:
        self.file = GapFile(path / "gaps")
        self.lifetime = Lifetime(self.file, fsync=False, boot_id=boot_id)
        self.keeper = GapKeeper(None, self.file, GapLimits(), proxy=self.lifetime.proxy)
        self.lifetime.begin(self.keeper)

    @property
    def gaps(self) -> list[str]:
        return sorted(table for _, table, cause in self.keeper.counts() if cause == "unclean_end")


def test_the_next_incarnation_finds_what_a_kill_has_left(tmp_path: Path) -> None:
    first = Run(tmp_path)
    assert first.gaps == []
    first.lifetime.mirrors(FACTS)
    second = Run(tmp_path)
    assert second.gaps == ["public.fast"]
    assert second.lifetime.proxy == first.lifetime.proxy
    assert second.lifetime.current.lineage == (second.lifetime.current.id, first.lifetime.current.id)
    third = Run(tmp_path)
    assert third.gaps == ["public.fast"], "the gap is still on the disk"
    fourth = Run(tmp_path, boot_id="another")
    assert fourth.gaps == ["public.fast"], "no table was mirrored since"


def test_after_a_clean_end_nothing_is_missing(tmp_path: Path) -> None:
    first = Run(tmp_path)
    first.lifetime.mirrors(FACTS)
    first.lifetime.end()
    assert Run(tmp_path).gaps == []


def test_a_machine_that_went_down_may_have_taken_the_spool_with_it(tmp_path: Path) -> None:
    first = Run(tmp_path)
    first.lifetime.mirrors(FACTS)
    assert Run(tmp_path, boot_id="another").gaps == ["public.fast", "public.strict"]


def test_a_table_that_ever_was_fast_counts_as_fast(tmp_path: Path) -> None:
    first = Run(tmp_path)
    first.lifetime.mirrors([TableFact("shop", STRICT, "dual_write", "fast")])
    first.lifetime.mirrors(FACTS[1:])
    first.lifetime.mirrors([])
    assert Run(tmp_path).gaps == ["public.strict"]


def test_without_a_file_every_start_is_another_proxy() -> None:
    one, two = (Lifetime(None, fsync=False, boot_id="boot") for _ in range(2))
    assert one.proxy != two.proxy
    one.mirrors(FACTS)
    one.end()
    assert one.current.clean


def test_the_boot_id_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "boot_id").write_text("abc\n")
    assert read_boot_id(tmp_path / "boot_id") == "abc"
    assert read_boot_id(tmp_path / "none") == ""
