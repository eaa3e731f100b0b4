"""What one process tells of its dark reads, the sum of several, and how the status shows it.

A `ShadowReport` is JSON-able and crosses process borders within a `MirrorReport`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import zip_longest

from pydantic import Field

from proxy.admin.model import Model
from proxy.admin.quantile import quantile

MAX_FINGERPRINTS = 200
"""Statements counted apart; what comes later is counted as one."""
MAX_REASONS = 500
OTHER = "other"
"""The fingerprint, or reason, that stands for those beyond."""


class ShadowReads(Model):
    """Sampled reads of one table; one of several tables counts for each."""

    database: str
    table: str
    """schema.table, quoted where PostgreSQL would need it."""
    outcomes: dict[str, int] = Field(default_factory=dict)


class ShadowStatement(Model):
    """Sampled reads of one statement."""

    database: str
    fingerprint: str
    statement: str = ""
    """Without its constants."""
    tables: list[str] = Field(default_factory=list)
    outcomes: dict[str, int] = Field(default_factory=dict)
    source: list[int] = Field(default_factory=list)
    """PostgreSQL's times for it, as `proxy.admin.mirror.LATENCY_BUCKETS` says."""
    store: list[int] = Field(default_factory=list)
    """The store's, the proxy's own part of the work included."""


class ShadowReason(Model):
    """Why reads were not compared, or accepted as they differ."""

    outcome: str
    reason: str
    """Of `ignored`: the rule."""
    count: int


class ShadowReport(Model):
    """Everything the shadow of one process (or the sum of several) tells."""

    tables: list[ShadowReads] = Field(default_factory=list)
    statements: list[ShadowStatement] = Field(default_factory=list)
    reasons: list[ShadowReason] = Field(default_factory=list)
    waiting: int = 0
    """Reads handed on and not answered yet."""
    up: bool = False
    """Whether the shadow process runs."""
    restarts: int = 0
    """How often it was started again."""


class Percentiles(Model):
    """Seconds; as exact as the buckets of a histogram are. Null before the first."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class StatementStatus(Model):
    """Sampled reads of one statement, as `/status` shows them."""

    database: str
    fingerprint: str
    """`other`: all statements for which there was no room."""
    statement: str
    tables: list[str]
    outcomes: dict[str, int]
    postgres: Percentiles
    """From the statement on its way to PostgreSQL to the end of its reply."""
    store: Percentiles
    """The same read on the store, the proxy's own part of the work included."""


class ShadowStatus(Model):
    """What `/status` shows of dark reads, all workers together. Counts are since the start of each."""

    tables: list[ShadowReads]
    statements: list[StatementStatus]
    """Those with mismatches first, then those sampled most."""
    reasons: list[ShadowReason]
    """The most frequent first."""
    waiting: int
    up: bool
    restarts: int


def merge_shadows(reports: Iterable[ShadowReport | None]) -> ShadowReport | None:
    """Several processes as one: sums. None where none of them has a shadow."""
    found = [report for report in reports if report is not None]
    if not found:
        return None
    tables: dict[tuple[str, str], Counter[str]] = {}
    statements: dict[tuple[str, str], ShadowStatement] = {}
    reasons: Counter[tuple[str, str]] = Counter()
    for report in found:
        for reads in report.tables:
            tables.setdefault((reads.database, reads.table), Counter()).update(reads.outcomes)
        for one in report.statements:
            key = (one.database, one.fingerprint)
            known = statements.get(key)
            statements[key] = one if known is None else _add(known, one)
        for reason in report.reasons:
            reasons[reason.outcome, reason.reason] += reason.count
    return ShadowReport(
        tables=[
            ShadowReads(database=database, table=table, outcomes=dict(outcomes))
            for (database, table), outcomes in sorted(tables.items())
        ],
        statements=[statements[key] for key in sorted(statements)],
        reasons=[
            ShadowReason(outcome=outcome, reason=reason, count=count)
            for (outcome, reason), count in sorted(reasons.items())
        ],
        waiting=sum(report.waiting for report in found),
        up=all(report.up for report in found),
        restarts=sum(report.restarts for report in found),
    )


def _add(one: ShadowStatement, other: ShadowStatement) -> ShadowStatement:
    return one.model_copy(
        update={
            "statement": one.statement or other.statement,
            "tables": sorted({*one.tables, *other.tables}),
            "outcomes": dict(Counter(one.outcomes) + Counter(other.outcomes)),
            "source": [a + b for a, b in zip_longest(one.source, other.source, fillvalue=0)],
            "store": [a + b for a, b in zip_longest(one.store, other.store, fillvalue=0)],
        }
    )


def shadow_status(report: ShadowReport) -> ShadowStatus:
    """As it is shown."""
    statements = [
        StatementStatus(
            database=one.database,
            fingerprint=one.fingerprint,
            statement=one.statement,
            tables=one.tables,
            outcomes=one.outcomes,
            postgres=_percentiles(one.source),
            store=_percentiles(one.store),
        )
        for one in report.statements
    ]
    statements.sort(key=lambda one: (-one.outcomes.get("mismatch", 0), -sum(one.outcomes.values())))
    return ShadowStatus(
        tables=report.tables,
        statements=statements,
        reasons=sorted(report.reasons, key=lambda one: -one.count),
        waiting=report.waiting,
        up=report.up,
        restarts=report.restarts,
    )


def _percentiles(buckets: list[int]) -> Percentiles:
    return Percentiles(p50=quantile(buckets, 0.5), p95=quantile(buckets, 0.95), p99=quantile(buckets, 0.99))
