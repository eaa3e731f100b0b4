"""How long and how often: the full run fits into a quarter of an hour, the quick one into two and a half minutes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """The size of every benchmark."""

    scale: int
    """pgbench's; 100,000 accounts each."""
    rounds: int
    """Turns of every contender in `throughput`."""
    seconds: int
    """Of each turn; pgbench counts in whole ones."""
    variants: bool
    """Whether `throughput` also takes the pure Python walk and two workers."""
    latency_rounds: int
    latency_slices: int
    """Times the contenders alternate within a round of `latency`."""
    latency_requests: int
    """Requests of a slice."""
    idle_connections: int
    copy_bytes: int
    profile_seconds: int
    micro_rounds: int
    micro_statements: int
    mirror_rounds: int
    """Turns of every proxy in `dual-write`."""
    mirror_seconds: int
    """Of each turn."""
    lag_seconds: int
    """Of sustained load in `mirror`."""
    fill_seconds: int
    """Of load in `mirror` while the store is away."""
    backfill_rows: tuple[int, ...]
    """Sizes of the tables in `backfill`, rising."""
    backfill_rounds: int
    """Of the smallest of them; the others are copied once."""


FULL = Plan(
    scale=10,
    rounds=7,
    seconds=1,
    variants=True,
    latency_rounds=10,
    latency_slices=20,
    latency_requests=100,
    idle_connections=1000,
    copy_bytes=1_000_000_000,
    profile_seconds=8,
    micro_rounds=7,
    micro_statements=20_000,
    mirror_rounds=4,
    mirror_seconds=2,
    lag_seconds=10,
    fill_seconds=5,
    backfill_rows=(100_000, 1_000_000),
    backfill_rounds=3,
)

QUICK = Plan(
    scale=5,
    rounds=1,
    seconds=1,
    variants=False,
    latency_rounds=3,
    latency_slices=10,
    latency_requests=100,
    idle_connections=300,
    copy_bytes=100_000_000,
    profile_seconds=2,
    micro_rounds=3,
    micro_statements=5_000,
    mirror_rounds=1,
    mirror_seconds=1,
    lag_seconds=4,
    fill_seconds=2,
    backfill_rows=(20_000,),
    backfill_rounds=1,
)
"""A smoke test: its ratios are within some ten percent of those of a full run on a quiet machine."""
