"""What a collection must hold, worked out from the table alone and by nobody who has a part in mirroring.

The rows are read from PostgreSQL as text, column by column; the documents as the driver gives them. Nothing of
`proxy.documents` is used: the rules are those of docs/mirroring.md, `_cw` included, written a second time.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, Inexact
from typing import Any
from uuid import UUID

import psycopg
from bson import Binary, CodecOptions, Decimal128, Int64
from bson.codec_options import DatetimeConversion
from bson.datetime_ms import DatetimeMS
from pymongo import MongoClient

from tests.mirroring.schema import Table, quoted

CODEC: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
INFINITE_MS = 8_640_000_000_000_000

MARKS = "_cw"


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    """pg_type.typname, of a domain the one beneath."""
    kind: str
    """pg_type.typtype, of a domain the one beneath."""
    element: Column | None
    """Of an array."""
    typmod: int
    field: str
    """Its name in the document."""


@dataclass(frozen=True)
class Expectation:
    """What must be there for one row."""

    id: Any
    fields: dict[str, Any]
    marks: dict[str, Any]
    """`_cw` without v and r."""


@dataclass(frozen=True)
class Difference:
    collection: str
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.collection} {self.key}: {self.what}"


_COLUMNS = """
with recursive base(attnum, attname, oid, typmod) as (
  select attnum, attname, atttypid, atttypmod from pg_attribute
  where attrelid = %(table)s::regclass and attnum > 0 and not attisdropped
union all
  select attnum, attname, typbasetype, case when typtypmod >= 0 then typtypmod else typmod end
  from base join pg_type t on t.oid = base.oid where t.typtype = 'd'
), element(oid, of) as (
  select typelem, oid from pg_type where typcategory = 'A' and typelem <> 0
union all
  select t.typbasetype, of from element join pg_type t on t.oid = element.oid where t.typtype = 'd'
)
select attname, t.typname, t.typtype::text, base.typmod, e.typname, e.typtype::text
from base join pg_type t on t.oid = base.oid and t.typtype <> 'd'
left join (element join pg_type e on e.oid = element.oid and e.typtype <> 'd') on element.of = t.oid
order by attnum
"""

_KEY = """
select a.attname from pg_index i, unnest(i.indkey::int2[]) with ordinality as k(attnum, position), pg_attribute a
where i.indrelid = %(table)s::regclass and i.indisprimary and a.attrelid = i.indrelid and a.attnum = k.attnum
order by k.position
"""

_SETTINGS = """
set datestyle = 'ISO'; set intervalstyle = 'iso_8601'; set timezone = 'UTC'; set extra_float_digits = 1;
set bytea_output = 'hex'; set search_path = '';
"""


def expectations(connection: psycopg.Connection[Any], table: Table) -> list[Expectation]:
    """Of every row of the table, read in one snapshot."""
    connection.execute(_SETTINGS)
    renamed = table.rule.get("rename", {})
    left_out = table.rule.get("exclude", ())
    columns = [
        Column(
            name,
            type_name,
            kind,
            Column("", element, element_kind, None, typmod, "")
            if element and kind == "b" and type_name != "name" and type_name[0] == "_"
            else None,
            typmod,
            renamed.get(name, name),
        )
        for name, type_name, kind, typmod, element, element_kind in connection.execute(
            _COLUMNS, {"table": table.sql}
        )
        if name not in left_out
    ]
    key = [name for (name,) in connection.execute(_KEY, {"table": table.sql})]
    listed = ", ".join(quoted(column.name) for column in columns)
    return [
        _expectation(columns, key, row) for row in _texts(connection, f"select {listed} from {table.sql}")
    ]


def _texts(connection: psycopg.Connection[Any], query: str) -> Iterator[list[str | None]]:
    """Rows as the types' output functions write them; a cast to text is something else for some types."""
    result = connection.execute(query).pgresult
    assert result is not None
    for row in range(result.ntuples):
        values = [result.get_value(row, column) for column in range(result.nfields)]
        yield [None if value is None else value.decode() for value in values]


def _expectation(columns: Sequence[Column], key: Sequence[str], row: Sequence[str | None]) -> Expectation:
    fields: dict[str, Any] = {}
    marks: dict[str, Any] = {}
    by_name = {column.name: (column, text) for column, text in zip(columns, row, strict=True)}
    for column, text in by_name.values():
        if [column.name] != key:
            fields[column.field] = encode(column, text)
            _mark(marks, column, text)
    if len(key) == 1:
        column, text = by_name[key[0]]
        return Expectation(key_value(column, text), fields, marks)
    parts = {by_name[name][0].field: key_value(*by_name[name]) for name in key}
    return Expectation(parts, fields, marks)


def encode(column: Column, text: str | None) -> Any:
    """The BSON value of a column's text output."""
    if text is None:
        return None
    if column.element is not None:
        element = column.element
        items, _ = parse_array(text)
        return _nested(items, lambda item: encode(element, item))
    scalar = _SCALARS.get(column.type)
    return text if scalar is None else scalar(text)


def key_value(column: Column, text: str | None) -> Any:
    """As `encode`, but injective: a timestamp with its microseconds, infinity as the word."""
    assert text is not None
    if column.type in ("timestamp", "timestamptz", "date") and text.lstrip("-") == "infinity":
        return text
    value = encode(column, text)
    if column.type in ("timestamp", "timestamptz"):
        return {"t": value, "us": microseconds(text) % 1000}
    return value


def _mark(marks: dict[str, Any], column: Column, text: str | None) -> None:
    """What `_cw` says about the value."""
    if column.element is not None:
        if text is not None:
            _mark_array(marks, column, text)
        return
    if _timed(column):
        marks.setdefault("us", {})[column.field] = 0 if text is None else _remainder(text)
    flag = _flag(column, text)
    if flag is not None:
        marks.setdefault("flags", {})[column.field] = flag


def _timed(column: Column) -> bool:
    return column.type in ("timestamp", "timestamptz") and not 0 <= column.typmod <= 3


def _remainder(text: str) -> int:
    return 0 if text.lstrip("-") == "infinity" else microseconds(text) % 1000


def _flag(column: Column, text: str | None) -> str | None:
    return _FLAGS.get((column.type, text or ""))


_FLAGS = {
    (kind, word): flag
    for kinds, words in (
        (("float4", "float8", "numeric"), {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}),
        (("timestamp", "timestamptz", "date"), {"infinity": "inf", "-infinity": "-inf"}),
        (("jsonb",), {"null": "null"}),
    )
    for kind in kinds
    for word, flag in words.items()
}


def _mark_array(marks: dict[str, Any], column: Column, text: str) -> None:
    """Bounds and more dimensions than one; microseconds and flags of the elements, counted through all dimensions."""
    assert column.element is not None
    items, bounds = parse_array(text)
    size = _size(items)
    flag: dict[str, Any] = {}
    if bounds or len(size) > 1:
        lower = [int(match[1]) for match in re.finditer(r"\[(-?\d+):", bounds)]
        flag = {"lower": lower or [1] * len(size), "size": size}
    flat = list(_flat(items))
    element = column.element
    flags = {str(at): word for at, item in enumerate(flat) if (word := _flag(element, item))}
    if flags:
        flag["items"] = flags
    if flag:
        marks.setdefault("flags", {})[column.field] = flag
    if _timed(column.element) and any(item is not None for item in flat):
        marks.setdefault("us", {})[column.field] = [
            None if item is None else _remainder(item) for item in flat
        ]


def _size(items: list[Any]) -> list[int]:
    return [len(items), *_size(items[0])] if items and isinstance(items[0], list) else [len(items)]


def _flat(items: list[Any]) -> Iterator[str | None]:
    for item in items:
        if isinstance(item, list):
            yield from _flat(item)
        else:
            yield item


def _number(text: str) -> Any:
    value = int(text)
    if -(1 << 31) <= value < 1 << 31:
        return value
    if -(1 << 63) <= value < 1 << 63:
        return Int64(value)
    return Decimal128(text)


def _json(text: str) -> Any:
    return json.loads(
        text,
        parse_int=_number,
        parse_float=lambda digits: Decimal128(Decimal(digits)),
        object_pairs_hook=lambda pairs: {_field(name): value for name, value in pairs},
    )


def _field(name: str) -> str:
    """The empty name as `%00`, a `$` in front as `%24`, dots as `%2E`, and what looks like one of these as `%25..`."""
    name = re.sub("%(?=00|24|25|2E)", "%25", name).replace(".", "%2E")
    return "%24" + name[1:] if name.startswith("$") else name or "%00"


_STAMP = re.compile(r"(\d+)-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:\+00)?)?( BC)?")


def microseconds(text: str) -> int:
    """Since 1970, of a timestamp or date in ISO style and UTC, in PostgreSQL's proleptic Gregorian calendar."""
    match = _STAMP.fullmatch(text)
    assert match, text
    year = int(match[1]) if match[8] is None else 1 - int(match[1])
    day = _days(year, int(match[2]), int(match[3]))
    hours, minutes, seconds = (int(match[n] or 0) for n in (4, 5, 6))
    return (
        ((day * 24 + hours) * 60 + minutes) * 60_000_000
        + seconds * 1_000_000
        + int((match[7] or "").ljust(6, "0"))
    )


def _days(year: int, month: int, day: int) -> int:
    """Since 1970-01-01; years count from March, 146,097 days make 400 of them."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _date(text: str) -> DatetimeMS:
    if text.lstrip("-") == "infinity":
        return DatetimeMS(-INFINITE_MS if text[0] == "-" else INFINITE_MS)
    return DatetimeMS(microseconds(text) // 1000)


def _time(text: str) -> str:
    head, _, fraction = text.partition(".")
    return f"{head}.{fraction.ljust(6, '0')}"


_PERIOD = re.compile(
    r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?"
    r"(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?)(\d+)(?:\.(\d+))?S)?)?"
)


def _interval(text: str) -> dict[str, Any]:
    match = _PERIOD.fullmatch(text)
    assert match, text
    years, months, weeks, days, hours, minutes = (int(match[n] or 0) for n in range(1, 7))
    small = int(match[8] or 0) * 1_000_000 + int((match[9] or "").ljust(6, "0"))
    us = (hours * 60 + minutes) * 60_000_000 + (-small if match[7] == "-" else small)
    m, d = years * 12 + months, weeks * 7 + days
    compared = (m * 30 + d) * 86_400_000_000 + us
    return {"cmp": Decimal128(str(compared)), "m": m, "d": d, "us": Int64(us)}


class Indescribable:
    """Stands for a value that no document can hold; equal to none."""


def _numeric(text: str) -> Decimal128 | Indescribable:
    try:
        return Decimal128(text)
    except Inexact:
        return Indescribable()


def _float4(text: str) -> float:
    return float(struct.unpack("f", struct.pack("f", float(text)))[0])


_SCALARS: Mapping[str, Callable[[str], Any]] = {
    "int2": int,
    "int4": int,
    "int8": lambda text: Int64(int(text)),
    "bool": lambda text: text in ("t", "true"),
    "float4": _float4,
    "float8": float,
    "numeric": _numeric,
    "bpchar": lambda text: text.rstrip(" "),
    "timestamp": _date,
    "timestamptz": _date,
    "date": _date,
    "time": _time,
    "interval": _interval,
    "uuid": lambda text: Binary(UUID(text).bytes, 4),
    "bytea": lambda text: bytes.fromhex(text[2:]),
    "jsonb": _json,
}


_BOUNDS = re.compile(r"(?:\[(-?\d+):(-?\d+)\])+=")


def parse_array(text: str, delimiter: str = ",") -> tuple[Any, str]:
    """Nested lists of texts and None, and the explicit bounds (`[0:1]=`, else empty)."""
    bounds = _BOUNDS.match(text)
    at = bounds.end() if bounds else 0
    value, end = _items(text, at, delimiter)
    assert end == len(text), text
    return value, bounds[0] if bounds else ""


def _items(text: str, at: int, delimiter: str) -> tuple[list[Any], int]:
    assert text[at] == "{", text
    items: list[Any] = []
    at += 1
    while text[at] != "}":
        if text[at] == delimiter:
            at += 1
        if text[at] == "{":
            item, at = _items(text, at, delimiter)
            items.append(item)
        elif text[at] == '"':
            letters = []
            at += 1
            while text[at] != '"':
                at += text[at] == "\\"
                letters.append(text[at])
                at += 1
            at += 1
            items.append("".join(letters))
        else:
            start = at
            while text[at] not in (delimiter, "}"):
                at += 1
            word = text[start:at]
            items.append(None if word == "NULL" else word)
    return items, at + 1


def _nested(items: list[Any], change: Callable[[str | None], Any]) -> list[Any]:
    return [_nested(item, change) if isinstance(item, list) else change(item) for item in items]


def canonical(value: Any) -> Hashable:
    """Equal for values of the same BSON type and content, and for no others."""
    if value is None or isinstance(value, bool | str):
        return value if value is None else (type(value).__name__, value)
    if isinstance(value, float):
        return ("double", "nan" if value != value else struct.pack(">d", value))
    if isinstance(value, Int64):
        return ("int64", int(value))
    if isinstance(value, int):
        return ("int32", value)
    if isinstance(value, Decimal128):
        return ("decimal128", str(value))
    if isinstance(value, DatetimeMS):
        return ("date", int(value))
    if isinstance(value, Binary):
        return ("binary", value.subtype, bytes(value))
    if isinstance(value, bytes):
        return ("binary", 0, value)
    if isinstance(value, list):
        return ("array", tuple(canonical(item) for item in value))
    if isinstance(value, Mapping):
        return ("document", frozenset((name, canonical(item)) for name, item in value.items()))
    if isinstance(value, Indescribable):
        return value
    raise TypeError(f"{type(value)}")


@dataclass
class Comparison:
    """Table against collection."""

    table: Table
    rows: int = 0
    differences: list[Difference] = field(default_factory=list)


def compare(
    connection: psycopg.Connection[Any],
    store: MongoClient[dict[str, Any]],
    database: str,
    table: Table,
    *,
    copied: bool = False,
) -> Comparison:
    """Row by row, value by value, BSON type by BSON type. `copied`: documents may be a backfill's, too."""
    documents = {
        canonical(document["_id"]): document
        for document in store.get_database(database, codec_options=CODEC)[table.collection].find({})
    }
    result = Comparison(table)
    for expected in expectations(connection, table):
        result.rows += 1
        document = documents.pop(canonical(expected.id), None)
        if document is None:
            result.differences.append(Difference(table.collection, _shown(expected.id), "no document"))
            continue
        for what in _differences(expected, document, copied):
            result.differences.append(Difference(table.collection, _shown(expected.id), what))
    for document in documents.values():
        result.differences.append(Difference(table.collection, _shown(document["_id"]), "no such row"))
    return result


def _differences(expected: Expectation, document: dict[str, Any], copied: bool) -> Iterator[str]:
    for name, value in expected.fields.items():
        if name not in document:
            yield f"field {name} is missing"
        elif canonical(document[name]) != canonical(value):
            yield f"field {name} is {_shown(document[name])}, not {_shown(value)}"
    for name in document.keys() - expected.fields.keys() - {"_id", MARKS}:
        yield f"field {name} is too many"
    marks = dict(document.get(MARKS, {}))
    version, repairs = marks.pop("v", None), marks.pop("r", None)
    if not isinstance(version, Int64) or isinstance(repairs, Int64) or not isinstance(repairs, int):
        yield f"_cw has v {version!r} and r {repairs!r}"
    elif not (version > 0 <= repairs or version == 0 < repairs or (copied and version == 0 == repairs)):
        yield f"_cw has v {version} and r {repairs}: neither an image nor a repair"
    if canonical(marks) != canonical(expected.marks):
        yield f"_cw is {_shown(marks)}, not {_shown(expected.marks)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
