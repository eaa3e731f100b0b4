"""Medians, ratios by round, and the order of turns."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bench.figures import Spread, differences, percentile, ratios, spread, turns


def test_a_spread_is_median_and_extremes() -> None:
    assert spread([3.0, 1.0, 10.0]) == Spread(3.0, 1.0, 10.0)
    assert spread([1.0, 2.0]) == Spread(1.5, 1.0, 2.0)


def test_no_rounds_have_no_median() -> None:
    with pytest.raises(ValueError, match="no rounds"):
        spread([])


def test_a_spread_changes_its_unit() -> None:
    assert Spread(2.0, 1.0, 3.0).scaled(10) == Spread(20.0, 10.0, 30.0)


def test_ratios_are_taken_round_by_round() -> None:
    """A round in which everything was twice as slow changes nothing."""
    assert ratios([90.0, 45.0], [100.0, 50.0]) == [0.9, 0.9]
    assert differences([5.0, 9.0], [1.0, 4.0]) == [4.0, 5.0]


def test_rounds_must_match() -> None:
    with pytest.raises(ValueError, match="longer"):
        ratios([1.0], [1.0, 2.0])


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 50), (0.501, 51), (0.99, 99), (1.0, 100)])
def test_percentiles_are_values_that_occurred(share: float, expected: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == expected


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 1.5)])
def test_percentiles_of_nothing(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match=r"percentile|share"):
        percentile(values, share)


def test_everybody_takes_a_turn_in_every_round() -> None:
    for number in range(12):
        assert sorted(turns("abc", number)) == ["a", "b", "c"]


def test_everybody_is_first_as_often_and_follows_everybody() -> None:
    rounds = [turns("abc", number) for number in range(6)]
    assert sorted(order[0] for order in rounds) == ["a", "a", "b", "b", "c", "c"]
    followers = {(before, after) for order in rounds for before, after in pairwise(order)}
    assert len(followers) == 6


def test_nobody_races() -> None:
    assert turns([], 3) == []
