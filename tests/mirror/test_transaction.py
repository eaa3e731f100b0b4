"""Savepoints, sizes and what is read off an image without decoding it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.mirror.effects import Cause, Image, TableId, Truncation, Unseen
from proxy.mirror.transaction import Transaction, UnknownSavepoint, table_of, version_of, xid_of
from proxy.mirror.versions import MAX_LSN, VersionOverflow, pack
from proxy.sql.model import Verb
from tests.mirror.world import STRICT, image, insert, row, version

UNSEEN = Unseen(Cause.CTE, TableId("public", "t"))


def names(tx: Transaction) -> list[int]:
    return [int.from_bytes(effect.record[24:32]) for effect in tx.effects if isinstance(effect, Image)]


def test_what_leads_an_image() -> None:
    record = image(Verb.INSERT, 0x16B374D848, *row(1, "x"), oid=16401, xid=(3 << 32) + 7, timeline=5).record
    assert int.from_bytes(table_of(record)) == 16401
    assert version_of(record) == pack(5, 0x16B374D848)
    assert version_of(record) == pack(5, 0x16B374D848)
    assert xid_of(record) == (3 << 32) + 7


@pytest.mark.parametrize(("timeline", "lsn"), [(0, 5), (4000, 5), (1, MAX_LSN + 1)])
def test_a_version_beyond_all_versions_is_refused_every_time(timeline: int, lsn: int) -> None:
    assert version_of(insert(1, "x", 100).record) == version(100)
    for _ in range(2):
        with pytest.raises(VersionOverflow):
            version_of(image(Verb.INSERT, lsn, *row(1, "x"), timeline=timeline).record)


def test_a_record_that_is_no_image_has_no_version() -> None:
    with pytest.raises(ValueError, match="no header"):
        version_of(b"\0" * 20)


def test_id_and_version_are_those_of_the_first_image() -> None:
    tx = Transaction("shop", 7)
    assert (tx.xid, tx.version, tx.empty, tx.size) == (None, 7, True, 0)
    tx.add([UNSEEN])
    assert (tx.xid, tx.version, tx.empty) == (None, 7, False)
    tx.add([insert(1, "a", 100, xid=9), insert(2, "b", 200, xid=9)])
    assert (tx.xid, tx.version) == (9, version(100))


def test_a_truncation_has_a_version_and_no_id() -> None:
    tx = Transaction("shop")
    tx.add([Truncation((TableId("public", "t"),), version(50))])
    assert (tx.xid, tx.version) == (None, version(50))


def test_rollback_to_drops_what_came_since_and_keeps_the_savepoint() -> None:
    tx = Transaction("shop")
    tx.add([insert(1, "a", 100)])
    size = tx.size
    tx.savepoint("s")
    tx.add([insert(2, "b", 200), UNSEEN])
    tx.rollback_to("s")
    assert (names(tx), tx.size) == ([100], size)
    tx.add([insert(3, "c", 300)])
    tx.rollback_to("s")
    assert names(tx) == [100]
    tx.release("s")
    with pytest.raises(UnknownSavepoint):
        tx.rollback_to("s")


def test_a_repeated_name_hides_the_older_savepoint() -> None:
    tx = Transaction("shop")
    for lsn in (100, 200, 300):
        tx.savepoint("s")
        tx.add([insert(1, "a", lsn)])
    tx.rollback_to("s")
    assert names(tx) == [100, 200]
    tx.release("s")
    tx.rollback_to("s")
    assert names(tx) == [100]
    tx.release("s")
    tx.rollback_to("s")
    assert names(tx) == []


def test_releasing_an_outer_savepoint_keeps_effects_and_takes_inner_ones_along() -> None:
    tx = Transaction("shop")
    tx.savepoint("outer")
    tx.add([insert(1, "a", 100)])
    tx.savepoint("inner")
    tx.add([insert(1, "a", 200)])
    tx.release("outer")
    assert names(tx) == [100, 200]
    with pytest.raises(UnknownSavepoint):
        tx.release("inner")


def test_a_rollback_behind_what_is_in_the_spool_says_so() -> None:
    tx = Transaction("shop")
    tx.add([insert(1, "a", 100)])
    tx.savepoint("s")
    tx.add([insert(1, "a", 200)])
    tx.parts = [(0, 10), (1, 10)]
    tx.moved()
    tx.add([insert(1, "a", 300)])
    assert (tx.spooled, tx.stored, names(tx)) == (2, 2, [300])
    tx.rollback_to("s")
    assert (tx.spooled, tx.stored, names(tx), tx.cut, tx.size) == (1, 1, [], 1, 0)
    assert not tx.empty


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 10**6)),
        st.tuples(st.sampled_from(["savepoint", "release", "rollback_to"]), st.sampled_from("abc")),
        st.tuples(st.just("move"), st.just(0)),
    ),
    max_size=40,
)


@given(STEPS)
def test_any_history_leaves_what_postgresql_would_keep(steps: list[tuple[str, object]]) -> None:
    """The model keeps a stack of (name, effects before it), as the manual describes SAVEPOINT."""
    tx = Transaction("shop")
    kept: list[int] = []
    stack: list[tuple[object, list[int]]] = []
    disk: list[int] = []
    """What the spool would have, cut as the transaction asks for it."""
    for what, value in steps:
        if what == "add":
            assert isinstance(value, int)
            tx.add([insert(1, "x", value, oid=STRICT)])
            kept.append(value)
        elif what == "move":
            disk = disk[: tx.spooled] + names(tx)
            tx.moved()
        elif what == "savepoint":
            tx.savepoint(str(value))
            stack.append((value, list(kept)))
        else:
            at = next((n for n in range(len(stack) - 1, -1, -1) if stack[n][0] == value), None)
            if at is None:
                with pytest.raises(UnknownSavepoint):
                    getattr(tx, what)(str(value))
                continue
            getattr(tx, what)(str(value))
            if what == "release":
                del stack[at:]
            else:
                kept = list(stack[at][1])
                del stack[at + 1 :]
    assert disk[: tx.spooled] + names(tx) == kept
    assert tx.empty == (not kept)
