"""A difference lasts where two steady looks in a row agree on both sides; all else is on its way, or unsettled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.shadow.judge import MAX_LOOKS, PAUSES, Look, Verdict, verdict

STEADY = Look(False, steady=True, source="a", store="b")


def test_verdicts() -> None:
    assert verdict([Look(True)]) is Verdict.EQUAL
    assert verdict([STEADY]) is Verdict.AGAIN
    assert verdict([STEADY, STEADY]) is Verdict.LASTS
    assert verdict([STEADY, Look(True)]) is Verdict.EQUAL
    assert verdict([Look(False, "LIMIT")]) is Verdict.DOUBT
    assert verdict([STEADY, Look(False, steady=False, source="a", store="b")]) is Verdict.AGAIN
    assert verdict([STEADY, Look(False, steady=True, source="a", store="c")]) is Verdict.AGAIN
    assert verdict([Look(False)] * MAX_LOOKS) is Verdict.UNSETTLED


@given(st.integers(2, MAX_LOOKS), st.data())
def test_what_changes_under_every_look_is_never_said_to_last(count: int, data: st.DataObject) -> None:
    looks = [
        Look(False, steady=data.draw(st.booleans()), source=number, store=data.draw(st.integers(0, 1)))
        for number in range(count)
    ]
    assert verdict(looks) is not Verdict.LASTS


def test_there_is_a_pause_before_every_look() -> None:
    assert len(PAUSES) == MAX_LOOKS


@given(st.data())
def test_a_mirror_that_follows_is_never_said_to_differ(data: st.DataObject) -> None:
    """A row with any history of distinct values; the store shows any state from the first answer's on, up to now."""
    now, looks = 0, list[Look]()
    while True:
        first = now
        now += data.draw(st.integers(0, 2))
        shown = data.draw(st.integers(first, now))
        now += data.draw(st.integers(0, 2))
        looks.append(Look(shown in (first, now), steady=first == now, source=now, store=shown))
        found = verdict(looks)
        assert found is not Verdict.LASTS
        if found is not Verdict.AGAIN:
            break
