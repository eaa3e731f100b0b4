"""The arithmetic of repeated, alternating measurements."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Spread:
    """The median of some rounds and how far they lie apart."""

    median: float
    low: float
    high: float

    def scaled(self, factor: float) -> Spread:
        """The same in another unit; `factor` is positive."""
        return Spread(self.median * factor, self.low * factor, self.high * factor)


def spread(values: Iterable[float]) -> Spread:
    """Raises ValueError where there are none."""
    known = sorted(values)
    if not known:
        raise ValueError("no rounds to take a median of")
    return Spread(statistics.median(known), known[0], known[-1])


def ratios(values: Sequence[float], base: Sequence[float]) -> list[float]:
    """Round by round, so that what slowed a whole round down cancels out.

    Raises ValueError where the numbers of rounds differ.
    """
    return [value / other for value, other in zip(values, base, strict=True)]


def differences(values: Sequence[float], base: Sequence[float]) -> list[float]:
    """As `ratios`, for what adds up instead."""
    return [value - other for value, other in zip(values, base, strict=True)]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of them do not exceed: the nearest-rank method."""
    if not values:
        raise ValueError("no values to take a percentile of")
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies between 0 and 1, not at {share}")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def turns(contenders: Sequence[T], number: int) -> list[T]:
    """The order of round `number`: each round starts with another contender, every other one runs backwards.

    Nobody always follows the same predecessor, and nobody always comes first.
    """
    if not contenders:
        return []
    start = number % len(contenders)
    order = [*contenders[start:], *contenders[:start]]
    return order[::-1] if (number // len(contenders)) % 2 else order
