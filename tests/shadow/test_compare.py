"""Two results are the same exactly where PostgreSQL may give either."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.shadow.compare import Shape, close, compare, first_rows
from proxy.shadow.rows import Row

INT, TEXT, NUMERIC, FLOAT, BYTEA = 23, 25, 1700, 701, 17


def shape(*types: int, ties: tuple[int, ...] = (), rows: int = 0, **more: object) -> Shape:
    return Shape(types, ties or (rows,), **more)  # type: ignore[arg-type]


def rows(*values: object) -> list[Row]:
    return [
        tuple(None if one is None else str(one) for one in (value if isinstance(value, tuple) else (value,)))
        for value in values
    ]


VALUE = st.none() | st.sampled_from("abc")
ROWS = st.lists(st.tuples(VALUE, VALUE), max_size=8)


@given(ROWS, st.randoms())
def test_without_order_rows_are_a_multiset(theirs: list[Row], shuffler: random.Random) -> None:
    ours = list(theirs)
    shuffler.shuffle(ours)
    assert compare(theirs, ours, shape(TEXT, TEXT, rows=len(ours))).equal


@given(ROWS, ROWS)
def test_other_rows_are_found(theirs: list[Row], ours: list[Row]) -> None:
    found = compare(theirs, ours, shape(TEXT, TEXT, rows=len(ours)))
    same = sorted(theirs, key=repr) == sorted(ours, key=repr)
    assert found.equal == same
    if not same:
        assert found.missing or found.extra
        left = list(ours)
        for one in theirs:
            if one in left:
                left.remove(one)
        assert sorted(found.extra, key=repr) == sorted(left, key=repr)


@given(st.lists(st.integers(0, 3), max_size=8).map(sorted), st.integers(0, 9), st.randoms())
def test_the_first_rows_are_those_that_a_limit_could_give(
    keys: list[int], count: int, shuffler: random.Random
) -> None:
    ours = rows(*((key, place) for place, key in enumerate(keys)))
    runs = tuple(keys.count(key) for key in sorted(set(keys)))
    cut, shaped = first_rows(ours, shape(INT, INT, ties=runs or (0,)), count)
    assert len(cut) == min(count, len(ours)) == sum(shaped.ties)
    theirs: list[Row] = []
    for key in sorted(set(keys)):
        run = [row for row in ours if row[0] == str(key)]
        shuffler.shuffle(run)
        theirs += run
    found = compare(theirs[:count], cut, shaped)
    assert found.equal or found.doubt
    if count >= len(ours):
        assert found.equal
    elif count and ours[count - 1][0] != ours[count][0]:
        assert found.equal
        assert not shaped.loose_tail
    if cut and not shaped.loose_tail:
        wrong = [*theirs[:count][:-1], ("9", "9")]
        assert not compare(wrong, cut, shaped).equal


def test_order_counts_between_ties_and_not_within() -> None:
    theirs = rows((1, "a"), (1, "b"), (2, "c"), (3, "d"))
    ties = (2, 1, 1)
    assert compare(theirs, rows((1, "b"), (1, "a"), (2, "c"), (3, "d")), shape(INT, TEXT, ties=ties)).equal
    found = compare(theirs, rows((1, "a"), (1, "b"), (3, "d"), (2, "c")), shape(INT, TEXT, ties=ties))
    assert found.order
    assert not found.doubt
    assert not found.equal


def test_a_run_that_limit_cuts_says_nothing() -> None:
    theirs, ours = rows((1, "a"), (2, "b")), rows((1, "a"), (2, "c"))
    found = compare(theirs, ours, shape(INT, TEXT, ties=(1, 1), loose_tail=True))
    assert found.doubt
    assert not compare(theirs, ours, shape(INT, TEXT, ties=(1, 1))).doubt
    head = compare(
        rows((1, "x"), (2, "b")), rows((1, "a"), (2, "b")), shape(INT, TEXT, ties=(1, 1), loose_head=True)
    )
    assert head.doubt
    both = compare(
        rows((1, "x"), (2, "b")), rows((1, "a"), (2, "c")), shape(INT, TEXT, ties=(1, 1), loose_tail=True)
    )
    assert not both.doubt


def test_another_number_of_rows_is_never_doubted_unless_the_plan_is() -> None:
    theirs, ours = rows(1, 2), rows(1)
    assert compare(theirs, ours, shape(INT, ties=(1,), loose_tail=True)).missing == rows(2)
    assert compare(theirs, ours, shape(INT, rows=1, indeterminate="inner LIMIT")).doubt == "inner LIMIT"


@pytest.mark.parametrize(
    ("type_", "one", "other", "same"),
    [
        (NUMERIC, "1.0", "1.00", False),
        (NUMERIC, "1.0", "1.0", True),
        (FLOAT, "1e3", "1000", True),
        (FLOAT, "-0", "0", True),
        (FLOAT, "NaN", "NaN", True),
        (FLOAT, "0.1", "0.10000000000000002", False),
        (BYTEA, "\\x0a", "\\012", True),
        (BYTEA, "\\x5c41", "\\\\A", True),
        (BYTEA, "\\x", "", True),
        (BYTEA, "\\x0a", "\\013", False),
        (TEXT, "1.0", "1.00", False),
        (TEXT, None, "", False),
    ],
)
def test_values_are_the_same_as_their_type_says(type_: int, one: str | None, other: str, same: bool) -> None:
    assert compare([(one,)], [(other,)], shape(type_, rows=1)).equal == same


def test_sums_of_floats_may_differ_in_their_last_digits() -> None:
    theirs, ours = rows((1, "0.6000000000000001"), (2, "5")), rows((2, "5"), (1, "0.6"))
    near = shape(INT, FLOAT, rows=2, approximate=(False, True))
    assert compare(theirs, ours, near).equal
    assert not compare(theirs, ours, shape(INT, FLOAT, rows=2)).equal
    assert not compare(rows((1, "0.6000001")), rows((1, "0.6")), near).equal
    assert not compare(rows((2, "0.6000000000000001")), rows((1, "0.6")), near).equal


def test_closeness_is_in_units_of_the_last_place() -> None:
    assert close("1e308", "1.0000000000000002e308", 4)
    assert close("NaN", "NaN", 0)
    assert not close("Infinity", "1e308", 4)
    assert not close("x", "y", 4)
