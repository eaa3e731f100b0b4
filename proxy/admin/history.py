"""How far the copy of a table's history is, and how its last comparison ended, as status and metrics show it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from pydantic import Field

from proxy.admin.model import Model

BackfillState = Literal["running", "paused", "done", "failed", "cancelled"]
VerifyOutcome = Literal["running", "equal", "different", "unsettled", "failed"]


class BackfillStatus(Model):
    """The last run of `causeway backfill` on the table, whoever takes part in it."""

    status: BackfillState
    reason: str = ""
    """Why it is paused or has failed."""
    share: float | None = None
    """Of the rows that are done, 0 to 1, by the source's estimate; null where there is none."""
    rows: int = 0
    """Done."""
    estimate: int = -1
    """Rows of the table as the source's statistics have it; -1: not known."""
    rate: float = 0.0
    """Rows a second, lately; 0 when it does not run."""
    remaining_seconds: float | None = None
    """Until it is done, at this rate; null where that cannot be told."""
    throttled: str = ""
    """What holds it back now; empty when nothing does."""
    workers: int = 0
    """Processes that take part."""
    seeded: int = 0
    """Documents put in, or overwritten by a refresh."""
    stale: int = 0
    """Rows whose document was there already, or was deleted since."""
    poisoned: int = 0
    """Rows that no document can hold; each is a gap."""
    bytes: int = 0
    """Of the rows, as PostgreSQL sent them."""
    chunks: int = 0
    """Done."""
    started_at: datetime
    updated_at: datetime
    """When a worker last told how far it is."""
    ended_at: datetime | None = None


class VerifyStatus(Model):
    """The last comparison of the table with its documents, or the one under way."""

    outcome: VerifyOutcome
    """`unsettled`: nothing differs for good, but of some keys it could not be told; `failed`: it was cut short."""
    reason: str = ""
    """Why it failed, or which proxy held it up."""
    scheduled: bool = False
    """Whether the rules asked for it, rather than a person."""
    repair: bool = False
    """Whether it closes what it finds."""
    complete: bool = True
    """Whether it is of all rows: no sample, no condition."""
    share: float | None = None
    """Of what is to be looked at, 0 to 1; null where that cannot be told."""
    rows: int = 0
    """Compared with their documents."""
    documents: int = 0
    """Looked up among the rows."""
    missing: int = 0
    """Rows without a document that lasted, before any repair."""
    extra: int = 0
    """Documents without a row."""
    different: int = 0
    """Documents that are not what their row becomes."""
    transient: int = 0
    """Differences that were gone when they were looked at again: traffic on its way."""
    repaired: int = 0
    """Differences that it has closed, documents removed among them."""
    left: int = 0
    """Differences that are still there."""
    gaps_closed: int = 0
    columns: dict[str, int] = Field(default_factory=dict)
    """Of differing documents: in how many each column differs."""
    started_at: datetime
    updated_at: datetime
    ended_at: datetime | None = None
    whole_ended_at: datetime | None = None
    """When all rows were last compared to the end; null where they never were."""
    whole_left: int | None = None
    """Differences that were there then."""


@dataclass(frozen=True, slots=True)
class TableHistory:
    """What the store knows of one table."""

    backfill: BackfillStatus | None = None
    verify: VerifyStatus | None = None


S = TypeVar("S", BackfillStatus, VerifyStatus)


def newest(one: S | None, other: S | None) -> S | None:
    """Of what two processes have read, what was read later."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda status: status.updated_at)
