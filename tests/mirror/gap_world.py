"""A store in memory and a source in memory, for tests of gaps, re-reads and heartbeats."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from proxy.catalog.model import ForeignKey, Reach, Relation, SideEffect, Snapshot, TypeInfo
from proxy.documents.records import parse_image
from proxy.mirror.effects import Cause, TableId
from proxy.mirror.tables import MirroredTable, Surroundings, TableBook
from proxy.phases import Phase
from proxy.sql.model import Verb
from proxy.stores.bson_form import Encoded
from proxy.stores.protocol import (
    NOTHING,
    Document,
    GapEntry,
    Index,
    Key,
    Namespace,
    Outcome,
    Poison,
    Repair,
    State,
    StoreUnavailable,
    Write,
)
from tests.catalog.made import snapshot
from tests.documents.made import image, int4, relation, rules_of

INT4, TEXT = 23, 25
DATABASE = "shop"

Gate = Callable[[], Awaitable[None]]
Row = tuple[int | str | None, ...]


async def no_gate() -> None:
    """Nothing else gets a turn."""


class _Unasked:
    """What nothing here asks of a store."""

    async def sweep(self, namespace: Namespace, since: datetime) -> int:
        raise NotImplementedError

    async def read(self, namespace: Namespace, ids: Sequence[Any]) -> list[bytes]:
        raise NotImplementedError

    async def scan(self, namespace: Namespace, after: Any, limit: int) -> list[Any]:
        raise NotImplementedError

    async def count(self, namespace: Namespace) -> int:
        raise NotImplementedError

    async def indexes(self, namespace: Namespace) -> list[Index]:
        raise NotImplementedError

    async def create_index(self, namespace: Namespace, index: Index) -> None:
        raise NotImplementedError

    async def state(self, kind: str, name: str) -> Document | None:
        raise NotImplementedError

    async def swap_state(self, kind: str, name: str, expected: int, value: Document | None) -> bool:
        raise NotImplementedError


class MemoryStore(_Unasked):
    """The protocol on dicts; every method is one step between two gates."""

    def __init__(self, gate: Gate = no_gate) -> None:
        self.gate = gate
        self.away = False
        self.documents: dict[Namespace, dict[Hashable, State]] = {}
        """Newest state of every key by token; tombstones are states without a document."""
        self.ids: dict[Hashable, Any] = {}
        self.ledger: dict[str, GapEntry] = {}
        self.kinds: dict[str, dict[str, Document]] = {}
        self.refuse_repairs = 0
        """So many repairs from now on lose their race."""
        self.poison: set[Any] = set()
        """`_id`s of documents that are never taken."""

    async def _step(self) -> None:
        await self.gate()
        if self.away:
            raise StoreUnavailable("away")

    def _of(self, namespace: Namespace) -> dict[Hashable, State]:
        return self.documents.setdefault(namespace, {})

    async def apply(
        self, namespace: Namespace, writes: Sequence[Write], *, replay: bool = False
    ) -> list[Outcome | Poison]:
        await self._step()
        found: list[Outcome | Poison] = []
        for write in writes:
            state = self._of(namespace).get(write.key.token, NOTHING)
            self.ids[write.key.token] = write.key.value
            if write.version <= state.version:
                found.append(Outcome.STALE)
                continue
            self._of(namespace)[write.key.token] = State(write.version, 0, write.document, write.extra)
            found.append(Outcome.APPLIED)
        return found

    async def seed(self, namespace: Namespace, writes: Sequence[Write | Encoded]) -> list[Outcome | Poison]:
        raise NotImplementedError

    async def states(self, namespace: Namespace, keys: Sequence[Key]) -> list[State]:
        await self._step()
        found = [self._of(namespace).get(key.token, NOTHING) for key in keys]
        await self.gate()
        return found

    async def repair(self, namespace: Namespace, repairs: Sequence[Repair]) -> list[bool | Poison]:
        await self._step()
        found: list[bool | Poison] = []
        for repair in repairs:
            state = self._of(namespace).get(repair.key.token, NOTHING)
            if repair.key.value in self.poison and repair.document is not None:
                found.append(Poison("too large"))
                continue
            if self.refuse_repairs or (state.version, state.repairs) != (
                repair.expected.version,
                repair.expected.repairs,
            ):
                self.refuse_repairs = max(0, self.refuse_repairs - 1)
                found.append(False)
                continue
            self.ids[repair.key.token] = repair.key.value
            self._of(namespace)[repair.key.token] = State(
                state.version, state.repairs + 1, repair.document, repair.extra
            )
            found.append(True)
        return found

    async def truncate(self, namespace: Namespace, version: int) -> int:
        raise NotImplementedError

    def look_after(self, namespace: Namespace) -> None:
        raise NotImplementedError

    async def find_keys(self, namespace: Namespace, filters: Sequence[Document], limit: int) -> list[Any]:
        await self._step()
        found = [
            self.ids[token]
            for token, state in self._of(namespace).items()
            if state.document is not None
            and any(all(state.document.get(name) == value for name, value in one.items()) for one in filters)
        ]
        await self.gate()
        return found[: limit + 1]

    async def open_gap(self, gap: GapEntry) -> None:
        await self._step()
        before = self.ledger.get(gap.id)
        if before is not None:
            gap = replace(
                gap,
                count=before.count + gap.count,
                first_seen=before.first_seen,
                last_seen=max(gap.last_seen, before.last_seen + timedelta(milliseconds=1)),
            )
        self.ledger[gap.id] = gap

    async def close_gap(self, gap_id: str, *, up_to: Any) -> bool:
        await self._step()
        entry = self.ledger.get(gap_id)
        if entry is None or entry.last_seen > up_to:
            return False
        del self.ledger[gap_id]
        return True

    async def gaps(self, *, database: str | None = None) -> list[GapEntry]:
        await self._step()
        return list(self.ledger.values())

    async def put_state(self, kind: str, name: str, value: Document) -> None:
        await self._step()
        self.kinds.setdefault(kind, {})[name] = dict(value)
        await self.gate()

    async def get_state(self, kind: str) -> dict[str, Document]:
        await self._step()
        found = dict(self.kinds.get(kind, {}))
        await self.gate()
        return found

    async def delete_state(self, kind: str, name: str) -> None:
        await self._step()
        self.kinds.get(kind, {}).pop(name, None)

    async def close(self) -> None: ...


class MemorySource:
    """Tables of ints and texts, and a WAL position that grows with every write."""

    def __init__(self, relations: Sequence[Relation], gate: Gate = no_gate) -> None:
        self.gate = gate
        self.position = 1
        self.tables: dict[int, dict[Any, Row]] = {one.oid: {} for one in relations}
        self.reads = 0

    def write(self, oid: int, key: Any, row: Row | None) -> int:
        """The version of the write."""
        self.position += 1
        version = self.position
        if row is None:
            self.tables[oid].pop(key, None)
        else:
            self.tables[oid][key] = row
        self.position += 1
        return version

    async def insert_position(self) -> int:
        await self.gate()
        position = self.position
        await self.gate()
        return position

    async def rows(
        self,
        relation: Relation,
        columns: Sequence[str],
        values: Sequence[Sequence[str | None]],
        *,
        types: Mapping[int, TypeInfo],
        limit: int,
        text: bool = False,
    ) -> list[bytes]:
        await self.gate()
        self.reads += 1
        wanted = {tuple(value) for value in values}
        places = [[a.name for a in relation.attributes].index(column) for column in columns]
        found = [
            record_of(relation, row)
            for row in self.tables[relation.oid].values()
            if tuple(None if row[place] is None else str(row[place]) for place in places) in wanted
        ]
        await self.gate()
        return found[: limit + 1]


def record_of(relation: Relation, row: Row) -> bytes:
    """As `SourceDatabase.rows` gives it."""
    fields = [
        (
            attribute.type_oid,
            None if value is None else int4(value) if isinstance(value, int) else value.encode(),
        )
        for attribute, value in zip(relation.attributes, row, strict=True)
    ]
    return image(*fields, tableoid=relation.oid, lsn=None, xid=None)


PARENT = relation("parent", [("id", INT4), ("name", TEXT)], key=["id"], oid=100)
CHILD = relation("child", [("id", INT4), ("parent_id", INT4), ("name", TEXT)], key=["id"], oid=200)
LEAF = relation("leaf", [("id", INT4), ("child_id", INT4)], key=["id"], oid=300)

CHILD_KEY = ForeignKey("child_parent", 100, 200, ("id",), ("parent_id",), "c", "a")
LEAF_KEY = ForeignKey("leaf_child", 200, 300, ("id",), ("child_id",), "c", "c")


def effect(key: ForeignKey) -> SideEffect:
    return SideEffect(key.child, Cause.CASCADE, Reach.ROWS, key, key.name)


FAMILY: Snapshot = snapshot(
    PARENT,
    CHILD,
    LEAF,
    side_effects={
        (100, Verb.DELETE): (effect(CHILD_KEY),),
        (200, Verb.DELETE): (effect(LEAF_KEY),),
        (200, Verb.UPDATE): (effect(LEAF_KEY),),
    },
)


class Family:
    """parent <- child <- leaf: what a re-read asks of what is mirrored."""

    def __init__(
        self, source: MemorySource, *, mirrored: Sequence[str] = ("parent", "child", "leaf")
    ) -> None:
        rules = rules_of({name: {"phase": "dual_write"} for name in mirrored})
        self.book = TableBook(
            rules,
            {DATABASE: FAMILY},
            Surroundings(store=True, spool=True, control_dsn=True),
            last_built=Phase.DUAL_WRITE,
        )
        self._source = source
        self.refreshed = 0

    def table(self, database: str, table: TableId) -> MirroredTable | None:
        return self.book.named(database, table.schema, table.name)

    def ruled(self, database: str, table: TableId) -> bool:
        return self.book.holding(database, table.schema, table.name) is not None

    def snapshot(self, database: str) -> Snapshot | None:
        return FAMILY

    def source(self, database: str) -> MemorySource:
        return self._source

    def refresh_soon(self, database: str) -> None:
        self.refreshed += 1

    def mirrored(self, name: str) -> MirroredTable:
        found = self.book.named(DATABASE, "public", name)
        assert found is not None
        return found


def new_source(gate: Gate = no_gate) -> MemorySource:
    return MemorySource([PARENT, CHILD, LEAF], gate)


def document_of(table: MirroredTable, row: Row) -> tuple[Key, Document, Document]:
    """What an image of the row becomes."""
    _, _, fields = parse_image(record_of(table.relation, row))
    document, extra = table.mapping.document(fields)
    return table.mapping.key(fields), document, extra


def write_of(table: MirroredTable, row: Row, version: int) -> Write:
    key, document, extra = document_of(table, row)
    return Write(key, document, version, extra)


def ids(store: MemoryStore, table: MirroredTable) -> dict[Any, dict[str, Any]]:
    """The documents of a table by `_id`."""
    return {
        store.ids[token]: dict(state.document)
        for token, state in store.documents.get(table.mapping.namespace, {}).items()
        if state.document is not None
    }
