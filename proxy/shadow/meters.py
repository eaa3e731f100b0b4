"""What is counted of sampled reads, in the process whose sessions sent them. Bounded, whatever is sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from proxy.admin.quantile import LATENCY_BUCKETS
from proxy.admin.shadow import (
    MAX_FINGERPRINTS,
    MAX_REASONS,
    OTHER,
    ShadowReads,
    ShadowReason,
    ShadowReport,
    ShadowStatement,
)
from proxy.fleet.tallies import Counts
from proxy.shadow.outcomes import Done, Outcome

_COMPARED = tuple(
    outcome.value for outcome in (Outcome.MATCH, Outcome.MISMATCH, Outcome.IGNORED, Outcome.TRANSIENT)
)
"""Outcomes of reads that both sides have answered."""


@dataclass(slots=True)
class _Statement:
    statement: str
    tables: tuple[str, ...]
    outcomes: Counter[str] = field(default_factory=Counter)
    source: list[int] = field(default_factory=lambda: [0] * LATENCY_BUCKETS)
    store: list[int] = field(default_factory=lambda: [0] * LATENCY_BUCKETS)


class ShadowMeters:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, str], Counter[str]] = {}
        self._statements: dict[tuple[str, str], _Statement] = {}
        self._reasons: Counter[tuple[str, str]] = Counter()

    def count(self, done: Done) -> None:
        outcome = done.outcome.value
        for table in done.tables:
            self._tables.setdefault((done.database, table), Counter())[outcome] += 1
        if done.accepted:
            self._reason(outcome, done.accepted)
        elif done.reason and done.outcome is not Outcome.MISMATCH:
            self._reason(outcome, done.reason)
        if done.fingerprint:
            self._statement(done, outcome)

    def _reason(self, outcome: str, reason: str) -> None:
        key = (outcome, reason)
        if key not in self._reasons and len(self._reasons) >= MAX_REASONS:
            key = (outcome, OTHER)
        self._reasons[key] += 1

    def _statement(self, done: Done, outcome: str) -> None:
        key = (done.database, done.fingerprint)
        known = self._statements.get(key)
        if known is None:
            if len(self._statements) >= MAX_FINGERPRINTS:
                key = (done.database, OTHER)
                known = self._statements.get(key) or _Statement("", ())
            else:
                known = _Statement(done.statement, done.tables)
            self._statements[key] = known
        known.outcomes[outcome] += 1
        for seconds, buckets in ((done.source_seconds, known.source), (done.store_seconds, known.store)):
            if seconds is not None:
                buckets[bucket(seconds)] += 1

    def totals(self) -> dict[tuple[str, str], Counts]:
        """By (database, table), since the process started."""
        return {
            place: Counts(
                compared=sum(outcomes[name] for name in _COMPARED),
                mismatched=outcomes[Outcome.MISMATCH.value],
            )
            for place, outcomes in self._tables.items()
        }

    def report(self, *, waiting: int, up: bool, restarts: int) -> ShadowReport:
        return ShadowReport(
            tables=[
                ShadowReads(database=database, table=table, outcomes=dict(outcomes))
                for (database, table), outcomes in sorted(self._tables.items())
            ],
            statements=[
                ShadowStatement(
                    database=database,
                    fingerprint=fingerprint,
                    statement=one.statement,
                    tables=list(one.tables),
                    outcomes=dict(one.outcomes),
                    source=_used(one.source),
                    store=_used(one.store),
                )
                for (database, fingerprint), one in sorted(self._statements.items())
            ],
            reasons=[
                ShadowReason(outcome=outcome, reason=reason, count=count)
                for (outcome, reason), count in sorted(self._reasons.items())
            ],
            waiting=waiting,
            up=up,
            restarts=restarts,
        )


def bucket(seconds: float) -> int:
    """Of a latency histogram whose bucket *i* holds durations below 2**i nanoseconds."""
    return min(max(0, int(seconds * 1e9)).bit_length(), LATENCY_BUCKETS - 1)


def _used(buckets: list[int]) -> list[int]:
    """Without the empty ones at the end."""
    end = len(buckets)
    while end and not buckets[end - 1]:
        end -= 1
    return buckets[:end]
