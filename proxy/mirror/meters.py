"""What the mirror of one process counts, per table and in all.

`Meters.snapshot` has the fields of `proxy.admin.mirror.MirrorReport`, so that processes can be added up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from proxy.mirror.versions import MAX_LSN

LATENCY_BUCKETS = 40
"""Bucket *i* holds durations below 2**i nanoseconds and not below 2**(i-1); the last also those above."""

StoreState = Literal["unknown", "ok", "away", "refused"]

COUNTERS = (
    "captured",
    "applied",
    "stale",
    "coalesced",
    "retried",
    "spooled",
    "poisoned",
    "dropped",
    "acks_timed_out",
)


class TableMeter:
    """Counters and gauges of one table; `MirrorCounts` says what each means."""

    __slots__ = (
        "acks_timed_out",
        "applied",
        "captured",
        "coalesced",
        "dropped",
        "last_applied_at",
        "last_applied_version",
        "last_captured_version",
        "latency",
        "latency_sum",
        "oldest",
        "poisoned",
        "queued",
        "retried",
        "spooled",
        "stale",
    )

    def __init__(self) -> None:
        self.captured = 0
        self.applied = 0
        self.stale = 0
        self.coalesced = 0
        self.retried = 0
        self.spooled = 0
        self.poisoned = 0
        self.dropped = 0
        self.acks_timed_out = 0
        self.queued = 0
        self.oldest: Callable[[], float | None] = _nothing
        """When the commit of the oldest write that waits was seen, monotonic; None where none waits."""
        self.last_captured_version = 0
        self.last_applied_version = 0
        self.last_applied_at = 0.0
        """Monotonic; 0 before the first."""
        self.latency = [0] * LATENCY_BUCKETS
        self.latency_sum = 0.0

    def took(self, seconds: float) -> None:
        """A bulk write was answered after `seconds`."""
        self.latency[min(int(seconds * 1e9).bit_length(), LATENCY_BUCKETS - 1)] += 1
        self.latency_sum += seconds

    def age(self, now: float, elsewhere: float | None = None) -> float:
        """Seconds that the oldest write has waited; see `values`."""
        oldest = self.oldest()
        if elsewhere is not None:
            oldest = elsewhere if oldest is None else min(oldest, elsewhere)
        return 0.0 if oldest is None else max(0.0, now - oldest)

    def values(self, now: float, elsewhere: float | None = None) -> dict[str, Any]:
        """`elsewhere`: since when something waits that may be of this table, without being counted here yet."""
        oldest = self.oldest()
        if elsewhere is not None:
            oldest = elsewhere if oldest is None else min(oldest, elsewhere)
        age = 0.0 if oldest is None else max(0.0, now - oldest)
        behind = (self.last_captured_version & MAX_LSN) - (self.last_applied_version & MAX_LSN)
        return {
            **{name: getattr(self, name) for name in COUNTERS},
            "queued": self.queued,
            "oldest_seconds": age,
            "lag_seconds": age,
            "lag_bytes": 0 if oldest is None or not self.last_applied_version else max(0, behind),
            "latency": list(self.latency) if self.latency_sum else [],
            "latency_sum": self.latency_sum,
        }


class Meters:
    """All of a process. Counting is done in place by the mirror; what others look at are snapshots."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tables: dict[tuple[str, str], TableMeter] = {}
        self.memory = 0
        """Bytes of committed images in memory."""
        self.store: StoreState = "unknown"
        self.store_error = ""
        self.waiting: Callable[[str], float | None] = _nowhere
        """Since when something of a database waits that no table counts yet: on disk, or for its catalogue."""
        self.spool: Callable[[], tuple[int, int]] = _no_spool
        """Bytes and transactions in the spool."""

    def table(self, database: str, table: str) -> TableMeter:
        """`table`: schema.table, quoted where SQL needs it."""
        key = (database, table)
        meter = self._tables.get(key)
        if meter is None:
            meter = self._tables[key] = TableMeter()
        return meter

    def lags(self) -> dict[tuple[str, str], float]:
        """Seconds that the documents of each (database, table) are behind."""
        now = self._clock()
        waiting = {database: self.waiting(database) for database, _ in self._tables}
        return {place: meter.age(now, waiting[place[0]]) for place, meter in self._tables.items()}

    def snapshot(self) -> dict[str, Any]:
        now = self._clock()
        size, entries = self.spool()
        waiting = {database: self.waiting(database) for database, _ in self._tables}
        return {
            "memory_bytes": self.memory,
            "spool_bytes": size,
            "spool_entries": entries,
            "store": self.store,
            "store_error": self.store_error,
            "tables": [
                {"database": database, "table": table, **meter.values(now, waiting[database])}
                for (database, table), meter in sorted(self._tables.items())
            ],
        }


def _nothing() -> None:
    return None


def _nowhere(database: str) -> None:
    return None


def _no_spool() -> tuple[int, int]:
    return 0, 0
