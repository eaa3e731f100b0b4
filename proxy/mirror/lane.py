"""The writes of one collection that the store does not have yet: the newest of each key.

Writes of one key never overtake each other: while one is under way the next one waits. Writes of different keys may;
versions make their order indifferent. No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from proxy.mirror.effects import Rows, TableId
from proxy.mirror.held import Held
from proxy.mirror.meters import TableMeter
from proxy.stores.protocol import Namespace, Write

RowsOf = Callable[[Write], Rows | None]
"""Names the row of a write for a gap; None where that cannot be told."""


class Pending:
    """The newest write of one key, and everything that is done once it is."""

    __slots__ = ("holds", "replay", "since", "write")

    def __init__(self, write: Write, held: Held) -> None:
        self.write = write
        self.holds = [held]
        self.replay = held.replay
        self.since = held.since

    def newer(self, other: Pending) -> None:
        """Take in a write of the same key."""
        if other.write.version >= self.write.version:
            self.write = other.write
        self.holds += other.holds
        self.replay |= other.replay
        self.since = min(self.since, other.since)


class Lane:
    """One collection."""

    __slots__ = (
        "attempts",
        "batch",
        "busy",
        "database",
        "due",
        "in_flight",
        "meter",
        "namespace",
        "running",
        "table",
        "truncations",
        "waiting",
    )

    def __init__(
        self, namespace: Namespace, database: str, table: TableId, meter: TableMeter, batch: int
    ) -> None:
        self.namespace = namespace
        self.database = database
        self.table = table
        self.meter = meter
        meter.oldest = self.oldest
        self.batch = batch
        """Writes in one operation: halved when the store does not answer, doubled when it does."""
        self.waiting: dict[Hashable, tuple[Pending, RowsOf]] = {}
        self.busy: set[Hashable] = set()
        """Keys of writes under way."""
        self.in_flight: dict[int, float] = {}
        """Of operations under way, the oldest commit in them."""
        self.truncations: list[tuple[int, Held]] = []
        self.running = 0
        """Operations under way."""
        self.attempts = 0
        """That failed since the last success."""
        self.due = 0.0
        """Monotonic time before which nothing is sent, unless a batch is full."""

    def oldest(self) -> float | None:
        """When the commit of the oldest write that is not in the store was seen."""
        times = list(self.in_flight.values())
        first = next(iter(self.waiting.values()), None)
        if first is not None:
            times.append(first[0].since)
        times += [held.since for _, held in self.truncations]
        return min(times, default=None)

    def take(self) -> list[tuple[Hashable, Pending, RowsOf]]:
        """The next batch: the longest waiting keys of which nothing is under way."""
        taken: list[tuple[Hashable, Pending, RowsOf]] = []
        for token, (pending, rows_of) in self.waiting.items():
            if token not in self.busy:
                taken.append((token, pending, rows_of))
                if len(taken) >= self.batch:
                    break
        for token, _, _ in taken:
            del self.waiting[token]
        self.busy.update(token for token, _, _ in taken)
        return taken

    def put_back(self, batch: Sequence[tuple[Hashable, Pending, RowsOf]]) -> None:
        """Writes that the store may or may not have carried out."""
        again: dict[Hashable, tuple[Pending, RowsOf]] = {}
        for token, pending, rows_of in batch:
            self.busy.discard(token)
            pending.replay = True
            later = self.waiting.pop(token, None)
            if later is not None:
                pending.newer(later[0])
                rows_of = later[1]
                self.meter.coalesced += 1
            again[token] = (pending, rows_of)
        again.update(self.waiting)
        self.waiting = again
