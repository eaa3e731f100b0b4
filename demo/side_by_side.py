"""How long the same work takes through the proxy and without it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

Work = Callable[[], Awaitable[object]]

_BATCH = 20
_WARM_UP = 20


@dataclass(frozen=True)
class Latency:
    """Seconds."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Comparison:
    """One kind of work, one client."""

    name: str
    direct: Latency
    proxied: Latency
    rounds: int
    """Measured on each side."""


def latency(durations: Sequence[float]) -> Latency:
    """By nearest rank; at least one is needed."""
    ordered = sorted(durations)
    return Latency(_rank(ordered, 50), _rank(ordered, 99))


def _rank(ordered: Sequence[float], percent: int) -> float:
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


async def compare(name: str, direct: Work, proxied: Work, seconds: float) -> Comparison:
    """Both kinds in turns, a few at a time, so that what disturbs the machine disturbs both alike."""
    for work in (direct, proxied):
        for _ in range(_WARM_UP):
            await work()
    durations: tuple[list[float], list[float]] = ([], [])
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for work, taken in zip((direct, proxied), durations, strict=True):
            for _ in range(_BATCH):
                began = time.perf_counter()
                await work()
                taken.append(time.perf_counter() - began)
    return Comparison(name, latency(durations[0]), latency(durations[1]), len(durations[0]))
