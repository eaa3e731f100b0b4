"""What the engine of served reads counts, per table. `report` gives a copy that crosses process borders."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.admin.quantile import LATENCY_BUCKETS
from proxy.admin.serving import MAX_REASONS, OTHER, ReadCount, ReadLatency, ServingReport
from proxy.fleet.tallies import NOTHING, Counts
from proxy.serve.reasons import STORE_FAILED


class ServeMeters:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str, str], int] = {}
        """By database, table, source and reason."""
        self._latencies: dict[tuple[str, str], list[int]] = {}
        self._sums: dict[tuple[str, str], float] = {}

    def count(self, database: str, tables: Sequence[str], source: str, reason: str) -> None:
        """One read: of each of its tables."""
        for table in tables:
            key = (database, table, source, reason)
            known = self._counts.get(key)
            if known is None:
                if len(self._counts) >= MAX_REASONS:
                    key = (database, table, source, OTHER if reason else "")
                known = self._counts.get(key, 0)
            self._counts[key] = known + 1

    def took(self, database: str, tables: Sequence[str], seconds: float) -> None:
        """A read that was served, from its question to its bytes."""
        bucket = min(int(seconds * 1e9).bit_length(), LATENCY_BUCKETS - 1)
        for table in tables:
            key = (database, table)
            buckets = self._latencies.get(key)
            if buckets is None:
                buckets = self._latencies[key] = [0] * LATENCY_BUCKETS
                self._sums[key] = 0.0
            buckets[bucket] += 1
            self._sums[key] += seconds

    def totals(self) -> dict[tuple[str, str], Counts]:
        """By (database, table), since the process started."""
        found: dict[tuple[str, str], Counts] = {}
        for (database, table, source, reason), count in self._counts.items():
            if source == "store":
                counts = Counts(served=count)
            elif reason in STORE_FAILED:
                counts = Counts(failed=count)
            else:
                continue
            found[database, table] = found.get((database, table), NOTHING) + counts
        return found

    def report(
        self, *, breaker: str, opened: int, running: int, plans: int, hits: int, misses: int
    ) -> ServingReport:
        return ServingReport(
            reads=[
                ReadCount(database=database, table=table, source=source, reason=reason, count=count)
                for (database, table, source, reason), count in sorted(self._counts.items())
            ],
            latencies=[
                ReadLatency(
                    database=database, table=table, buckets=list(buckets), sum=self._sums[database, table]
                )
                for (database, table), buckets in sorted(self._latencies.items())
            ],
            breaker=breaker,
            opened=opened,
            running=running,
            plans=plans,
            hits=hits,
            misses=misses,
        )
