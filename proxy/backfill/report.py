"""What a comparison of a table with its collection has found, and how the store keeps it. Pure.

One state document for each table, kind `verify`, name `str(TableName)` with the database: of the last comparison, or
the one under way, however it was started.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any

from proxy.backfill.compare import Difference, Kind

KIND = "verify"


class Outcome(Enum):
    RUNNING = "running"
    EQUAL = "equal"
    DIFFERENT = "different"
    UNSETTLED = "unsettled"
    """Nothing differs for good, but of some keys it could not be told: `Verification.message` says why."""
    FAILED = "failed"
    """It was cut short; what it found until then holds."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows are compared."""

    sample: float = 1.0
    """Share of them."""
    where: str = ""
    """A condition in SQL."""
    since: str = ""
    """The least value of the rule's `last_modified` column, as text."""

    @property
    def whole(self) -> bool:
        """All rows and all documents."""
        return self.sample >= 1.0 and not self.filtered

    @property
    def filtered(self) -> bool:
        """Rows are chosen by what is in them, so a document without a row belongs to no choice."""
        return bool(self.where or self.since)


@dataclass(frozen=True, slots=True)
class Found:
    """One difference that lasts, for people."""

    difference: Difference
    identifier: Any
    """The `_id`."""
    note: str = ""


@dataclass(slots=True)
class Report:
    """Numbers of one comparison; they grow while it goes on."""

    limit: int = 100
    """Differences kept to be shown."""
    rows: int = 0
    """Compared with their documents."""
    documents: int = 0
    """Looked up among the rows."""
    chunks: int = 0
    unequal: int = 0
    """Chunks whose digests differed."""
    transient: int = 0
    """Keys that differed and then did not."""
    missing: int = 0
    extra: int = 0
    different: int = 0
    """Those that last, before any repair."""
    foreign: int = 0
    """Of the extra ones: documents whose `_id` is no key of the table."""
    impossible: int = 0
    """Rows that no document can hold."""
    unsettled: int = 0
    """Keys that others kept repairing, or of which a proxy may still hold something; no look found them equal."""
    held_up: str = ""
    """Which proxy did not pass a position in time; empty: each did."""
    repaired: int = 0
    removed: int = 0
    """Foreign documents."""
    columns: Counter[str] = field(default_factory=Counter)
    """In how many documents each differs."""
    found: list[Found] = field(default_factory=list)
    gaps_closed: int = 0

    def add(self, found: Found) -> None:
        kind = found.difference.kind
        if kind is Kind.MISSING:
            self.missing += 1
        elif kind is Kind.EXTRA:
            self.extra += 1
        else:
            self.different += 1
            self.columns.update(found.difference.columns)
            self.columns.update(found.difference.fields)
        if len(self.found) < self.limit:
            self.found.append(found)

    @property
    def differences(self) -> int:
        """That lasted, before any repair."""
        return self.missing + self.extra + self.different

    @property
    def left(self) -> int:
        """Differences that are still there."""
        return self.differences - self.repaired - self.removed + self.unsettled + self.impossible

    @property
    def equal(self) -> bool:
        return self.left == 0

    def numbers(self) -> dict[str, int]:
        return {
            "rows": self.rows,
            "documents": self.documents,
            "chunks": self.chunks,
            "unequal_chunks": self.unequal,
            "transient": self.transient,
            "missing": self.missing,
            "extra": self.extra,
            "different": self.different,
            "foreign": self.foreign,
            "impossible": self.impossible,
            "unsettled": self.unsettled,
            "repaired": self.repaired,
            "removed": self.removed,
            "left": self.left,
            "gaps_closed": self.gaps_closed,
        }


@dataclass(frozen=True, slots=True)
class Whole:
    """How the last comparison of the whole table ended."""

    ended: datetime
    left: int


@dataclass(frozen=True, slots=True)
class Verification:
    """What the store keeps of the last comparison of a table."""

    table: str
    """database.schema.table, quoted where SQL needs it."""
    outcome: Outcome
    started: datetime
    updated: datetime
    ended: datetime | None = None
    owner: str = ""
    """The id of the heartbeat of who compares, or has claimed to let a comparison begin."""
    scheduled: bool = False
    """Whether the rules asked for it, rather than a person."""
    repair: bool = False
    scope: Scope = Scope()
    estimate: int = 0
    """Rows and documents to be looked at, about; 0: not known."""
    numbers: Mapping[str, int] = field(default_factory=dict)
    """See `Report.numbers`."""
    columns: Mapping[str, int] = field(default_factory=dict)
    """Of differing documents: in how many each column differs."""
    message: str = ""
    """Why it failed, or who held it up."""
    whole: Whole | None = None
    scheduled_at: datetime | None = None
    """When the last comparison began that the rules asked for."""
    revision: int = 0
    """0: not in the store yet."""

    @property
    def left(self) -> int:
        return self.numbers.get("left", 0)

    def document(self) -> dict[str, Any]:
        """As it is kept in the store."""
        return {
            "table": self.table,
            "outcome": self.outcome.value,
            "started": self.started,
            "updated": self.updated,
            "ended": self.ended,
            "owner": self.owner,
            "scheduled": self.scheduled,
            "repair": self.repair,
            "sample": self.scope.sample,
            "where": bool(self.scope.where),  # it may hold values
            "since": self.scope.since,
            "estimate": self.estimate,
            "numbers": dict(self.numbers),
            "columns": [[name, count] for name, count in self.columns.items()],
            "message": self.message,
            "whole": None if self.whole is None else {"ended": self.whole.ended, "left": self.whole.left},
            "scheduled_at": self.scheduled_at,
        }


HIDDEN = "(a condition)"
"""Stands for `Scope.where` in what was read from the store."""


def parse_verification(document: Mapping[str, Any]) -> Verification:
    """The way back; LookupError, ValueError, TypeError for what is none. Fields of newer versions are left out."""
    whole = document["whole"]
    return Verification(
        table=str(document["table"]),
        outcome=Outcome(document["outcome"]),
        started=document["started"],
        updated=document["updated"],
        ended=document["ended"],
        owner=str(document["owner"]),
        scheduled=bool(document["scheduled"]),
        repair=bool(document["repair"]),
        scope=Scope(float(document["sample"]), HIDDEN if document["where"] else "", str(document["since"])),
        estimate=int(document["estimate"]),
        numbers={name: int(number) for name, number in document["numbers"].items()},
        columns={name: int(count) for name, count in document["columns"]},
        message=str(document["message"]),
        whole=None if whole is None else Whole(whole["ended"], int(whole["left"])),
        scheduled_at=document.get("scheduled_at"),
        revision=int(document["revision"]),
    )


def begun(
    before: Verification | None,
    table: str,
    owner: str,
    now: datetime,
    *,
    scheduled: bool = False,
    repair: bool = False,
    scope: Scope = Scope(),
    estimate: int = 0,
) -> Verification:
    """The state while a comparison goes on."""
    return Verification(
        table,
        Outcome.RUNNING,
        started=now,
        updated=now,
        owner=owner,
        scheduled=scheduled,
        repair=repair,
        scope=scope,
        estimate=estimate,
        whole=None if before is None else before.whole,
        scheduled_at=now if scheduled else None if before is None else before.scheduled_at,
        revision=0 if before is None else before.revision,
    )


def progressed(state: Verification, report: Report, now: datetime) -> Verification:
    return replace(state, numbers=report.numbers(), columns=dict(report.columns), updated=now)


def ended(state: Verification, report: Report, now: datetime, *, fault: str = "") -> Verification:
    """`fault`: why it was cut short; empty: it was not."""
    if fault:
        outcome = Outcome.FAILED
    elif report.equal:
        outcome = Outcome.EQUAL
    else:
        outcome = Outcome.UNSETTLED if report.left == report.unsettled else Outcome.DIFFERENT
    whole = Whole(now, report.left) if state.scope.whole and not fault else state.whole
    state = progressed(state, report, now)
    return replace(state, outcome=outcome, ended=now, message=fault or report.held_up, whole=whole)
