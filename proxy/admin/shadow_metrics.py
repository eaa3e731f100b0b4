"""The metrics of dark reads: rows of `proxy.admin.exposition.METRICS`. None has a sample while no read is sampled."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from proxy.admin.metric import Histogram, MetricRow, Sample, Source, cumulative
from proxy.admin.shadow import ShadowReport, ShadowStatement

LATENCY_BOUNDS = range(16, 35, 2)
"""Bounds of the histograms, as powers of two of nanoseconds: 66 \u03bcs to 17 s."""


def _report(source: Source) -> ShadowReport | None:
    return None if source.mirror is None else source.mirror.shadow


def _reads(source: Source) -> Iterator[Sample]:
    report = _report(source)
    for reads in [] if report is None else report.tables:
        for outcome, count in sorted(reads.outcomes.items()):
            yield (reads.database, reads.table, outcome), count


def _statements(source: Source) -> Iterator[Sample]:
    report = _report(source)
    for one in [] if report is None else report.statements:
        for outcome, count in sorted(one.outcomes.items()):
            yield (one.database, one.fingerprint, outcome), count


def _reasons(source: Source) -> Iterator[Sample]:
    report = _report(source)
    for reason in [] if report is None else report.reasons:
        yield (reason.outcome, reason.reason), reason.count


def _latencies(side: Callable[[ShadowStatement], list[int]]) -> Callable[[Source], Iterator[Histogram]]:
    def read(source: Source) -> Iterator[Histogram]:
        report = _report(source)
        for one in [] if report is None else report.statements:
            buckets = side(one)
            if buckets:
                total = sum(count * (1 << power) * 0.75e-9 for power, count in enumerate(buckets))
                yield (one.database, one.fingerprint), cumulative(buckets, LATENCY_BOUNDS), total

    return read


def _overall(value: Callable[[ShadowReport], float]) -> Callable[[Source], Iterator[Sample]]:
    def read(source: Source) -> Iterator[Sample]:
        report = _report(source)
        if report is not None:
            yield (), value(report)

    return read


SHADOW_METRICS: tuple[MetricRow, ...] = (
    MetricRow(
        "shadow_reads",
        "counter",
        ("database", "table", "outcome"),
        "Sampled reads by what they came to; one of several tables counts for each.",
        _reads,
    ),
    MetricRow(
        "shadow_statement_reads",
        "counter",
        ("database", "fingerprint", "outcome"),
        "The same by statement.",
        _statements,
    ),
    MetricRow(
        "shadow_reasons",
        "counter",
        ("outcome", "reason"),
        "Why sampled reads were not compared, or by which rule they were accepted as they differ.",
        _reasons,
    ),
    MetricRow(
        "shadow_postgres_seconds",
        "histogram",
        ("database", "fingerprint"),
        "How long PostgreSQL took for sampled reads. The sum is an estimate from the buckets.",
        histograms=_latencies(lambda one: one.source),
    ),
    MetricRow(
        "shadow_store_seconds",
        "histogram",
        ("database", "fingerprint"),
        "How long the same reads took on the store. The sum is an estimate from the buckets.",
        histograms=_latencies(lambda one: one.store),
    ),
    MetricRow(
        "shadow_waiting",
        "gauge",
        (),
        "Sampled reads that are under way.",
        _overall(lambda report: report.waiting),
    ),
    MetricRow(
        "shadow_up",
        "gauge",
        (),
        "1 while the shadow process of every worker runs.",
        _overall(lambda report: report.up),
    ),
    MetricRow(
        "shadow_restarts",
        "counter",
        (),
        "Shadow processes that ended and were started again.",
        _overall(lambda report: report.restarts),
    ),
)
