"""Reports of served reads add up, and are shown by table and by reason."""

from __future__ import annotations

from typing import Any

from proxy.admin.mirror import MirrorReport, merge
from proxy.admin.quantile import LATENCY_BUCKETS
from proxy.admin.serving import (
    ReadCount,
    ReadLatency,
    ServingReport,
    merge_serving,
    serving_status,
)


def report(breaker: Any = "closed", store: int = 3, **more: Any) -> ServingReport:
    buckets = [0] * LATENCY_BUCKETS
    buckets[20] = store
    return ServingReport(
        reads=[
            ReadCount(database="shop", table="public.a", source="postgres", reason="a lock", count=1),
            ReadCount(database="shop", table="public.a", source="store", reason="", count=store),
            ReadCount(database="shop", table="public.b", source="postgres", reason="a lock", count=2),
            ReadCount(database="shop", table="public.b", source="postgres", reason="now", count=4),
        ],
        latencies=[ReadLatency(database="shop", table="public.a", buckets=buckets, sum=store * 0.0008)],
        breaker=breaker,
        opened=1,
        running=2,
        plans=5,
        hits=7,
        misses=5,
        **more,
    )


def test_processes_add_up_and_the_worst_breaker_counts() -> None:
    assert merge_serving([None, None]) is None
    alone = report()
    assert merge_serving([None, alone]) == alone
    merged = merge_serving([report(), report("half_open", store=5), report("open")])
    assert merged is not None
    assert merged.breaker == "open"
    assert (merged.opened, merged.running, merged.hits) == (3, 6, 21)
    assert {(one.table, one.source, one.reason): one.count for one in merged.reads} == {
        ("public.a", "store", ""): 11,
        ("public.a", "postgres", "a lock"): 3,
        ("public.b", "postgres", "a lock"): 6,
        ("public.b", "postgres", "now"): 12,
    }
    assert merged.latencies[0].buckets[20] == 11
    assert abs(merged.latencies[0].sum - 0.0088) < 1e-9


def test_a_report_crosses_process_borders_within_that_of_the_mirror() -> None:
    one = MirrorReport(serving=report())
    again = MirrorReport.model_validate(one.model_dump(mode="json"))
    merged = merge([again, MirrorReport(), again])
    assert merged is not None
    assert merged.serving == merge_serving([report(), report()])
    nothing = merge([MirrorReport()])
    assert nothing is not None
    assert nothing.serving is None


def test_it_is_shown_by_table_and_by_reason() -> None:
    shown = serving_status(report("half_open"))
    assert [(one.table, one.store, one.postgres) for one in shown.tables] == [
        ("public.a", 3, 1),
        ("public.b", 0, 6),
    ]
    assert [(one.reason, one.count) for one in shown.reasons] == [("now", 4), ("a lock", 3)]
    assert shown.tables[0].latency.p50 is not None
    assert 0.0005 < shown.tables[0].latency.p50 < 0.0011
    assert shown.tables[1].latency.p50 is None
    assert (shown.breaker, shown.opened, shown.running) == ("half_open", 1, 2)
