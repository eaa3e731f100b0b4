"""The metrics of served reads."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from proxy.admin.metric import Source
from proxy.admin.mirror import MirrorReport
from proxy.admin.serving_metrics import SERVING_METRICS
from proxy.serve.meters import ServeMeters

ROWS = {row.name: row for row in SERVING_METRICS}


def source(report: Any) -> Source:
    return cast(Source, SimpleNamespace(mirror=None if report is None else MirrorReport(serving=report)))


def read(name: str, of: Source) -> Mapping[tuple[str, ...], float]:
    return dict(ROWS[name].read(of))


def test_reads_latencies_and_the_breaker() -> None:
    meters = ServeMeters()
    meters.count("shop", ("public.a", "public.b"), "store", "")
    meters.count("shop", ("public.a",), "postgres", "a lock")
    meters.took("shop", ("public.a",), 0.003)
    of = source(meters.report(breaker="half_open", opened=2, running=4, plans=1, hits=3, misses=1))
    assert ROWS["reads"].shown_name == "causeway_reads_total"
    assert read("reads", of) == {
        ("shop", "public.a", "store", ""): 1,
        ("shop", "public.b", "store", ""): 1,
        ("shop", "public.a", "postgres", "a lock"): 1,
    }
    assert read("read_breaker", of) == {("closed",): 0, ("half_open",): 1, ("open",): 0}
    assert read("read_breaker_opened", of) == {(): 2}
    assert read("reads_running", of) == {(): 4}
    assert (read("read_plan_hits", of), read("read_plan_misses", of)) == ({(): 3}, {(): 1})
    ((labels, buckets, total),) = ROWS["read_seconds"].histograms(of)
    assert (labels, buckets[-1], total) == (("shop", "public.a"), ("+Inf", 1), 0.003)


def test_without_served_reads_there_is_no_sample() -> None:
    for of in (source(None), cast(Source, SimpleNamespace(mirror=MirrorReport()))):
        for row in SERVING_METRICS:
            found = list(row.histograms(of)) if row.kind == "histogram" else list(row.read(of))
            assert not found
