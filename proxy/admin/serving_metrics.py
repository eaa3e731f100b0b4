"""The metrics of served reads: rows of `proxy.admin.exposition.METRICS`. None has a sample while no table is served."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from proxy.admin.metric import Histogram, MetricRow, Sample, Source, cumulative
from proxy.admin.serving import BreakerState, ServingReport

LATENCY_BOUNDS = range(16, 35, 2)
"""Bounds of the histogram, as powers of two of nanoseconds: 66 \u03bcs to 17 s."""

_STATES: tuple[BreakerState, ...] = ("closed", "half_open", "open")


def _report(source: Source) -> ServingReport | None:
    return None if source.mirror is None else source.mirror.serving


def _reads(source: Source) -> Iterator[Sample]:
    report = _report(source)
    for one in [] if report is None else report.reads:
        yield (one.database, one.table, one.source, one.reason), one.count


def _latencies(source: Source) -> Iterator[Histogram]:
    report = _report(source)
    for one in [] if report is None else report.latencies:
        yield (one.database, one.table), cumulative(one.buckets, LATENCY_BOUNDS), one.sum


def _breaker(source: Source) -> Iterator[Sample]:
    report = _report(source)
    for state in () if report is None else _STATES:
        assert report is not None
        yield (state,), report.breaker == state


def _overall(value: Callable[[ServingReport], float]) -> Callable[[Source], Iterator[Sample]]:
    def read(source: Source) -> Iterator[Sample]:
        report = _report(source)
        if report is not None:
            yield (), value(report)

    return read


SERVING_METRICS: tuple[MetricRow, ...] = (
    MetricRow(
        "reads",
        "counter",
        ("database", "table", "source", "reason"),
        "Reads of tables in primary_switch by who answered, `store` or `postgres`, and why PostgreSQL did; one of "
        "several tables counts for each.",
        _reads,
    ),
    MetricRow(
        "read_seconds",
        "histogram",
        ("database", "table"),
        "How long reads that the store answered took, from the question to the bytes of the reply.",
        histograms=_latencies,
    ),
    MetricRow(
        "read_breaker",
        "gauge",
        ("state",),
        "1 for the state of the breaker: `closed`, `half_open` while probes are sent, `open` while the store is not "
        "asked; of the worst worker.",
        _breaker,
    ),
    MetricRow(
        "read_breaker_opened",
        "counter",
        (),
        "How often the breaker has opened because the store failed or took too long.",
        _overall(lambda report: report.opened),
    ),
    MetricRow(
        "reads_running",
        "gauge",
        (),
        "Served reads that are under way on the store.",
        _overall(lambda report: report.running),
    ),
    MetricRow(
        "read_plan_hits",
        "counter",
        (),
        "Lookups of a read's plan that found it.",
        _overall(lambda report: report.hits),
    ),
    MetricRow(
        "read_plan_misses",
        "counter",
        (),
        "Lookups that did not: the text had to be looked at.",
        _overall(lambda report: report.misses),
    ),
)
