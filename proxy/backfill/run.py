"""The run of one table's backfill, as one small document that all its workers share. Pure.

`proxy.backfill.moves` says how it goes on. Keys are their columns' text output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, Self

KIND = "backfill"
"""Of the state documents; their name is `str(TableName)` with the database."""

KeyText = tuple[str, ...]
"""The text output of the key columns, in the key's order."""


class Status(Enum):
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    """Something that no repetition mends was in the way; started again, the run goes on where it was."""
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing of the run is left to be gone on with."""
        return self in (Status.DONE, Status.CANCELLED)


class Mode(Enum):
    SEED = "seed"
    """Puts in what is not there."""
    REFRESH = "refresh"
    """Also overwrites what differs."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What can be changed while the run goes on; 0 is no limit."""

    rate: float = 0.0
    """Rows a second, of all workers together."""
    concurrency: int = 2
    """Chunks under way at once, in each process."""
    chunk_rows: int = 5000
    """Keys of a chunk, at most."""
    max_lag_bytes: int = 0
    """WAL that the slowest replica of the source has still to replay."""
    max_lag_seconds: float = 0.0
    """The same as time."""
    max_sessions: int = 0
    """Sessions of the source that are at work, Causeway's own left out."""
    max_store_latency: float = 0.0
    """Seconds of one bulk write to the store."""
    query: str = ""
    """A query of the user's that gives one number."""
    query_limit: float = 0.0
    """What that number may be at most."""

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """Fields that a newer version has added are left out."""
        return cls(**{one.name: document[one.name] for one in fields(cls) if one.name in document})


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of rows."""

    keys: int = 0
    """That were covered; with `since` most of them are not read."""
    rows: int = 0
    """Read."""
    seeded: int = 0
    """Documents put in, or overwritten by a refresh."""
    stale: int = 0
    """Rows whose document was there already, or was deleted since."""
    poisoned: int = 0
    """Rows that no document can hold; each is a gap."""
    bytes: int = 0
    """Of the rows, as PostgreSQL sent them."""
    chunks: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Claim:
    """A chunk that somebody is copying."""

    number: int
    """From 1, in the order of keys."""
    low: KeyText | None
    """None: from the first key."""
    high: KeyText
    owner: str
    """The id of the worker's heartbeat; empty: given back."""
    keys: int
    """About how many there are."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where the next chunk ends, as PostgreSQL has said."""

    low: KeyText | None
    """What it was asked for: the cursor of the run then."""
    high: KeyText | None
    """None: there is no key after `low`."""
    keys: int
    last: bool
    """Whether there was no key after `high` up to the run's end: what is written there later is mirrored."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that takes part."""

    host: str
    process: int
    joined: datetime
    throttled: str = ""
    """What holds it back now."""


@dataclass(frozen=True, slots=True)
class Run:
    """See the module."""

    table: str
    """database.schema.table, quoted where SQL needs it."""
    number: int
    """Of the runs of this table, from 1."""
    relation: int
    """The table's oid."""
    columns: tuple[str, ...]
    """The key's."""
    started: datetime
    updated: datetime
    estimate: int
    """Rows, as the source's statistics have it; -1: not known."""
    mode: Mode = Mode.SEED
    since: str = ""
    """Only rows whose `last_modified` column is not before; empty: all."""
    status: Status = Status.RUNNING
    reason: str = ""
    """Why it is paused or has failed."""
    held: bool = False
    """Paused by a worker, because a proxy does not mirror the table; goes on by itself once that is over."""
    ended: datetime | None = None
    end: KeyText | None = None
    """The largest key when the run began: rows behind it were inserted since, and are mirrored. None: not known."""
    cursor: KeyText | None = None
    """The last key that is claimed or done; None: nothing is."""
    exhausted: bool = False
    """Whether there is nothing after the cursor."""
    claimed: int = 0
    """Chunks so far."""
    claims: tuple[Claim, ...] = ()
    """Those under way, by number."""
    totals: Counts = Counts()
    tuning: Tuning = Tuning()
    workers: Mapping[str, Worker] = field(default_factory=lambda: MappingProxyType({}))
    """By the id of the heartbeat."""
    proxies: tuple[str, ...] = ()
    """Incarnations of proxies whose writes before they mirrored the table had all ended when the gate was passed."""
    doubt: datetime | None = None
    """When a worker was lost last, or a write given up; see `proxy.backfill.moves`. None: nothing is left of it."""
    doubted_from: datetime | None = None
    """The start of an earlier run that left such a doubt behind."""
    marks: tuple[tuple[datetime, int], ...] = ()
    """(moment, keys done by then), oldest first, since the run last began or went on."""
    position: int = 0
    """The source's version when the last finished chunk was read."""
    revision: int = 0
    """0: not in the store yet."""

    @property
    def share(self) -> float | None:
        """Of the keys that are done, 0 to 1; None where it cannot be told."""
        if self.status is Status.DONE:
            return 1.0
        if self.estimate <= 0:
            return None
        return min(self.totals.keys / self.estimate, 0.999)

    @property
    def rate(self) -> float:
        """Keys a second, lately; 0 where it cannot be told yet or nothing is done."""
        if self.status is not Status.RUNNING or not self.marks:
            return 0.0
        first, before = self.marks[0]
        seconds = (self.updated - first).total_seconds()
        return (self.totals.keys - before) / seconds if seconds > 0 else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds; None where it cannot be told."""
        rate = self.rate
        if self.estimate <= 0 or rate <= 0:
            return None
        return max(self.estimate - self.totals.keys, 0) / rate

    @property
    def throttled(self) -> str:
        """What holds workers back, of one of them."""
        if self.status is not Status.RUNNING:
            return ""
        return next((worker.throttled for worker in self.workers.values() if worker.throttled), "")

    def document(self) -> dict[str, Any]:
        """As it is kept in the store."""
        return {
            "table": self.table,
            "number": self.number,
            "relation": self.relation,
            "columns": list(self.columns),
            "started": self.started,
            "updated": self.updated,
            "estimate": self.estimate,
            "mode": self.mode.value,
            "since": self.since,
            "status": self.status.value,
            "reason": self.reason,
            "held": self.held,
            "ended": self.ended,
            "end": None if self.end is None else list(self.end),
            "cursor": None if self.cursor is None else list(self.cursor),
            "exhausted": self.exhausted,
            "claimed": self.claimed,
            "claims": [
                {
                    "number": claim.number,
                    "low": None if claim.low is None else list(claim.low),
                    "high": list(claim.high),
                    "owner": claim.owner,
                    "keys": claim.keys,
                }
                for claim in self.claims
            ],
            "totals": asdict(self.totals),
            "tuning": self.tuning.document(),
            "workers": [{"id": owner, **asdict(worker)} for owner, worker in self.workers.items()],
            "proxies": list(self.proxies),
            "doubt": self.doubt,
            "doubted_from": self.doubted_from,
            "marks": [list(mark) for mark in self.marks],
            "position": self.position,
        }


def parse_run(document: Mapping[str, Any]) -> Run:
    """The way back. Fields that a newer version has added are left out; LookupError, ValueError, TypeError for what
    is no run."""
    counts = {one.name for one in fields(Counts)}
    return Run(
        table=str(document["table"]),
        number=int(document["number"]),
        relation=int(document["relation"]),
        columns=tuple(document["columns"]),
        started=document["started"],
        updated=document["updated"],
        estimate=int(document["estimate"]),
        mode=Mode(document["mode"]),
        since=str(document["since"]),
        status=Status(document["status"]),
        reason=str(document["reason"]),
        held=bool(document["held"]),
        ended=document["ended"],
        end=_key(document.get("end")),
        cursor=_key(document["cursor"]),
        exhausted=bool(document["exhausted"]),
        claimed=int(document["claimed"]),
        claims=tuple(
            Claim(int(one["number"]), _key(one["low"]), tuple(one["high"]), one["owner"], int(one["keys"]))
            for one in document["claims"]
        ),
        totals=Counts(**{name: int(n) for name, n in document["totals"].items() if name in counts}),
        tuning=Tuning.parse(document["tuning"]),
        workers=MappingProxyType(
            {
                one["id"]: Worker(one["host"], int(one["process"]), one["joined"], one["throttled"])
                for one in document["workers"]
            }
        ),
        proxies=tuple(document["proxies"]),
        doubt=document["doubt"],
        doubted_from=document["doubted_from"],
        marks=tuple((at, int(keys)) for at, keys in document["marks"]),
        position=int(document["position"]),
        revision=int(document["revision"]),
    )


def _key(value: Sequence[str] | None) -> KeyText | None:
    return None if value is None else tuple(value)
