"""A small mirrored world for tests: a database with two tables, a store in memory that can be made to fail."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from proxy.catalog.model import Attribute, Relation, Snapshot, TypeInfo
from proxy.mirror.effects import Image, TableId, Unseen
from proxy.mirror.mirror import Mirror
from proxy.mirror.port import MirrorLimits
from proxy.mirror.tables import Surroundings, TableBook
from proxy.mirror.transaction import Transaction
from proxy.mirror.versions import pack
from proxy.phases import Phase
from proxy.rulefiles.ruleset import RuleSet
from proxy.sql.model import Verb
from proxy.stores.model import ModelStore
from proxy.stores.protocol import Namespace, Outcome, Poison, StoreUnavailable, Write
from tests.rulefiles.texts import rules

DATABASE = "shop"
INT8, TEXT, NUMERIC = 20, 25, 1700
STRICT, FAST, OTHER = 16401, 16402, 16499
"""Tables `accounts` (durability strict), `notes` (fast), and one without a rule."""
ACCOUNTS = Namespace(DATABASE, "accounts")
NOTES = Namespace(DATABASE, "notes")

RULES = """
    tables:
      accounts: {phase: dual_write, durability: strict}
      notes: {phase: dual_write, durability: fast}
"""

TYPES = {
    INT8: TypeInfo(INT8, "pg_catalog", "int8", "b", "N"),
    TEXT: TypeInfo(TEXT, "pg_catalog", "text", "b", "S"),
}


def relation(oid: int, name: str, *columns: tuple[str, int]) -> Relation:
    attributes = tuple(
        Attribute(number, column, type_oid, -1, number == 1, False)
        for number, (column, type_oid) in enumerate(columns or (("id", INT8), ("name", TEXT)), 1)
    )
    return Relation(oid, "public", name, "r", "p", attributes, ("id",), (("id",),))


def snapshot(*relations: Relation, generation: int = 1) -> Snapshot:
    relations = relations or (
        relation(STRICT, "accounts"),
        relation(FAST, "notes"),
        relation(OTHER, "others"),
    )
    return Snapshot(
        database=DATABASE,
        generation=generation,
        system_identifier="1",
        server_version=150004,
        timeline=1,
        wal_level="replica",
        relations={one.oid: one for one in relations},
        types=TYPES,
        by_name={one.name: (one.oid,) for one in relations},
    )


def field(oid: int, value: bytes | None) -> bytes:
    if value is None:
        return struct.pack(">Ii", oid, -1)
    return struct.pack(">Ii", oid, len(value)) + value


def row(id: int, name: str | None) -> tuple[bytes, ...]:
    return field(INT8, struct.pack(">q", id)), field(TEXT, None if name is None else name.encode())


def image(
    verb: Verb,
    lsn: int,
    *fields: bytes,
    oid: int = STRICT,
    xid: int = 700,
    timeline: int = 1,
    old: Sequence[bytes] | None = None,
    action: str | None = None,
) -> Image:
    header = (
        field(26, struct.pack(">I", oid)),
        field(3220, struct.pack(">Q", lsn)),
        field(25, b"%08X%08X%08X" % (timeline, 0, 1)),
        field(5069, struct.pack(">Q", xid)),
        field(25, None if action is None else action.encode()),
        field(25, None),
        field(17, None if old is None else struct.pack(">i", len(old)) + b"".join(old)),
    )
    return Image(verb, struct.pack(">i", len(header) + len(fields)) + b"".join((*header, *fields)))


def insert(id: int, name: str | None, lsn: int, *, oid: int = STRICT, xid: int = 700) -> Image:
    return image(Verb.INSERT, lsn, *row(id, name), oid=oid, xid=xid)


def update(id: int, name: str | None, lsn: int, *, oid: int = STRICT, xid: int = 700) -> Image:
    return image(Verb.UPDATE, lsn, *row(id, name), oid=oid, xid=xid)


def delete(id: int, lsn: int, *, oid: int = STRICT, xid: int = 700) -> Image:
    return image(Verb.DELETE, lsn, *row(id, "gone"), oid=oid, xid=xid)


class FaultyStore(ModelStore):
    """Takes writes, unless it is told not to."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: BaseException | None = None
        self.gate: asyncio.Event | None = None
        """Writes wait for it."""
        self.batches: list[tuple[Namespace, list[Write], bool]] = []
        self.poison: set[object] = set()
        """Keys whose documents it will never take."""
        self.stumble: set[object] = set()
        """Keys at which its driver breaks."""
        self.half = False
        """Whether a failure comes after half of a batch was carried out."""

    async def apply(
        self, namespace: Namespace, writes: Sequence[Write], *, replay: bool = False
    ) -> list[Outcome | Poison]:
        self.batches.append((namespace, list(writes), replay))
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            if self.half:
                await super().apply(namespace, writes[: len(writes) // 2])
            raise self.failure
        for write in writes:
            if write.key.value in self.stumble:
                raise RuntimeError("the driver does not like this document")
        outcomes = await super().apply(
            namespace, [write for write in writes if write.key.value not in self.poison], replay=replay
        )
        rest = iter(outcomes)
        return [Poison("too large") if write.key.value in self.poison else next(rest) for write in writes]

    async def truncate(self, namespace: Namespace, version: int) -> int:
        if self.failure is not None:
            raise self.failure
        return await super().truncate(namespace, version)

    def rows(self, namespace: Namespace = ACCOUNTS) -> dict[int, str | None]:
        return {document["_id"]: document["name"] for document in self.documents(namespace)}

    def down(self) -> None:
        self.failure = StoreUnavailable("the store is away")


class Gaps:
    """A GapSink that remembers."""

    def __init__(self) -> None:
        self.recorded: list[tuple[str, Unseen, int]] = []

    def record(self, database: str, unseen: Unseen, version: int) -> None:
        self.recorded.append((database, unseen, version))

    def causes(self) -> list[tuple[str, str]]:
        return sorted({(unseen.cause.value, unseen.table.name) for _, unseen, _ in self.recorded})


class FakeSource:
    """What the source says of transactions."""

    def __init__(self) -> None:
        self.statuses: dict[int, str | None] = {}
        self.asked: list[int] = []
        self.horizon = 1000
        self.oldest = 0

    async def xact_status(self, xids: Iterable[int]) -> dict[int, str | None]:
        xids = list(xids)
        self.asked += xids
        return {xid: self.statuses.get(xid, "in progress") for xid in xids}

    async def running_horizon(self) -> int:
        return self.horizon

    async def oldest_running(self) -> int:
        return self.oldest


class World:
    """Everything a mirror needs; several mirrors, one after the other or at once, may live in it."""

    def __init__(self) -> None:
        self.store = FaultyStore()
        self.gaps = Gaps()
        self.fake_source = FakeSource()
        self.rules: RuleSet = rules(RULES, last_built=Phase.DUAL_WRITE)
        self.snapshot: Snapshot | None = snapshot()
        self.next_snapshot: Snapshot | None = None
        """What the next look at the catalogue finds."""
        self.catalogue_error: str | None = None
        self.looks = 0
        self._book: TableBook | None = None
        self._of: tuple[RuleSet, Snapshot | None] | None = None
        self.former: dict[int, tuple[tuple[Attribute, ...], ...]] = {}

    def tables(self) -> TableBook:
        if self._book is None or self._of != (self.rules, self.snapshot):
            snapshots = {} if self.snapshot is None else {DATABASE: self.snapshot}
            surroundings = Surroundings(store=True, spool=True, control_dsn=True)
            self._book = TableBook(self.rules, snapshots, surroundings, last_built=Phase.DUAL_WRITE)
            self._of = (self.rules, self.snapshot)
        return self._book

    # the catalogue

    async def refresh(self, database: str) -> Snapshot | None:
        self.looks += 1
        await asyncio.sleep(0)
        if self.catalogue_error is None and self.next_snapshot is not None:
            self.snapshot, self.next_snapshot = self.next_snapshot, None
        return self.snapshot

    def error(self, database: str) -> str | None:
        return self.catalogue_error

    def shapes(self, database: str, oid: int) -> tuple[tuple[Attribute, ...], ...]:
        return self.former.get(oid, ())

    def source(self, database: str) -> FakeSource:
        return self.fake_source

    def mirror(self, spool: Path | None = None, **limits: object) -> Mirror:
        chosen = replace(MirrorLimits(retry_backoff_max=0.1, mirror_linger=0.001), **limits)  # type: ignore[arg-type]
        return Mirror(self.store, self.tables, self, self.gaps, chosen, spool=spool)


def write(mirror: Mirror, *effects: object, commit: bool = True) -> Transaction:
    """A transaction that is secured, if that takes no waiting, and committed."""
    tx = mirror.begin(DATABASE)
    tx.add(effects)  # type: ignore[arg-type]
    if commit:
        mirror.committed(tx)
    return tx


async def secured(mirror: Mirror, *effects: object) -> Transaction:
    """A transaction whose effects are on disk."""
    tx = mirror.begin(DATABASE)
    tx.add(effects)  # type: ignore[arg-type]
    done = asyncio.Event()
    if not mirror.secure(tx, done.set):
        await asyncio.wait_for(done.wait(), 5)
    return tx


async def until(condition: Callable[[], bool], timeout: float = 5.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - nothing to be told by
            await asyncio.sleep(0.005)


def version(lsn: int) -> int:
    return pack(1, lsn)


ACCOUNTS_ID = TableId("public", "accounts")
NOTES_ID = TableId("public", "notes")
