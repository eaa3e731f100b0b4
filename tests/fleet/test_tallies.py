"""Windows hold what was counted lately, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.fleet.tallies import NOTHING, SLOTS, Counts, Window, parse_counts

COUNTS = st.builds(Counts, *([st.integers(0, 1000)] * 4))
MOMENTS = st.lists(st.tuples(st.floats(0, 500), COUNTS), max_size=60).map(
    lambda events: sorted(events, key=lambda event: event[0])
)


@given(MOMENTS, st.sampled_from([1.0, 60.0, 300.0]))
def test_a_window_holds_what_is_younger_and_little_that_is_older(
    events: list[tuple[float, Counts]], seconds: float
) -> None:
    window = Window(seconds)
    for moment, counts in events:
        window.add(counts, moment)
    now = max([moment for moment, _ in events], default=0.0) + seconds / 7
    slot = seconds / SLOTS

    def since(age: float) -> Counts:
        return sum((counts for moment, counts in events if moment > now - age), NOTHING)

    total = window.total(now).values()
    assert all(a <= b for a, b in zip(total, since(seconds + slot).values(), strict=True))
    assert all(a >= b for a, b in zip(total, since(seconds - slot).values(), strict=True))


@given(MOMENTS)
def test_a_window_is_bounded(events: list[tuple[float, Counts]]) -> None:
    window = Window(30.0)
    for moment, counts in events:
        window.add(counts, moment)
        assert len(window._slots) <= SLOTS


def test_what_has_gone_by_is_forgotten() -> None:
    window = Window(60.0)
    window.add(Counts(compared=5), 100.0)
    assert window.total(150.0).compared == 5
    assert window.total(161.5) == NOTHING


@given(COUNTS, COUNTS)
def test_totals_tell_what_has_come_to_them(before: Counts, new: Counts) -> None:
    assert (before + new).since(before) == new
    assert parse_counts(new.values()) == new


def test_totals_that_begin_again_count_from_nothing() -> None:
    assert Counts(compared=3, served=9).since(Counts(compared=50, served=7)) == Counts(compared=3, served=2)
