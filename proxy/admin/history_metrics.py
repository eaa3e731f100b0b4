"""The metrics of backfills and comparisons: rows of `proxy.admin.exposition.METRICS`.

They are gauges of the last run: the store remembers it, not this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import get_args

from proxy.admin.history import BackfillState, BackfillStatus, VerifyOutcome, VerifyStatus
from proxy.admin.metric import MetricRow, Sample, Source

_TABLE = ("database", "table")
Read = Callable[[Source], Iterator[Sample]]


def _backfill(value: Callable[[BackfillStatus], float | None]) -> Read:
    def read(source: Source) -> Iterator[Sample]:
        for table in [] if source.mirror is None else source.mirror.tables:
            if table.backfill is not None and (number := value(table.backfill)) is not None:
                yield (table.database, table.table), number

    return read


def _verify(value: Callable[[VerifyStatus], float | None]) -> Read:
    def read(source: Source) -> Iterator[Sample]:
        for table in [] if source.mirror is None else source.mirror.tables:
            if table.verify is not None and (number := value(table.verify)) is not None:
                yield (table.database, table.table), number

    return read


def _backfill_states(source: Source) -> Iterator[Sample]:
    for table in [] if source.mirror is None else source.mirror.tables:
        if table.backfill is not None:
            for state in get_args(BackfillState):
                yield (table.database, table.table, state), table.backfill.status == state


def _verify_states(source: Source) -> Iterator[Sample]:
    for table in [] if source.mirror is None else source.mirror.tables:
        if table.verify is not None:
            for outcome in get_args(VerifyOutcome):
                yield (table.database, table.table, outcome), table.verify.outcome == outcome


def _differences(source: Source) -> Iterator[Sample]:
    for table in [] if source.mirror is None else source.mirror.tables:
        if table.verify is not None:
            for kind in ("missing", "extra", "different"):
                yield (table.database, table.table, kind), getattr(table.verify, kind)


def _gauge(name: str, help_: str, read: Read, *labels: str) -> MetricRow:
    return MetricRow(name, "gauge", (*_TABLE, *labels), help_, read)


HISTORY_METRICS: tuple[MetricRow, ...] = (
    _gauge(
        "backfill_status",
        "1 for the state that the last backfill of the table is in, 0 for the others.",
        _backfill_states,
        "status",
    ),
    _gauge("backfill_rows", "Rows of it that are done.", _backfill(lambda b: b.rows)),
    _gauge(
        "backfill_rows_estimated",
        "Rows of the table, as the source's statistics have it.",
        _backfill(lambda b: b.estimate if b.estimate >= 0 else None),
    ),
    _gauge("backfill_share", "Of its rows that are done, 0 to 1.", _backfill(lambda b: b.share)),
    _gauge(
        "backfill_rows_per_second", "Its rate, lately; 0 when it does not run.", _backfill(lambda b: b.rate)
    ),
    _gauge(
        "backfill_remaining_seconds",
        "Until it is done, at this rate.",
        _backfill(lambda b: b.remaining_seconds),
    ),
    _gauge(
        "backfill_throttled",
        "1 while something holds it back: a rate, the source, the store.",
        _backfill(lambda b: bool(b.throttled)),
    ),
    _gauge("backfill_workers", "Processes that take part.", _backfill(lambda b: b.workers)),
    _gauge("backfill_seeded", "Documents it has put in.", _backfill(lambda b: b.seeded)),
    _gauge(
        "backfill_stale",
        "Its rows whose document was there already, or was deleted since.",
        _backfill(lambda b: b.stale),
    ),
    _gauge(
        "backfill_poisoned",
        "Its rows that no document can hold; each is a gap.",
        _backfill(lambda b: b.poisoned),
    ),
    _gauge("backfill_bytes", "Bytes of its rows, as PostgreSQL sent them.", _backfill(lambda b: b.bytes)),
    _gauge("backfill_chunks", "Chunks of it that are done.", _backfill(lambda b: b.chunks)),
    _gauge(
        "backfill_started_timestamp_seconds",
        "When it was begun.",
        _backfill(lambda b: b.started_at.timestamp()),
    ),
    _gauge(
        "backfill_updated_timestamp_seconds",
        "When a worker last told how far it is.",
        _backfill(lambda b: b.updated_at.timestamp()),
    ),
    _gauge(
        "verify_status",
        "1 for what the last comparison of the table with its documents has come to, 0 for the others.",
        _verify_states,
        "status",
    ),
    _gauge("verify_rows", "Rows it has compared.", _verify(lambda v: v.rows)),
    _gauge("verify_documents", "Documents it has looked up among the rows.", _verify(lambda v: v.documents)),
    _gauge("verify_share", "Of what it is to look at, 0 to 1.", _verify(lambda v: v.share)),
    _gauge(
        "verify_differences",
        "Differences that lasted, before any repair: `missing`, `extra` or `different` documents.",
        _differences,
        "kind",
    ),
    _gauge("verify_left", "Differences that are still there.", _verify(lambda v: v.left)),
    _gauge("verify_repaired", "Differences that it has closed.", _verify(lambda v: v.repaired)),
    _gauge(
        "verify_transient",
        "Differences that were gone when they were looked at again.",
        _verify(lambda v: v.transient),
    ),
    _gauge("verify_gaps_closed", "Gaps of the ledger that it has closed.", _verify(lambda v: v.gaps_closed)),
    _gauge(
        "verify_updated_timestamp_seconds",
        "When it last told how far it is, or ended.",
        _verify(lambda v: v.updated_at.timestamp()),
    ),
    _gauge(
        "verify_whole_timestamp_seconds",
        "When all rows were last compared to the end.",
        _verify(lambda v: None if v.whole_ended_at is None else v.whole_ended_at.timestamp()),
    ),
    _gauge("verify_whole_left", "Differences that were there then.", _verify(lambda v: v.whole_left)),
)
