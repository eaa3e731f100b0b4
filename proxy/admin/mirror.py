"""What one process tells of its mirroring, the sum of several, and how the status shows it.

A `MirrorReport` is JSON-able and crosses process borders inside `Counters.snapshot` and `ProcessReport`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field

from proxy.admin.history import BackfillStatus, TableHistory, VerifyStatus, newest
from proxy.admin.model import Model
from proxy.admin.quantile import LATENCY_BUCKETS as LATENCY_BUCKETS
from proxy.admin.quantile import quantile as quantile
from proxy.admin.serving import ServingReport, merge_serving
from proxy.admin.shadow import ShadowReport, merge_shadows
from proxy.phases import Holding, Phase

SourceState = Literal["unknown", "ok", "away", "refused"]
"""unknown: not asked yet. away: unreachable or too slow, is tried again. refused: answers and says no."""

_WORST: tuple[SourceState, ...] = ("refused", "away", "ok", "unknown")


class TableHolding(Model):
    """The phase a table is in, once catalogue, store and spool are taken into account."""

    requested: Phase
    effective: Phase
    reasons: list[str] = Field(default_factory=list)
    overridden: list[str] = Field(default_factory=list)


class MirrorCounts(Model):
    """What is counted of one table that is mirrored."""

    captured: int = 0
    """Row images of committed transactions."""
    applied: int = 0
    """Writes that took effect in the store."""
    stale: int = 0
    """Writes the store had in this or a newer version already."""
    coalesced: int = 0
    """Images that a newer one of the same row has made needless before they were written."""
    retried: int = 0
    """Writes sent again because the store did not take them."""
    spooled: int = 0
    """Images that have been written to the spool."""
    poisoned: int = 0
    """Documents that the store will never take; each is a gap."""
    dropped: int = 0
    """Images that were given up; each is part of a gap."""
    acks_timed_out: int = 0
    """Replies that went out although the store had not confirmed within the rule's `ack.timeout`."""
    queued: int = 0
    """Images that wait for the store now."""
    oldest_seconds: float = 0.0
    """How long the oldest of them has waited."""
    lag_seconds: float = 0.0
    """How far the documents are behind: the age of the oldest commit that is not in the store; 0 when all are."""
    lag_bytes: int = 0
    """The same in bytes of WAL: from the newest version in the store to the newest captured."""
    gaps: dict[str, int] = Field(default_factory=dict)
    """Open gaps by cause; with any, the table cannot be promoted."""


class TableReport(MirrorCounts):
    """One table of one database, as one process (or the sum of several) mirrors it."""

    database: str
    table: str
    """schema.table, quoted where PostgreSQL would need it."""
    holding: TableHolding | None = None
    """None: as the rules alone decide."""
    rollbacks: int = 0
    """How often the table was taken back from `primary_switch` because a limit of `auto_rollback` was passed."""
    latency: list[int] = Field(default_factory=list)
    """Durations of store writes; see LATENCY_BUCKETS. Empty for none."""
    latency_sum: float = 0.0
    """Seconds."""
    backfill: BackfillStatus | None = None
    verify: VerifyStatus | None = None


class CatalogueReport(Model):
    """What is known of one database's catalogue."""

    database: str
    state: SourceState
    error: str = ""
    """Why it could not be read when last tried; what was read before stays in use."""
    generation: int = 0
    """Rises with every change that was noticed."""


class MirrorOverview(Model):
    """What `/status` shows of mirroring beside the tables."""

    memory_bytes: int = 0
    """Images held in memory."""
    spool_bytes: int = 0
    """Disk the spool takes."""
    spool_entries: int = 0
    """Transactions in it."""
    store: SourceState = "unknown"
    """The document store: not asked yet, `ok`, `away` while it is tried again, `refused` where it says no."""
    store_error: str = ""
    """Why the store did not take the last write; empty when it did."""
    catalogues: list[CatalogueReport] = Field(default_factory=list)
    """Of the databases that clients have connected to."""
    statement_cache_hits: int = 0
    """Statements whose analysis was there."""
    statement_cache_misses: int = 0
    """Statements that had to be parsed."""


class MirrorReport(MirrorOverview):
    """Everything the mirror of one process (or the sum of several) tells."""

    tables: list[TableReport] = Field(default_factory=list)
    shadow: ShadowReport | None = None
    """Of dark reads; None where no table was ever in a phase for them."""
    serving: ServingReport | None = None
    """Of served reads; None where no table was ever in `primary_switch`."""


def compose(
    meters: Mapping[str, Any],
    *,
    gaps: Mapping[tuple[str, str, str], int] = MappingProxyType({}),
    holdings: Mapping[tuple[str, str], Holding] = MappingProxyType({}),
    histories: Mapping[tuple[str, str], TableHistory] = MappingProxyType({}),
    catalogues: Sequence[CatalogueReport] = (),
    cache: tuple[int, int] = (0, 0),
    shadow: ShadowReport | None = None,
    serving: ServingReport | None = None,
    rollbacks: Mapping[tuple[str, str], int] = MappingProxyType({}),
) -> MirrorReport:
    """The report of one process from its parts.

    `meters` is a snapshot of `proxy.mirror.meters.Meters`. `gaps` are counted by database, table (as in TableReport)
    and cause, `holdings` and `histories` are by database and table; a table that stands in `gaps` or `holdings` only
    is in the report too. `cache` is hits and misses of the statement cache.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {
        (row["database"], row["table"]): dict(row) for row in meters.get("tables", ())
    }

    def row(database: str, table: str) -> dict[str, Any]:
        return rows.setdefault((database, table), {"database": database, "table": table})

    for (database, table, cause), count in gaps.items():
        row(database, table).setdefault("gaps", {})[cause] = count
    for (database, table), holding in holdings.items():
        row(database, table)["holding"] = TableHolding(
            requested=holding.requested,
            effective=holding.effective,
            reasons=list(holding.reasons),
            overridden=list(holding.overridden),
        )
    for (database, table), count in rollbacks.items():
        row(database, table)["rollbacks"] = count
    for key, history in histories.items():
        if key in rows:
            rows[key] |= {"backfill": history.backfill, "verify": history.verify}
    return MirrorReport.model_validate(
        {
            **meters,
            "tables": [rows[key] for key in sorted(rows)],
            "catalogues": list(catalogues),
            "statement_cache_hits": cache[0],
            "statement_cache_misses": cache[1],
            "shadow": shadow,
            "serving": serving,
        }
    )


def merge(reports: Iterable[MirrorReport]) -> MirrorReport | None:
    """Several processes as one: sums; of ages, lags and states the worst. None where none of them mirrors.

    Open gaps are the ledger's, which every process reads: of them too the largest count. Of backfills and
    verifications it is the newest that is known.
    """
    found = list(reports)
    if not found:
        return None
    tables: dict[tuple[str, str], TableReport] = {}
    catalogues: dict[str, CatalogueReport] = {}
    for report in found:
        for table in report.tables:
            key = (table.database, table.table)
            tables[key] = _add(tables[key], table) if key in tables else table
        for catalogue in report.catalogues:
            known = catalogues.get(catalogue.database)
            if known is None or _WORST.index(catalogue.state) < _WORST.index(known.state):
                catalogues[catalogue.database] = catalogue
    worst = min(found, key=lambda one: _WORST.index(one.store))
    return MirrorReport(
        tables=[tables[key] for key in sorted(tables)],
        catalogues=[catalogues[name] for name in sorted(catalogues)],
        store=worst.store,
        store_error=worst.store_error,
        shadow=merge_shadows(report.shadow for report in found),
        serving=merge_serving(report.serving for report in found),
        **{name: sum(getattr(one, name) for one in found) for name in _SUMS},
    )


_SUMS = ("memory_bytes", "spool_bytes", "spool_entries", "statement_cache_hits", "statement_cache_misses")
TABLE_COUNTERS = (
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
_TABLE_MAXIMA = ("oldest_seconds", "lag_seconds", "lag_bytes")


def _add(one: TableReport, other: TableReport) -> TableReport:
    values: dict[str, object] = {
        name: getattr(one, name) + getattr(other, name)
        for name in (*TABLE_COUNTERS, "queued", "latency_sum", "rollbacks")
    }
    values |= {name: max(getattr(one, name), getattr(other, name)) for name in _TABLE_MAXIMA}
    values["gaps"] = dict(Counter(one.gaps) | Counter(other.gaps))
    values["latency"] = [a + b for a, b in zip_longest(one.latency, other.latency, fillvalue=0)]
    holdings = [holding for holding in (one.holding, other.holding) if holding is not None]
    values["backfill"] = newest(one.backfill, other.backfill)
    values["verify"] = newest(one.verify, other.verify)
    values["holding"] = min(holdings, key=lambda holding: holding.effective.rank) if holdings else None
    return one.model_copy(update=values)


class MirrorStatus(MirrorCounts):
    """What `/status` shows of one table that is mirrored, all workers together."""

    store_write_p50: float | None = None
    """Median duration of a store write, seconds; null before the first."""
    store_write_p99: float | None = None
    """The 99th percentile of the same."""


NOTHING_MIRRORED = MirrorStatus()


def is_mirrored(table: TableReport) -> bool:
    """Whether the table is mirrored, or was and has something to tell still."""
    held = table.holding is not None and table.holding.effective is Phase.PASSTHROUGH
    return not held or describe(table) != NOTHING_MIRRORED


def describe(table: TableReport) -> MirrorStatus:
    return MirrorStatus(
        **{name: getattr(table, name) for name in MirrorCounts.model_fields},
        store_write_p50=quantile(table.latency, 0.5),
        store_write_p99=quantile(table.latency, 0.99),
    )


def overview(report: MirrorReport) -> MirrorOverview:
    return MirrorOverview(**{name: getattr(report, name) for name in MirrorOverview.model_fields})
