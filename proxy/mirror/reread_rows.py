"""One pass over rows that were written unseen: what the store has, then what PostgreSQL has, then the repairs.

See `proxy.mirror.rereads` for why this order, and what must hold before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from proxy.catalog.model import Relation, TypeInfo
from proxy.documents.codec import Foreign, Unrepresentable
from proxy.documents.records import Fields, parse_image
from proxy.documents.table_mapping import ForeignField, NotMirrored, TableMapping
from proxy.mirror.cascades import IsMirrored, followed_columns, following, gathered
from proxy.mirror.effects import Cause, Rows, Unseen
from proxy.mirror.tables import MirroredTable
from proxy.names import TableName
from proxy.sql.model import Verb
from proxy.stores.protocol import Document, Key, Poison, Repair, State, Store

MAX_RACES = 5
"""How often keys whose state changes while they are read are read again at once."""


UNAMBIGUOUS = frozenset({16, 20, 21, 23, 26, 700, 701, 1700, 2950})
"""bool, int8, int2, int4, oid, float4, float8, numeric, uuid: however they are written, they mean one value."""


class RowSource(Protocol):
    """The part of `proxy.catalog.source.SourceDatabase` that is needed. Its methods raise SourceError."""

    async def insert_position(self) -> int: ...

    async def rows(
        self,
        relation: Relation,
        columns: Sequence[str],
        values: Sequence[Sequence[str | None]],
        *,
        types: Mapping[int, TypeInfo],
        limit: int,
        text: bool = False,
    ) -> list[bytes]: ...


class NotRereadable(Exception):
    """The rows cannot be found one by one; the gap holds for the whole table."""


class CatalogueBehind(Exception):
    """A row has a shape that the catalogue does not know yet."""


@dataclass(slots=True)
class Outcome:
    """What became of the rows."""

    same: int = 0
    """Keys whose document was right already."""
    repaired: int = 0
    races: int = 0
    """Repairs refused because the document had changed meanwhile."""
    unsettled: int = 0
    """Keys that lost every race."""
    poisoned: list[Unseen] = field(default_factory=list)
    """Rows that no document can hold, or the store refuses."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row as PostgreSQL has it now."""

    key: Key
    mapping: TableMapping
    fields: Fields
    text: bytes | None
    document: Document | None
    extra: Document
    fault: str = ""
    """Why there is no document."""


class Pass:
    """Reads rows of one table again. Used once."""

    def __init__(
        self,
        table: MirroredTable,
        source: RowSource,
        store: Store,
        *,
        limit: int,
        mirrored: IsMirrored,
        record: Callable[[Unseen], None],
        before_repairs: Callable[[], Awaitable[None]],
    ) -> None:
        """`record` is given what follows from a change by foreign keys, before the change is made in the store.

        `before_repairs` is awaited before each round of them.
        """
        self._table = table
        self._source = source
        self._store = store
        self._limit = limit
        self._mirrored = mirrored
        self._record = record
        self._before_repairs = before_repairs
        self._outcome = Outcome()

    async def run(self, rows: Rows) -> Outcome:
        """Raises NotRereadable, CatalogueBehind, and what the source and the store raise; may be repeated then."""
        keys = await self._keys(rows)
        for _ in range(MAX_RACES):
            if not keys:
                break
            keys = await self._settle(keys)
        self._outcome.unsettled = len(keys)
        return self._outcome

    async def _keys(self, rows: Rows) -> dict[Hashable, Key]:
        """Of every document and every row that `rows` means."""
        mapping = self._table.mapping
        filters = []
        for value in rows.values:
            try:
                filters.append(mapping.bson_filter(rows.columns, value))
                certain = all(map(self._certain, rows.columns, value))
            except NotMirrored as error:
                raise NotRereadable(f"column {error.args[0]} is not in the documents") from None
            except ValueError:
                certain = False
            if not certain:
                raise NotRereadable("a key is written in a way that depends on the session, or is not known")
        keys: dict[Hashable, Key] = {}
        if filters:
            found = await self._store.find_keys(mapping.namespace, filters, self._limit)
            if len(found) > self._limit:
                raise NotRereadable(f"there are more than {self._limit} documents to look at")
            for identifier in found:
                try:
                    key = mapping.key_of_id(identifier)
                except Foreign:
                    continue  # somebody else's document, not one of this table
                keys[key.token] = key
        for token, row in (await self._read(rows.columns, rows.values, self._limit)).items():
            keys[token] = row.key
        return keys

    def _certain(self, column: str, value: str | None) -> bool:
        """Whether the text means the same here as in the session of the client that may have written it.

        It does if it is what PostgreSQL itself would write, or of a type that has one meaning only. `1/2/2026` means
        what DateStyle says, a timestamp without zone what TimeZone says.
        """
        if value is None or self._base_type(column) in UNAMBIGUOUS:
            return True
        codec = self._table.mapping.by_name[column].codec
        return codec.text(codec.parse(value)) == value

    def _base_type(self, column: str) -> int:
        for attribute in self._table.relation.attributes:
            if attribute.name == column:
                info = self._table.snapshot.types.get(attribute.type_oid)
                return attribute.type_oid if info is None or not info.base else info.base
        return 0

    async def _settle(self, keys: Mapping[Hashable, Key]) -> dict[Hashable, Key]:
        """The keys that must be looked at once more."""
        mapping = self._table.mapping
        states = dict(
            zip(keys, await self._store.states(mapping.namespace, list(keys.values())), strict=True)
        )
        names = [mapping.key_text(key.value) for key in keys.values()]
        rows = await self._read(mapping.key_columns, names, len(keys))
        again = {token: row.key for token, row in rows.items() if token not in keys}
        repairs: dict[Hashable, Repair] = {}
        derived: list[Unseen] = []
        for token, key in keys.items():
            state, row = states[token], rows.get(token)
            if row is not None and row.document is None:
                self._poisoned(key, row.fault)
            elif _same(state, row):
                self._outcome.same += 1
            else:
                derived += self._derived(state, row)
                document, extra = (None, {}) if row is None else (row.document, row.extra)
                repairs[token] = Repair(key, state, document, extra)
        for unseen in gathered(derived):
            self._record(unseen)
        if not repairs:
            return again
        await self._before_repairs()
        results = await self._store.repair(mapping.namespace, list(repairs.values()))
        for (token, repair), result in zip(repairs.items(), results, strict=True):
            if isinstance(result, Poison):
                self._poisoned(repair.key, result.reason)
            elif result:
                self._outcome.repaired += 1
            else:
                self._outcome.races += 1
                again[token] = repair.key
        return again

    async def _read(
        self, columns: Sequence[str], values: Sequence[Sequence[str | None]], limit: int
    ) -> dict[Hashable, _Row]:
        table = self._table
        records = await self._source.rows(
            table.relation,
            columns,
            values,
            types=table.snapshot.types,
            limit=limit,
            text=table.mapping.needs_text,
        )
        if len(records) > limit:
            raise NotRereadable(f"there are more than {limit} rows to read again")
        found: dict[Hashable, _Row] = {}
        for record in records:
            row = self._row(record)
            found[row.key.token] = row
        return found

    def _row(self, record: bytes) -> _Row:
        header, oids, fields = parse_image(record)
        mapping = self._table.mapping_of(oids, relation=header.relation)
        if mapping is None:
            raise CatalogueBehind(f"a row of {_name(self._table)} fits no known shape of the table")
        try:
            key = mapping.key(fields)
        except Unrepresentable as error:
            raise NotRereadable(str(error)) from None
        try:
            document, extra = mapping.document(fields, header.text)
        except Unrepresentable as error:
            return _Row(key, mapping, fields, header.text, None, {}, str(error))
        return _Row(key, mapping, fields, header.text, document, extra)

    def _derived(self, state: State, row: _Row | None) -> list[Unseen]:
        """What PostgreSQL has changed in other tables together with the change that is about to be made here."""
        if state.document is None:
            return []
        table = self._table
        verb = Verb.DELETE if row is None else Verb.UPDATE
        columns = followed_columns(table.snapshot, table.relation.oid, verb)
        if not columns:
            return []
        try:
            old = table.mapping.decode(state.document, state.extra)
        except ForeignField:
            old = {}
        new = None if row is None else _values(row, columns)
        return following(table.snapshot, table.relation.oid, verb, old, new, self._mirrored)

    def _poisoned(self, key: Key, reason: str) -> None:
        mapping = self._table.mapping
        rows = Rows(mapping.key_columns, (mapping.key_text(key.value),))
        self._outcome.poisoned.append(Unseen(Cause.POISON, self._table.relation.id, rows, reason))


def _values(row: _Row, columns: Sequence[str]) -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    for column in columns:
        try:
            values[column] = row.mapping.values_text((column,), row.fields, row.text)[0]
        except (NotMirrored, ValueError):
            continue
    return values


def _same(state: State, row: _Row | None) -> bool:
    """Whether the document is, to the byte, what the row becomes."""
    if row is None or row.document is None or state.document is None:
        return (row is None or row.document is None) and state.document is None
    return _bytes(state.document, state.extra) == _bytes(row.document, row.extra)


def _bytes(document: Document, extra: Document) -> bytes:
    import bson

    return bytes(bson.encode({"document": document, "extra": extra}))


def _name(table: MirroredTable) -> str:
    return str(TableName(table.relation.schema, table.relation.name))
