"""What meters tell fits the report that processes are added up by."""

from __future__ import annotations

from proxy.admin.mirror import LATENCY_BUCKETS as REPORTED_BUCKETS
from proxy.admin.mirror import TABLE_COUNTERS, compose, merge
from proxy.mirror.meters import COUNTERS, LATENCY_BUCKETS, Meters
from tests.mirror.world import version


def test_the_report_has_every_counter() -> None:
    assert set(TABLE_COUNTERS) == set(COUNTERS)
    assert REPORTED_BUCKETS == LATENCY_BUCKETS


def test_a_snapshot_is_a_report() -> None:
    meters = Meters(lambda: 100.0)
    meters.memory = 77
    meters.store, meters.store_error = "away", "no primary"
    meters.spool = lambda: (1000, 3)
    table = meters.table("shop", "public.accounts")
    assert meters.table("shop", "public.accounts") is table
    table.captured, table.applied, table.queued = 5, 3, 2
    table.oldest = lambda: 97.5
    table.last_captured_version, table.last_applied_version = version(1500), version(1000)
    table.took(0.001)
    report = compose(meters.snapshot())
    (row,) = report.tables
    assert (report.memory_bytes, report.spool_bytes, report.spool_entries) == (77, 1000, 3)
    assert (report.store, report.store_error) == ("away", "no primary")
    assert (row.captured, row.applied, row.queued) == (5, 3, 2)
    assert (row.oldest_seconds, row.lag_seconds, row.lag_bytes) == (2.5, 2.5, 500)
    assert row.latency_sum == 0.001
    assert row.latency[20] == 1  # 2**19 ns <= 1 ms < 2**20 ns
    both = merge([report, report])
    assert both is not None
    assert both.tables[0].captured == 10


def test_lags_are_those_of_the_report() -> None:
    meters = Meters(lambda: 100.0)
    meters.table("shop", "public.accounts").oldest = lambda: 97.5
    meters.table("shop", "public.quiet")
    meters.table("blog", "public.posts")
    meters.waiting = lambda database: 90.0 if database == "blog" else None
    lags = meters.lags()
    assert lags == {
        ("shop", "public.accounts"): 2.5,
        ("shop", "public.quiet"): 0.0,
        ("blog", "public.posts"): 10.0,
    }
    rows = compose(meters.snapshot()).tables
    assert {(row.database, row.table): row.lag_seconds for row in rows} == lags


def test_nothing_waits_nothing_lags() -> None:
    meters = Meters(lambda: 100.0)
    table = meters.table("shop", "public.accounts")
    table.last_captured_version, table.last_applied_version = version(1500), version(1000)
    (row,) = compose(meters.snapshot()).tables
    assert (row.lag_seconds, row.lag_bytes, row.latency) == (0.0, 0, [])
