"""From documents to rows: what the mirror has written, as values of `types.py`. Anything else is `ForeignDocument`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from struct import Struct
from struct import error as struct_error
from typing import Any

from bson.decimal128 import Decimal128

from proxy.documents.arrays import _read as read_array
from proxy.documents.codec import Foreign
from proxy.documents.table_mapping import FLAGS, KEY, US, Column
from proxy.documents.times import EPOCH_MS, milliseconds
from proxy.documents.types import SESSION_DEPENDENT
from proxy.mirror.tables import MirroredTable
from proxy.stores.bson_form import decode
from proxy.translate import inputs, numbers
from proxy.translate import types as t
from proxy.translate.api import ForeignDocument, Inexact, ReadError, Unsupported
from proxy.translate.context import CANONICAL
from proxy.translate.runtime import Row
from proxy.translate.types import Types
from proxy.translate.values import FIRST_DAY, FIRST_US, LAST_DAY, LAST_US, Interval, Jsonb, Opaque

_DAY_MS = 86_400_000

_HALVES = Struct("<QQ").unpack
_COEFFICIENT = (1 << 49) - 1
_BIAS = 6176
_TOO_LONG = 10**34

Convert = Callable[[Any, Any, Any], Any]
"""(value, microseconds beside it, flag) to a value; the value is not None, or there is a flag."""


def _integer(value: Any, us: Any, flag: Any) -> int:
    if type(value) is int:
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        raise Foreign("not an integer")
    return int(value)


def _boolean(value: Any, us: Any, flag: Any) -> bool:
    if not isinstance(value, bool):
        raise Foreign("not a boolean")
    return value


def _string(value: Any, us: Any, flag: Any) -> str:
    if not isinstance(value, str):
        raise Foreign("not a string")
    return value


def _float8(value: Any, us: Any, flag: Any) -> float:
    if not isinstance(value, float):
        raise Foreign("not a double")
    return value


def _float4(value: Any, us: Any, flag: Any) -> float:
    return numbers.single(_float8(value, us, flag))


def _numeric(value: Any, us: Any, flag: Any) -> Any:
    """The usual ones without the driver's help, which takes ten times as long. IEEE 754-2008, 3.5.2."""
    if not isinstance(value, Decimal128):
        raise Foreign("not a decimal")
    low, high = _HALVES(value.bid)
    coefficient = (high & _COEFFICIENT) << 64 | low
    exponent = (high >> 49 & 0x3FFF) - _BIAS
    if high >> 61 & 3 == 3 or exponent > 0 or not 0 < coefficient < _TOO_LONG:
        return numbers.numeric(value.to_decimal())
    return Decimal(f"{'-' if high >> 63 else ''}{coefficient}E{exponent}")


_SPECIAL_US = {"inf": LAST_US, "-inf": FIRST_US}
_SPECIAL_DAYS = {"inf": LAST_DAY, "-inf": FIRST_DAY}


def _moment(value: Any, us: Any, flag: Any) -> int:
    if flag is not None:
        return _SPECIAL_US[flag]
    if us is None:
        us = 0
    if not isinstance(us, int) or not 0 <= us < 1000:
        raise Foreign("not 0 to 999 microseconds")
    return (milliseconds(value) - EPOCH_MS) * 1000 + int(us)


def _date(value: Any, us: Any, flag: Any) -> int:
    if flag is not None:
        return _SPECIAL_DAYS[flag]
    days, rest = divmod(milliseconds(value) - EPOCH_MS, _DAY_MS)
    if rest:
        raise Foreign("not midnight")
    return days


def _time(value: Any, us: Any, flag: Any) -> int:
    return inputs.time(_string(value, us, flag))


def _interval(value: Any, us: Any, flag: Any) -> Interval:
    if not isinstance(value, Mapping):
        raise Foreign("not an interval")
    return Interval(*(_integer(value.get(part), None, None) for part in ("m", "d", "us")))


def _uuid(value: Any, us: Any, flag: Any) -> bytes:
    if isinstance(value, uuid.UUID):
        return value.bytes
    if isinstance(value, bytes) and len(value) == 16:
        return bytes(value)
    raise Foreign("not a uuid")


def _bytea(value: Any, us: Any, flag: Any) -> bytes:
    if isinstance(value, bytes):
        return bytes(value)
    raise Foreign("not binary data")


_CONVERT: Mapping[int, Convert] = {
    t.BOOL: _boolean,
    **dict.fromkeys(t.INTEGERS, _integer),
    t.TEXT: _string,
    t.VARCHAR: _string,
    t.JSON: _string,
    t.FLOAT4: _float4,
    t.FLOAT8: _float8,
    t.NUMERIC: _numeric,
    t.TIMESTAMP: _moment,
    t.TIMESTAMPTZ: _moment,
    t.DATE: _date,
    t.TIME: _time,
    t.INTERVAL: _interval,
    t.UUID: _uuid,
    t.BYTEA: _bytea,
}


def _converter(column: Column, oid: int, types: Types) -> Convert:
    if oid in _CONVERT:
        return _CONVERT[oid]
    if types.is_enum(oid):
        return _string
    codec = column.codec

    def text(value: Any, us: Any, flag: Any) -> str:
        return codec.text((value, us, flag) if codec.marked else value)

    if oid == t.BPCHAR:
        return text
    if oid == t.JSONB:
        return lambda value, us, flag: Jsonb(text(value, us, flag))
    element = types.element(oid)
    if element and types.known(oid):
        one = inputs.parser(element, types, CANONICAL)

        def array(value: Any, us: Any, flag: Any) -> tuple[Any, ...]:
            written = text(value, us, flag)
            if written.startswith(("[", "{{")):
                raise Inexact("an array of more than one dimension, or with other bounds")
            return tuple(None if item is None else one(item) for item in read_array(written, ",")[1])

        return array
    return lambda value, us, flag: Opaque(text(value, us, flag))


class Decoder:
    """Makes rows of a table's documents. `needed`: places of the attributes that are of interest."""

    def __init__(self, table: MirroredTable, needed: Iterable[int], types: Types) -> None:
        self.table = table
        attributes = table.relation.attributes
        self.width = len(attributes)
        mapping = table.mapping
        single = len(mapping.key_columns) == 1
        self.columns: list[tuple[int, Column, Convert, bool]] = []
        for place in sorted(needed):
            attribute = attributes[place]
            if attribute.type_oid in SESSION_DEPENDENT:
                raise Unsupported("a column whose text depends on the session that wrote it")
            column = mapping.by_name[attribute.name]
            oid, _ = types.base(attribute.type_oid)
            is_id = single and attribute.name == mapping.key_columns[0]
            self.columns.append((place, column, _converter(column, oid, types), is_id))
        self._fields = tuple(
            (place, column.field, convert, column)
            for place, column, convert, is_id in self.columns
            if not is_id
        )
        self._id = next(
            ((place, convert, column) for place, column, convert, is_id in self.columns if is_id), None
        )
        self._projection = {**{field: 1 for _, field, _, _ in self._fields}, "_id": 1, "_cw": 1}

    def projection(self) -> Mapping[str, int]:
        """Of the fields that are needed; `_id` is always there."""
        return self._projection

    def row(self, raw: bytes) -> Row:
        document = decode(raw)
        extra = document.get("_cw") or {}
        values: list[Any] = [None] * self.width
        column: Column | None = None
        try:
            if self._id is not None:
                place, convert, column = self._id
                values[place] = self._of_id(column, document.get("_id"), extra, convert)
            beside, flags = extra.get(US) or {}, extra.get(FLAGS) or {}
            if beside or flags:
                for place, name, convert, column in self._fields:  # noqa: B007  the last is told of
                    value, flag = document.get(name), flags.get(name)
                    if value is not None or flag is not None:
                        values[place] = convert(value, beside.get(name), flag)
            else:
                for place, name, convert, column in self._fields:  # noqa: B007
                    value = document.get(name)
                    if value is not None:
                        values[place] = convert(value, None, None)
        except Unsupported:
            raise
        except (
            ValueError,
            TypeError,
            LookupError,
            OverflowError,
            AttributeError,
            struct_error,
            ReadError,
        ):
            raise ForeignDocument(self.table.mapping.table, column.name if column else "") from None
        return tuple(values)

    @staticmethod
    def _of_id(column: Column, identifier: Any, extra: Mapping[str, Any], convert: Convert) -> Any:
        codec = column.codec
        if KEY in extra:
            return convert(extra[KEY], None, None)
        value = codec.from_id(identifier)
        return convert(*value) if codec.marked else convert(value, None, None)
