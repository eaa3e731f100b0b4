"""The metrics of mirroring: rows of `proxy.admin.exposition.METRICS`. None has a sample while nothing is mirrored."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from proxy.admin.metric import Histogram, MetricRow, Sample, Source, cumulative
from proxy.admin.mirror import MirrorReport, TableReport, is_mirrored

LATENCY_BOUNDS = range(18, 37, 2)
"""Bounds of the store write histogram, as powers of two of nanoseconds: 0.26 ms to 69 s."""

_TABLE = ("database", "table")


def _tables(value: Callable[[TableReport], float]) -> Callable[[Source], Iterator[Sample]]:
    def read(source: Source) -> Iterator[Sample]:
        for table in _mirrored(source):
            yield (table.database, table.table), value(table)

    return read


def _mirrored(source: Source) -> list[TableReport]:
    return [] if source.mirror is None else [table for table in source.mirror.tables if is_mirrored(table)]


def _overall(value: Callable[[MirrorReport], float]) -> Callable[[Source], Iterator[Sample]]:
    def read(source: Source) -> Iterator[Sample]:
        if source.mirror is not None:
            yield (), value(source.mirror)

    return read


def _gaps(source: Source) -> Iterator[Sample]:
    for table in _mirrored(source):
        for cause, count in sorted(table.gaps.items()):
            yield (table.database, table.table, cause), count


def _forced(source: Source) -> Iterator[Sample]:
    for table in _mirrored(source):
        if table.holding is not None and table.holding.overridden:
            yield (table.database, table.table), len(table.holding.overridden)


def _latencies(source: Source) -> Iterator[Histogram]:
    for table in _mirrored(source):
        if table.latency:
            buckets = cumulative(table.latency, LATENCY_BOUNDS)
            yield (table.database, table.table), buckets, table.latency_sum


def _store_up(source: Source) -> Iterator[Sample]:
    if source.mirror is not None and source.mirror.store != "unknown":
        yield (), source.mirror.store == "ok"


def _catalogue_up(source: Source) -> Iterator[Sample]:
    for catalogue in [] if source.mirror is None else source.mirror.catalogues:
        if catalogue.state != "unknown":
            yield (catalogue.database,), catalogue.state == "ok"


MIRROR_METRICS: tuple[MetricRow, ...] = (
    MetricRow(
        "mirror_captured",
        "counter",
        _TABLE,
        "Row images of committed transactions.",
        _tables(lambda t: t.captured),
    ),
    MetricRow(
        "mirror_applied",
        "counter",
        _TABLE,
        "Writes that took effect in the store.",
        _tables(lambda t: t.applied),
    ),
    MetricRow(
        "mirror_stale",
        "counter",
        _TABLE,
        "Writes the store had in this or a newer version already.",
        _tables(lambda t: t.stale),
    ),
    MetricRow(
        "mirror_coalesced",
        "counter",
        _TABLE,
        "Images that a newer one of the same row has made needless before they were written.",
        _tables(lambda t: t.coalesced),
    ),
    MetricRow(
        "mirror_retried",
        "counter",
        _TABLE,
        "Writes sent again because the store did not take them.",
        _tables(lambda t: t.retried),
    ),
    MetricRow(
        "mirror_spooled",
        "counter",
        _TABLE,
        "Images written to the spool.",
        _tables(lambda t: t.spooled),
    ),
    MetricRow(
        "mirror_poisoned",
        "counter",
        _TABLE,
        "Documents that the store will never take; each is a gap.",
        _tables(lambda t: t.poisoned),
    ),
    MetricRow(
        "mirror_dropped",
        "counter",
        _TABLE,
        "Images that were given up; each is part of a gap.",
        _tables(lambda t: t.dropped),
    ),
    MetricRow(
        "mirror_acks_timed_out",
        "counter",
        _TABLE,
        "Replies that went out although the store had not confirmed within the rule's `ack.timeout`.",
        _tables(lambda t: t.acks_timed_out),
    ),
    MetricRow(
        "mirror_queued",
        "gauge",
        _TABLE,
        "Images that wait for the store.",
        _tables(lambda t: t.queued),
    ),
    MetricRow(
        "mirror_oldest_seconds",
        "gauge",
        _TABLE,
        "How long the oldest of them has waited; of the worst worker.",
        _tables(lambda t: t.oldest_seconds),
    ),
    MetricRow(
        "mirror_lag_seconds",
        "gauge",
        _TABLE,
        "How far the documents are behind PostgreSQL, in time; of the worst worker.",
        _tables(lambda t: t.lag_seconds),
    ),
    MetricRow(
        "mirror_lag_bytes",
        "gauge",
        _TABLE,
        "The same in bytes of WAL.",
        _tables(lambda t: t.lag_bytes),
    ),
    MetricRow(
        "mirror_gaps_open",
        "gauge",
        (*_TABLE, "cause"),
        "Gaps in the ledger: writes that are not in the documents.",
        _gaps,
    ),
    MetricRow(
        "table_rollbacks",
        "counter",
        _TABLE,
        "How often the table was taken back from primary_switch because a limit of `auto_rollback` was passed.",
        _tables(lambda t: t.rollbacks),
    ),
    MetricRow(
        "table_forced_gates",
        "gauge",
        _TABLE,
        "Closed gates that `force: true` has the table past; no sample where there are none.",
        _forced,
    ),
    MetricRow(
        "mirror_store_write_seconds",
        "histogram",
        _TABLE,
        "How long a bulk write took in the store.",
        histograms=_latencies,
    ),
    MetricRow(
        "mirror_memory_bytes",
        "gauge",
        (),
        "Images held in memory.",
        _overall(lambda m: m.memory_bytes),
    ),
    MetricRow(
        "mirror_spool_bytes",
        "gauge",
        (),
        "Disk the spool takes.",
        _overall(lambda m: m.spool_bytes),
    ),
    MetricRow(
        "mirror_spool_transactions",
        "gauge",
        (),
        "Transactions in the spool.",
        _overall(lambda m: m.spool_entries),
    ),
    MetricRow(
        "mirror_store_up",
        "gauge",
        (),
        "1 while the document store takes writes, 0 while it does not.",
        _store_up,
    ),
    MetricRow(
        "mirror_catalogue_up",
        "gauge",
        ("database",),
        "1 while the catalogue of a source database can be read, 0 while what was read before is used.",
        _catalogue_up,
    ),
    MetricRow(
        "statement_cache_hits",
        "counter",
        (),
        "Statements that were looked at without being parsed.",
        _overall(lambda m: m.statement_cache_hits),
    ),
    MetricRow(
        "statement_cache_misses",
        "counter",
        (),
        "Statements that had to be parsed.",
        _overall(lambda m: m.statement_cache_misses),
    ),
)
