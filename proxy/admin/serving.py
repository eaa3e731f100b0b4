"""What one process tells of the reads it serves, the sum of several, and how the status shows it.

A `ServingReport` is JSON-able and crosses process borders within a `MirrorReport`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import zip_longest
from typing import Literal

from pydantic import Field

from proxy.admin.model import Model
from proxy.admin.quantile import quantile
from proxy.admin.shadow import Percentiles

MAX_REASONS = 2000
"""Combinations of table, source and reason counted apart; what comes later is counted as one reason."""
OTHER = "other"
"""The reason that stands for those beyond."""

BreakerState = Literal["closed", "half_open", "open"]
_WORST: tuple[BreakerState, ...] = ("open", "half_open", "closed")
Source = Literal["store", "postgres"]


class ReadCount(Model):
    """Reads of one table in `primary_switch`; one of several tables counts for each."""

    database: str
    table: str
    """schema.table, quoted where PostgreSQL would need it."""
    source: Source
    """Who answered."""
    reason: str
    """Why PostgreSQL did; empty for the store."""
    count: int


class ReadLatency(Model):
    """How long served reads of one table took, from the question to the bytes of the reply."""

    database: str
    table: str
    buckets: list[int] = Field(default_factory=list)
    """As `proxy.admin.quantile.LATENCY_BUCKETS` says."""
    sum: float = 0.0
    """Seconds."""


class ServingReport(Model):
    """Everything the engine of one process (or the sum of several) tells."""

    reads: list[ReadCount] = Field(default_factory=list)
    latencies: list[ReadLatency] = Field(default_factory=list)
    breaker: BreakerState = "closed"
    opened: int = 0
    """How often the breaker has opened."""
    running: int = 0
    """Reads under way on the store."""
    plans: int = 0
    """Texts whose plan, or lack of one, is remembered."""
    hits: int = 0
    """Reads whose plan was there."""
    misses: int = 0
    """Texts that had to be compiled."""


class TableReads(Model):
    """Reads of one table, as `/status` shows them."""

    database: str
    table: str
    store: int
    """Answered by the store."""
    postgres: int
    """That PostgreSQL answered, although the table is in `primary_switch`."""
    latency: Percentiles
    """Of those the store answered."""


class ReadReason(Model):
    """Why PostgreSQL answered reads of tables in `primary_switch`."""

    reason: str
    count: int


class ServingStatus(Model):
    """What `/status` shows of served reads, all workers together. Counts are since the start of each."""

    tables: list[TableReads]
    reasons: list[ReadReason]
    """The most frequent first; a read of several tables counts once for each."""
    breaker: BreakerState
    """Of the worst worker: `open` while the store is not asked, `half_open` while probes are sent."""
    opened: int
    running: int


def merge_serving(reports: Iterable[ServingReport | None]) -> ServingReport | None:
    """Several processes as one: sums, and the worst breaker. None where none of them serves."""
    found = [report for report in reports if report is not None]
    if not found:
        return None
    counts: Counter[tuple[str, str, Source, str]] = Counter()
    latencies: dict[tuple[str, str], ReadLatency] = {}
    for report in found:
        for one in report.reads:
            counts[one.database, one.table, one.source, one.reason] += one.count
        for latency in report.latencies:
            known = latencies.get((latency.database, latency.table))
            latencies[latency.database, latency.table] = latency if known is None else _add(known, latency)
    return ServingReport(
        reads=[
            ReadCount(database=database, table=table, source=source, reason=reason, count=count)
            for (database, table, source, reason), count in sorted(counts.items())
        ],
        latencies=[latencies[key] for key in sorted(latencies)],
        breaker=min((report.breaker for report in found), key=_WORST.index),
        **{name: sum(getattr(report, name) for report in found) for name in _SUMS},
    )


_SUMS = ("opened", "running", "plans", "hits", "misses")


def _add(one: ReadLatency, other: ReadLatency) -> ReadLatency:
    buckets = [a + b for a, b in zip_longest(one.buckets, other.buckets, fillvalue=0)]
    return one.model_copy(update={"buckets": buckets, "sum": one.sum + other.sum})


def serving_status(report: ServingReport) -> ServingStatus:
    """As it is shown."""
    tables: dict[tuple[str, str], Counter[str]] = {}
    reasons: Counter[str] = Counter()
    for one in report.reads:
        tables.setdefault((one.database, one.table), Counter())[one.source] += one.count
        if one.reason:
            reasons[one.reason] += one.count
    buckets = {(one.database, one.table): one.buckets for one in report.latencies}
    return ServingStatus(
        tables=[
            TableReads(
                database=database,
                table=table,
                store=counts["store"],
                postgres=counts["postgres"],
                latency=_percentiles(buckets.get((database, table), [])),
            )
            for (database, table), counts in sorted(tables.items())
        ],
        reasons=[ReadReason(reason=reason, count=count) for reason, count in reasons.most_common()],
        breaker=report.breaker,
        opened=report.opened,
        running=report.running,
    )


def _percentiles(buckets: list[int]) -> Percentiles:
    return Percentiles(p50=quantile(buckets, 0.5), p95=quantile(buckets, 0.95), p99=quantile(buckets, 0.99))
