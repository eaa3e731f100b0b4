"""What is counted as left, and the state document there and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.backfill.compare import Difference, Kind
from proxy.backfill.report import (
    HIDDEN,
    Found,
    Outcome,
    Report,
    Scope,
    Verification,
    Whole,
    begun,
    ended,
    parse_verification,
    progressed,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def report(**numbers: int) -> Report:
    made = Report()
    for name, number in numbers.items():
        setattr(made, name, number)
    return made


def test_differences_are_counted_by_class_and_column() -> None:
    made = Report(limit=2)
    made.add(Found(Difference(Kind.MISSING), 1))
    made.add(Found(Difference(Kind.EXTRA), 2))
    made.add(Found(Difference(Kind.DIFFERENT, ("name", "at"), ("strange",)), 3))
    made.add(Found(Difference(Kind.DIFFERENT, ("name",)), 4))
    assert (made.missing, made.extra, made.different, made.differences) == (1, 1, 2, 4)
    assert made.columns == {"name": 2, "at": 1, "strange": 1}
    assert [one.identifier for one in made.found] == [1, 2]


@pytest.mark.parametrize(
    ("numbers", "left"),
    [
        ({}, 0),
        ({"transient": 9}, 0),
        ({"missing": 2, "different": 1, "repaired": 3}, 0),
        ({"missing": 2, "repaired": 1}, 1),
        ({"extra": 2, "foreign": 1, "removed": 1, "repaired": 1}, 0),
        ({"unsettled": 1}, 1),
        ({"impossible": 1}, 1),
    ],
)
def test_what_is_left(numbers: dict[str, int], left: int) -> None:
    made = report(**numbers)
    assert made.left == left
    assert made.equal == (left == 0)
    assert made.numbers()["left"] == left


def test_only_all_rows_are_the_whole() -> None:
    assert Scope().whole
    assert not Scope(sample=0.5).whole
    assert not Scope(where="id > 1").whole
    assert not Scope(since="2026-01-01").whole
    assert not Scope(sample=0.5).filtered


@given(
    st.builds(
        Verification,
        table=st.text(),
        outcome=st.sampled_from(Outcome),
        started=st.just(NOW),
        updated=st.just(LATER),
        ended=st.sampled_from([None, LATER]),
        owner=st.text(),
        scheduled=st.booleans(),
        repair=st.booleans(),
        scope=st.builds(
            Scope, st.floats(0, 1), st.sampled_from(["", HIDDEN]), st.sampled_from(["", "2026-01-01"])
        ),
        estimate=st.integers(0, 2**60),
        numbers=st.dictionaries(st.sampled_from(list(Report().numbers())), st.integers(0, 2**60)),
        columns=st.dictionaries(st.text(), st.integers(0, 9)),
        message=st.text(),
        whole=st.one_of(st.none(), st.builds(Whole, st.just(NOW), st.integers(0, 9))),
        scheduled_at=st.sampled_from([None, NOW]),
        revision=st.integers(1, 9),
    )
)
def test_there_and_back(state: Verification) -> None:
    assert parse_verification({**state.document(), "revision": state.revision, "newer": 1}) == state


def test_a_condition_is_not_kept_with_its_values() -> None:
    state = begun(None, "shop.public.t", "me", NOW, scope=Scope(where="email = 'a@b'"))
    assert "a@b" not in str(state.document())


def test_the_last_comparison_of_the_whole_is_remembered() -> None:
    first = begun(None, "shop.public.t", "me", NOW)
    assert (first.outcome, first.revision, first.whole) == (Outcome.RUNNING, 0, None)
    done = ended(progressed(first, report(rows=5), NOW), report(rows=9, missing=2), LATER)
    assert (done.outcome, done.left, done.whole) == (Outcome.DIFFERENT, 2, Whole(LATER, 2))
    sampled = ended(begun(done, "shop.public.t", "me", LATER, scope=Scope(sample=0.1)), report(), LATER)
    assert (sampled.outcome, sampled.left, sampled.whole) == (Outcome.EQUAL, 0, Whole(LATER, 2))
    failed = ended(begun(sampled, "shop.public.t", "me", LATER), report(), LATER, fault="the store is away")
    assert (failed.outcome, failed.whole, failed.message) == (
        Outcome.FAILED,
        Whole(LATER, 2),
        "the store is away",
    )


def test_what_could_not_be_told_is_no_difference() -> None:
    begin = begun(None, "shop.public.t", "me", NOW)
    held_up = report(unsettled=2)
    held_up.held_up = "after 5m: proxy 7"
    state = ended(begin, held_up, LATER)
    assert (state.outcome, state.left, state.message) == (Outcome.UNSETTLED, 2, "after 5m: proxy 7")
    assert ended(begin, report(unsettled=2, missing=1), LATER).outcome is Outcome.DIFFERENT
    assert ended(begin, report(missing=1, repaired=1), LATER).outcome is Outcome.EQUAL
    assert ended(begin, report(unsettled=2), LATER, fault="away").outcome is Outcome.FAILED


def test_when_the_rules_last_asked_for_one_is_remembered() -> None:
    first = begun(None, "shop.public.t", "me", NOW, scheduled=True)
    assert first.scheduled_at == NOW
    by_hand = begun(first, "shop.public.t", "me", LATER)
    assert (by_hand.scheduled, by_hand.scheduled_at) == (False, NOW)
    assert begun(by_hand, "shop.public.t", "me", LATER, scheduled=True).scheduled_at == LATER
