"""Quantiles of durations that were counted in buckets."""

from __future__ import annotations

from collections.abc import Sequence

LATENCY_BUCKETS = 40
"""Of a duration; bucket *i* holds those below 2**i nanoseconds and not below 2**(i-1); the last also those above."""


def quantile(buckets: Sequence[int], share: float) -> float | None:
    """Seconds below which `share` of the durations lie, as exact as the buckets are; None where there are none."""
    wanted = share * sum(buckets)
    if not wanted:
        return None
    below = 0
    for power, count in enumerate(buckets):
        if count and below + count >= wanted:
            low, high = 1 << power >> 1, 1 << power
            return (low + (high - low) * (wanted - below) / count) / 1e9
        below += count
    raise AssertionError("the last bucket reaches every share")
