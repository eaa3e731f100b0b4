"""The run of one table's backfill, as one small document that all its workers share. Pure.

A worker *claims* the next chunk of keys, copies it and *finishes* it; each of these is a function from one `Run` to
the next, written by a compare-and-set on its revision (`Store.swap_state`). So nobody locks anything: who was slower
reads the document again and decides anew. Whatever is not finished is still among the claims, with both of its ends,
so a worker that is killed loses the chunks it had under way and nothing else; another takes them over. Copying a chunk
twice is harmless, and counts once: finishing needs a claim that is still one's own.

Keys are their columns' text output. Chunk n is of the keys after `low` up to and including `high`; `low` of one is
`high` of the one before, so the chunks cut all keys up to the cursor into pieces that neither overlap nor leave one
out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, Self

KIND = "backfill"
"""Of the state documents; their name is `str(TableName)` with the database."""

MAX_MARKS = 12
"""Moments kept to tell the rate from."""
MARK_EVERY = 5.0
"""Seconds between two of them."""

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
    """Whether there was no key after `high`: what is written there later is mirrored."""


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
    ended: datetime | None = None
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
            "ended": self.ended,
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
        ended=document["ended"],
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
        marks=tuple((at, int(keys)) for at, keys in document["marks"]),
        position=int(document["position"]),
        revision=int(document["revision"]),
    )


def _key(value: Sequence[str] | None) -> KeyText | None:
    return None if value is None else tuple(value)


def claim_next(run: Run, owner: str, boundary: Boundary, now: datetime) -> tuple[Run, Claim | None]:
    """The run with the chunk up to `boundary` claimed. None: there is none left, or the cursor has moved on.

    Nothing is claimed of a run that does not go on.
    """
    if run.status is not Status.RUNNING or run.exhausted or run.cursor != boundary.low:
        return run, None
    if boundary.high is None:
        return _settled(replace(run, exhausted=True, updated=now), now), None
    claim = Claim(run.claimed + 1, run.cursor, boundary.high, owner, boundary.keys)
    after = replace(
        run,
        cursor=boundary.high,
        exhausted=boundary.last,
        claimed=claim.number,
        claims=(*run.claims, claim),
        updated=now,
    )
    return _marked(after, now), claim


def take_over(run: Run, owner: str, gone: Collection[str], now: datetime) -> tuple[Run, Claim | None]:
    """The run with the first claim of somebody in `gone`, or that was given back, made `owner`'s; None: there is none.

    Workers that are gone are left out from then on.
    """
    run = _without(run, gone)
    if run.status is not Status.RUNNING:
        return run, None
    for claim in run.claims:
        if not claim.owner:
            taken = replace(claim, owner=owner)
            claims = tuple(taken if one is claim else one for one in run.claims)
            return _marked(replace(run, claims=claims, updated=now), now), taken
    return run, None


def finish(run: Run, owner: str, number: int, counts: Counts, position: int, now: datetime) -> Run | None:
    """The run with the chunk done. None: it is not `owner`'s any more, and is somebody else's to finish.

    A chunk may be finished while the run is paused, or has failed; nothing counts after it was cancelled.
    """
    claim = next((one for one in run.claims if one.number == number), None)
    if claim is None or claim.owner != owner or run.status.is_over:
        return None
    rest = tuple(one for one in run.claims if one is not claim)
    done = replace(counts, keys=claim.keys, chunks=1)
    after = replace(run, claims=rest, totals=run.totals + done, position=position, updated=now)
    return _settled(_marked(after, now), now)


def owns(run: Run, owner: str, number: int) -> bool:
    """Whether the chunk is under way and `owner`'s."""
    return any(claim.number == number and claim.owner == owner for claim in run.claims)


def join(run: Run, owner: str, worker: Worker) -> Run:
    """The run with one worker more. One that had failed goes on."""
    workers = MappingProxyType({**run.workers, owner: worker})
    after = replace(run, workers=workers)
    return resume(after, worker.joined) if run.status is Status.FAILED else after


def leave(run: Run, owner: str) -> Run:
    """The run without a worker; what it had claimed and not finished is given back."""
    return _without(run, (owner,))


def say(run: Run, owner: str, throttled: str) -> Run:
    """The run that tells what holds a worker back."""
    worker = run.workers.get(owner)
    if worker is None or worker.throttled == throttled:
        return run
    return replace(
        run, workers=MappingProxyType({**run.workers, owner: replace(worker, throttled=throttled)})
    )


def pause(run: Run, reason: str, now: datetime) -> Run:
    """No further chunk is begun; those under way are finished."""
    if run.status is not Status.RUNNING:
        return run
    return replace(run, status=Status.PAUSED, reason=reason, updated=now)


def resume(run: Run, now: datetime) -> Run:
    """Goes on with a run that is paused or has failed."""
    if run.status not in (Status.PAUSED, Status.FAILED):
        return run
    after = replace(run, status=Status.RUNNING, reason="", ended=None, updated=now)
    return _settled(replace(after, marks=((now, run.totals.keys),)), now)


def fail(run: Run, reason: str, now: datetime) -> Run:
    """The run ends until somebody starts it again."""
    if run.status.is_over:
        return run
    return replace(run, status=Status.FAILED, reason=reason, ended=now, updated=now)


def cancel(run: Run, now: datetime) -> Run:
    """The run ends for good; what is copied stays."""
    if run.status.is_over:
        return run
    return replace(
        run,
        status=Status.CANCELLED,
        reason="",
        ended=now,
        updated=now,
        claims=(),
        workers=MappingProxyType({}),
    )


def tune(run: Run, **changes: Any) -> Run:
    """The run with other settings; see `Tuning`."""
    return replace(run, tuning=replace(run.tuning, **changes))


def _without(run: Run, gone: Collection[str]) -> Run:
    if not any(claim.owner in gone for claim in run.claims) and not any(one in run.workers for one in gone):
        return run
    claims = tuple(replace(claim, owner="") if claim.owner in gone else claim for claim in run.claims)
    workers = {owner: worker for owner, worker in run.workers.items() if owner not in gone}
    return replace(run, claims=claims, workers=MappingProxyType(workers))


def _settled(run: Run, now: datetime) -> Run:
    """Done, if nothing is left: also of a run that was paused when its last chunk was under way."""
    if run.exhausted and not run.claims and not run.status.is_over:
        return replace(run, status=Status.DONE, reason="", ended=now)
    return run


def _marked(run: Run, now: datetime) -> Run:
    marks = run.marks
    if not marks or (now - marks[-1][0]).total_seconds() >= MARK_EVERY:
        marks = (*marks, (now, run.totals.keys))[-MAX_MARKS:]
    return replace(run, marks=marks)
