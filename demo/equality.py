"""Whether every row of a table equals its document, value by value.

What a document must be is worked out here from PostgreSQL's own text output, for the types that the shop uses and by
the table of docs/mirroring.md. Nothing of the proxy has a part in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from bson import Binary, Decimal128, Int64

from demo.errors import DemoError

if TYPE_CHECKING:
    from demo.shop import Connection

MARKS = "_cw"
"""The field that is Causeway's: versions, and what a value cannot say of itself."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_COLUMNS = """
    select a.attname as name, format_type(a.atttypid, null) as type, coalesce(a.attnum = any(i.indkey), false) as key
    from pg_attribute a left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
    where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped
    order by a.attnum
"""
_SETTINGS = "set timezone = 'UTC'; set datestyle = 'ISO'"


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    """As PostgreSQL writes it, without a length."""
    key: bool
    """Of the primary key."""


@dataclass(frozen=True)
class Equality:
    """A table beside its collection."""

    table: str
    rows: int
    documents: int
    equal_values: int
    """By type and content."""
    differences: tuple[str, ...]

    @property
    def equal(self) -> bool:
        return not self.differences and self.rows == self.documents


async def columns_of(connection: Connection, table: str) -> Sequence[Column]:
    return [Column(**row) for row in await connection.fetch(_COLUMNS, table)]


async def rows_of(
    connection: Connection, table: str, columns: Sequence[Column], where: str = ""
) -> list[list[str | None]]:
    """Each value as its text output, in UTC."""
    await connection.execute(_SETTINGS)
    listed = ", ".join(f'"{column.name}"::text' for column in columns)
    return [list(row) for row in await connection.fetch(f'select {listed} from "{table}" {where}')]


def compare(
    table: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str | None]],
    documents: Iterable[Mapping[str, Any]],
) -> Equality:
    """Differences name keys and columns."""
    found = {canonical(document["_id"]): document for document in documents}
    count, values = len(found), 0
    wrong: list[str] = []
    for row in rows:
        expected = document_of(columns, row)
        document = found.pop(canonical(expected["_id"]), None)
        key = (
            f"{table} {', '.join(str(text) for column, text in zip(columns, row, strict=True) if column.key)}"
        )
        if document is None:
            wrong.append(f"{key} has no document")
            continue
        differences = list(_differences(expected, document))
        values += max(0, len(columns) - len(differences))
        wrong += [f"{key}: {what}" for what in differences]
    wrong += [f"{table}: the document {document['_id']} has no row" for document in found.values()]
    return Equality(table, len(rows), count, values, tuple(wrong))


def document_of(columns: Sequence[Column], row: Sequence[str | None]) -> dict[str, Any]:
    """Of the text output of a row; `_cw` without versions. DemoError for a type that is not known here."""
    key = [column.name for column in columns if column.key]
    fields: dict[str, Any] = {}
    microseconds: dict[str, int] = {}
    for column, text in zip(columns, row, strict=True):
        fields[column.name] = None if text is None else _value(column.type, text)
        if column.type == "timestamp with time zone":
            microseconds[column.name] = 0 if text is None else datetime.fromisoformat(text).microsecond % 1000
    marks = {"us": microseconds} if microseconds else {}
    if len(key) == 1:
        return {"_id": fields.pop(key[0]), **fields, MARKS: marks}
    return {"_id": {name: fields[name] for name in key}, **fields, MARKS: marks}


def _value(kind: str, text: str) -> Any:
    if kind == "bigint":
        return Int64(text)
    if kind == "integer":
        return int(text)
    if kind == "numeric":
        return Decimal128(text)
    if kind == "text":
        return text
    if kind == "uuid":
        return Binary(UUID(text).bytes, 4)
    if kind == "timestamp with time zone":
        moment = datetime.fromisoformat(text)
        return moment - timedelta(microseconds=moment.microsecond % 1000)
    if kind == "jsonb":
        return json.loads(text, parse_float=lambda digits: Decimal128(Decimal(digits)))
    raise DemoError(f"the comparison does not know the type {kind}")


def canonical(value: Any) -> Any:
    """Hashable; equal for values of the same BSON type and content, and for no others."""
    if isinstance(value, Mapping):
        return ("document", frozenset((name, canonical(one)) for name, one in value.items()))
    if isinstance(value, list):
        return ("array", tuple(canonical(one) for one in value))
    if isinstance(value, Binary):
        return ("binary", value.subtype, bytes(value))
    if isinstance(value, datetime):
        return ("date", (value - _EPOCH) // timedelta(milliseconds=1))
    if isinstance(value, Decimal128):
        return ("decimal", str(value))
    return (type(value).__name__, value)


def _differences(expected: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*expected, *document]):
        if name == MARKS:
            marks = {key: value for key, value in document.get(MARKS, {}).items() if key not in ("v", "r")}
            if canonical(marks) != canonical(expected[MARKS]):
                yield f"{MARKS} differs"
        elif name not in document:
            yield f"{name} is missing"
        elif name not in expected:
            yield f"{name} is too many"
        elif canonical(document[name]) != canonical(expected[name]):
            yield f"{name} differs"
