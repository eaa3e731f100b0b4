"""A bucket lets no more through than the rate, and chunks suit rate and size of rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from proxy.backfill.rate import TARGET_BYTES, TokenBucket, chunk_rows, share_of_rate
from proxy.backfill.run import Counts, Run, Tuning, Worker

START = datetime(2026, 1, 1, tzinfo=UTC)


def run(tuning: Tuning, workers: int = 1, totals: Counts | None = None) -> Run:
    found = {str(n): Worker("host", n, START) for n in range(workers)}
    made = Run("t", 1, 1, ("id",), START, START, 100, tuning=tuning, workers=MappingProxyType(found))
    return replace(made, totals=totals or Counts())


@given(
    rows=st.lists(st.integers(1, 1000), min_size=1, max_size=30),
    rate=st.floats(1, 10_000),
    rests=st.lists(st.floats(0, 5), min_size=30, max_size=30),
)
def test_no_more_than_the_rate_whoever_rests_in_between(
    rows: list[int], rate: float, rests: list[float]
) -> None:
    bucket, now = TokenBucket(), 0.0
    for count, rest in zip(rows, rests, strict=False):
        now += bucket.wait(rate, now)
        bucket.spend(count, rate, now)
        now += rest
    finished = now + bucket.wait(rate, now)
    assert finished >= sum(rows) / rate * 0.999


def test_without_a_rate_nothing_waits() -> None:
    bucket = TokenBucket()
    bucket.spend(1000, 10.0, 0.0)
    assert bucket.wait(10.0, 0.0) == 100.0
    assert bucket.wait(0.0, 0.0) == 0.0
    assert bucket.wait(10.0, 0.0) == 0.0


def test_the_rate_is_divided_among_workers() -> None:
    assert share_of_rate(run(Tuning(rate=900.0), workers=3)) == 300.0
    assert share_of_rate(run(Tuning(rate=900.0), workers=0)) == 900.0


def test_chunks_are_small_where_rows_are_large_or_the_rate_is_low() -> None:
    assert chunk_rows(run(Tuning(chunk_rows=500)), 0.0) == 500
    assert chunk_rows(run(Tuning(chunk_rows=5000)), TARGET_BYTES / 10) == 10
    assert chunk_rows(run(Tuning(chunk_rows=5000)), TARGET_BYTES * 3) == 1
    known = Counts(rows=10, bytes=TARGET_BYTES)
    assert chunk_rows(run(Tuning(chunk_rows=5000), totals=known), 1.0) == 10
    assert chunk_rows(run(Tuning(chunk_rows=5000, rate=400.0, concurrency=2), workers=2), 0.0) == 100
    assert chunk_rows(run(Tuning(chunk_rows=5000, rate=0.5)), 0.0) == 1
