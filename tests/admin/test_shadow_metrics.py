"""The metrics of dark reads."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from proxy.admin.metric import Source
from proxy.admin.mirror import MirrorReport
from proxy.admin.shadow_metrics import SHADOW_METRICS
from proxy.shadow.meters import ShadowMeters
from proxy.shadow.outcomes import Done, Outcome

ROWS = {row.name: row for row in SHADOW_METRICS}


def source(report: Any) -> Source:
    return cast(Source, SimpleNamespace(mirror=None if report is None else MirrorReport(shadow=report)))


def read(name: str, of: Source) -> Mapping[tuple[str, ...], float]:
    return dict(ROWS[name].read(of))


def test_outcomes_reasons_and_latencies() -> None:
    meters = ShadowMeters()
    meters.count(Done(1, "shop", ("public.a",), Outcome.MATCH, "", "f" * 16, "select ?", 0.001, 0.002))
    meters.count(Done(0, "shop", ("public.a",), Outcome.DROPPED, "the queue is full"))
    of = source(meters.report(waiting=2, up=True, restarts=1))
    assert read("shadow_reads", of) == {("shop", "public.a", "match"): 1, ("shop", "public.a", "dropped"): 1}
    assert read("shadow_statement_reads", of) == {("shop", "f" * 16, "match"): 1}
    assert read("shadow_reasons", of) == {("dropped", "the queue is full"): 1}
    assert (read("shadow_waiting", of), read("shadow_up", of), read("shadow_restarts", of)) == (
        {(): 2},
        {(): 1},
        {(): 1},
    )
    for name, seconds in (("shadow_postgres_seconds", 0.001), ("shadow_store_seconds", 0.002)):
        ((labels, buckets, total),) = ROWS[name].histograms(of)
        assert labels == ("shop", "f" * 16)
        assert buckets[-1] == ("+Inf", 1)
        assert seconds / 2 < total < seconds * 2


def test_without_dark_reads_there_is_no_sample() -> None:
    for of in (source(None), cast(Source, SimpleNamespace(mirror=MirrorReport()))):
        for row in SHADOW_METRICS:
            found = list(row.histograms(of)) if row.kind == "histogram" else list(row.read(of))
            assert not found
