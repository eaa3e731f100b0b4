"""Rows of one table as the documents they should be, and the documents there are, by key or chunk by chunk."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Protocol

from proxy.backfill.chunks import KeyPages, boundary_of
from proxy.backfill.digests import Expected, aligned, aligned_with, canonical
from proxy.backfill.present import present_query
from proxy.backfill.report import Scope
from proxy.backfill.run import Boundary, KeyText
from proxy.catalog.source import SourceDatabase, SourceRefused, table_sql
from proxy.documents.codec import Unrepresentable
from proxy.documents.records import parse_image
from proxy.mirror.reread_rows import CatalogueBehind, NotRereadable
from proxy.mirror.tables import MirroredTable
from proxy.names import TableName
from proxy.stores.identity import identity
from proxy.stores.protocol import Key, State, Store

_NO_SUCH_VALUE = "22"
"""Class of the SQLSTATEs of text that is no value of its type."""
_NO_KEY = (ValueError, TypeError, LookupError, OverflowError, AttributeError, RecursionError)
"""What a codec may raise on an `_id` that is none of its values; Foreign is among them."""


class Side(Protocol):
    """The part of `member.Member` that reading needs."""

    store: Store

    def table(self, name: TableName) -> MirroredTable: ...
    def source(self, database: str) -> SourceDatabase: ...
    async def refresh(self, database: str) -> None: ...


class Lookups:
    """Raises what source and store raise, CatalogueBehind, and NotReady once the table is not mirrored any more."""

    def __init__(self, member: Side, name: TableName) -> None:
        assert name.database is not None
        self._member = member
        self._name = name
        self.database: str = name.database
        self.store = member.store

    @property
    def table(self) -> MirroredTable:
        """As it is mirrored now."""
        return self._member.table(self._name)

    @property
    def source(self) -> SourceDatabase:
        return self._member.source(self.database)

    async def refresh(self) -> None:
        """After CatalogueBehind."""
        await self._member.refresh(self.database)

    async def estimate(self) -> int:
        """Rows, as the source's statistics have it, and documents; without what neither knows."""
        table = self.table
        oids = [table.relation.oid]
        if table.relation.kind == "p":
            oids += table.relation.children
        [row] = await self.source.fetch(
            "SELECT pg_catalog.sum(reltuples)::pg_catalog.int8 FROM pg_catalog.pg_class"
            " WHERE oid = ANY ($1::pg_catalog.oid[]) AND relkind = 'r' AND reltuples > 0",
            oids,
        )
        return int(row[0] or 0) + await self.store.count(table.mapping.namespace)

    async def boundary(self, low: KeyText | None, limit: int) -> Boundary:
        return boundary_of(low, await self._fetch(self._pages().boundary(low, limit)))

    async def chunk(
        self, low: KeyText | None, high: KeyText | None, scope: Scope
    ) -> tuple[list[Expected], int]:
        """What the rows after `low` up to `high` should be, in the order of their keys; and how many have no `_id`."""
        table = self.table
        return _with_keys(table, [row[0] for row in await self._fetch(self._chunk(low, high, scope))])

    async def try_out(self, scope: Scope) -> None:
        """Raises SourceRefused where PostgreSQL does not take the scope.

        A condition must be one with parentheses around it and without: one that closes them would choose other rows.
        """
        await self._fetch(self._chunk(None, None, scope, limit=0))
        if scope.where:
            table = table_sql(self.table.relation)
            await self._fetch((f"SELECT 1 FROM {table} AS t WHERE {scope.where}\n LIMIT 0", []))

    def _chunk(
        self, low: KeyText | None, high: KeyText | None, scope: Scope, *, limit: int | None = None
    ) -> tuple[str, list[Any]]:
        table = self.table
        since = None
        if scope.since:
            assert table.rule.last_modified is not None
            since = (table.rule.last_modified, scope.since)
        return self._pages().rows(
            low, high, text=table.mapping.needs_text, since=since, where=scope.where, limit=limit
        )

    async def rows(self, keys: Sequence[Key]) -> dict[Hashable, Expected]:
        """By token; keys without a row are left out."""
        table = self.table
        records = await self.source.rows(
            table.relation,
            table.mapping.key_columns,
            [table.mapping.key_text(key.value) for key in keys],
            types=table.snapshot.types,
            limit=len(keys),
            text=table.mapping.needs_text,
        )
        return {one.key.token: one for one in _with_keys(table, records)[0]}

    async def documents(self, ids: Sequence[Any]) -> list[bytes | None]:
        """In the order of `ids`, as `digests.canonical` has them."""
        return aligned(ids, await self.store.read(self.table.mapping.namespace, ids))

    async def documents_of(self, rows: Sequence[Expected]) -> list[bytes | None]:
        """The same of rows."""
        ids = [row.key.value for row in rows]
        return aligned_with(rows, await self.store.read(self.table.mapping.namespace, ids))

    async def states(self, keys: Sequence[Key]) -> list[State]:
        return await self.store.states(self.table.mapping.namespace, keys)

    async def scan(self, after: Any, limit: int) -> list[Any]:
        return await self.store.scan(self.table.mapping.namespace, after, limit)

    async def sorted_out(self, ids: Iterable[Any]) -> tuple[list[Key], list[Any]]:
        """Of the `_id`s those that are keys and have no row; and those that can be no key of the table."""
        mapping = self.table.mapping
        keys: list[Key] = []
        texts: list[KeyText] = []
        foreign: list[Any] = []
        for identifier in ids:
            try:
                text = mapping.key_text(identifier)
                key = mapping.key_of_text(text)
            except _NO_KEY:
                foreign.append(identifier)
                continue
            # The same values in another order are another document of the same row.
            if identity(key.value) == identity(identifier):
                keys.append(key)
                texts.append(text)
            else:
                foreign.append(identifier)
        present, impossible = await self._present(texts)
        foreign += [keys[place].value for place in sorted(impossible)]
        return [
            key for place, key in enumerate(keys) if place not in present and place not in impossible
        ], foreign

    async def _present(self, values: Sequence[KeyText], first: int = 0) -> tuple[set[int], set[int]]:
        """The places, counted from `first`, of the keys that have rows, and of those that are no values of their types.

        One that PostgreSQL cannot read is found by halving.
        """
        if not values:
            return set(), set()
        table = self.table
        query = present_query(table.relation, table.mapping.key_columns, table.snapshot.types, values)
        try:
            return {first + int(row[0]) - 1 for row in await self._fetch(query)}, set()
        except SourceRefused as error:
            if not error.sqlstate.startswith(_NO_SUCH_VALUE):
                raise
        if len(values) == 1:
            return set(), {first}
        middle = len(values) // 2
        present, impossible = await self._present(values[:middle], first)
        more, worse = await self._present(values[middle:], first + middle)
        return present | more, impossible | worse

    def _pages(self) -> KeyPages:
        table = self.table
        return KeyPages(table.relation, table.mapping.key_columns, table.snapshot.types)

    async def _fetch(self, query: tuple[str, list[Any]]) -> list[Any]:
        text, arguments = query
        return await self.source.fetch(text, *arguments)


def _with_keys(table: MirroredTable, records: Sequence[bytes]) -> tuple[list[Expected], int]:
    found, keyless = [], 0
    for record in records:
        try:
            found.append(expected(table, record))
        except NotRereadable:
            keyless += 1
    return found, keyless


def expected(table: MirroredTable, record: bytes) -> Expected:
    """What a row should be. CatalogueBehind where it fits no known shape; NotRereadable where it has no key."""
    header, oids, fields = parse_image(record)
    mapping = table.mapping_of(oids, relation=header.relation)
    if mapping is None:
        raise CatalogueBehind(f"a row of {table.name} fits no known shape of the table")
    try:
        key = mapping.key(fields)
    except Unrepresentable as error:
        raise NotRereadable(str(error)) from None
    try:
        document, extra = mapping.document(fields, header.text)
        return Expected(key, canonical(document, extra))
    except Unrepresentable as error:
        return Expected(key, None, str(error))
    except (OverflowError, ValueError, TypeError) as error:
        return Expected(key, None, f"no BSON can hold it ({type(error).__name__})")
