"""Quantiles of durations that were counted in buckets."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.quantile import LATENCY_BUCKETS, quantile

BUCKETS = st.lists(st.integers(0, 9), min_size=LATENCY_BUCKETS, max_size=LATENCY_BUCKETS)


@given(st.lists(st.integers(1, 60 * 10**9), min_size=1, max_size=50), st.sampled_from([0.5, 0.99, 1.0]))
def test_a_quantile_is_within_its_bucket(nanoseconds: list[int], share: float) -> None:
    buckets = [0] * LATENCY_BUCKETS
    for duration in nanoseconds:
        buckets[min(duration.bit_length(), LATENCY_BUCKETS - 1)] += 1
    exact = next(
        one for place, one in enumerate(sorted(nanoseconds), start=1) if place >= share * len(nanoseconds)
    )
    found = quantile(buckets, share)
    assert found is not None
    assert 2 ** (exact.bit_length() - 1) <= found * 1e9 * (1 + 1e-9)
    assert found * 1e9 <= 2 ** exact.bit_length() * (1 + 1e-9)


@given(BUCKETS, st.lists(st.floats(0.01, 1), min_size=2, max_size=5))
def test_a_larger_share_takes_no_less_time(buckets: list[int], shares: list[float]) -> None:
    found = [quantile(buckets, share) for share in sorted(shares)]
    if not any(buckets):
        assert set(found) == {None}
        return
    for one, other in pairwise(found):
        assert one is not None
        assert other is not None
        assert one <= other * (1 + 1e-12)


@given(BUCKETS, st.floats(0.01, 1), st.integers(2, 50))
def test_how_many_there_are_says_nothing(buckets: list[int], share: float, times: int) -> None:
    once, often = quantile(buckets, share), quantile([count * times for count in buckets], share)
    assert once == (None if often is None else pytest.approx(often))


def test_of_nothing_there_is_none() -> None:
    assert quantile([], 0.5) is None
    assert quantile([0, 0, 0], 0.99) is None
    assert quantile([0, 3], 0.0) is None
