from __future__ import annotations

from proxy.admin.serving import MAX_REASONS, OTHER
from proxy.fleet.tallies import Counts
from proxy.serve import reasons
from proxy.serve.meters import ServeMeters


def test_reasons_are_bounded() -> None:
    meters = ServeMeters()
    meters.count("shop", ("public.a",), "store", "")
    for place in range(MAX_REASONS + 10):
        meters.count("shop", ("public.a",), "postgres", f"reason {place}")
    meters.count("shop", ("public.a",), "postgres", "reason 0")
    meters.count("shop", ("public.b",), "store", "")
    found = meters.report(breaker="closed", opened=0, running=0, plans=0, hits=0, misses=0).reads
    counts = {(one.table, one.source, one.reason): one.count for one in found}
    assert counts["public.a", "postgres", OTHER] == 11
    assert counts["public.a", "postgres", "reason 0"] == 2
    assert counts["public.b", "store", ""] == 1
    assert len(counts) <= MAX_REASONS + 2
    assert sum(counts.values()) == MAX_REASONS + 13


def test_what_tells_of_the_health_of_the_store() -> None:
    meters = ServeMeters()
    for reason in (reasons.TIMEOUT, reasons.AWAY, reasons.BREAKER, reasons.CUT, "a lock"):
        meters.count("shop", ("public.a",), "postgres", reason)
    for _ in range(4):
        meters.count("shop", ("public.a", "public.b"), "store", "")
    assert meters.totals() == {
        ("shop", "public.a"): Counts(served=4, failed=3),
        ("shop", "public.b"): Counts(served=4),
    }


def test_times_of_tables() -> None:
    meters = ServeMeters()
    for seconds in (0.001, 0.001, 500_000.0):
        meters.took("shop", ("public.a", "public.b"), seconds)
    report = meters.report(breaker="closed", opened=0, running=0, plans=0, hits=0, misses=0)
    assert [(one.table, sum(one.buckets), one.sum) for one in report.latencies] == [
        ("public.a", 3, 500_000.002),
        ("public.b", 3, 500_000.002),
    ]
    assert report.latencies[0].buckets[-1] == 1
