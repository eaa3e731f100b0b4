"""How values of one field are compared by the store: which filter finds exactly the rows a comparison is true for.

What a document holds for a value is said in `proxy.documents`: a comparison of the store looks at values of the type
of the constant only (type bracketing), and at numbers by their exact value whatever their type. What is special about
a value (NaN, infinity) has a flag beside it, and a timestamp its microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from bson.binary import UUID_SUBTYPE, Binary
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from proxy.documents.table_mapping import FLAGS, US
from proxy.documents.table_mapping import Column as Field
from proxy.documents.times import EPOCH_MS
from proxy.translate import types as t
from proxy.translate.api import Inexact
from proxy.translate.tree import Call
from proxy.translate.types import Types
from proxy.translate.values import FIRST_DAY, FIRST_US, LAST_DAY, LAST_US

Condition = Mapping[str, Any]

NEVER: Condition = {"_id": {"$in": []}}
"""Finds nothing."""
ALWAYS: Condition = {}


_MS = frozenset({t.TIMESTAMP, t.TIMESTAMPTZ})
_EXACT_ORDER = frozenset({t.INT2, t.INT4, t.INT8, t.BOOL, t.TEXT, t.VARCHAR, t.TIME})
"""Types whose values stand in documents as something the store orders as PostgreSQL does. Text only in collations
that sort by bytes, which binding has seen to."""
_EQUAL = _EXACT_ORDER | {t.UUID, t.BYTEA}
"""Types of which the store finds equal values exactly."""


def stored(oid: int, value: Any) -> Any:
    """The BSON value of an unmarked value of such a type. Inexact where there is none."""
    if oid in (t.INT2, t.INT4, t.INT8):
        return Int64(value)
    if oid == t.UUID:
        return Binary(value, UUID_SUBTYPE)
    if oid == t.BYTEA:
        return Binary(value, 0)
    if oid == t.TIME:
        seconds, us = divmod(value, 1_000_000)
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{us:06d}"
    return value


def transparent(expr: Call) -> bool:
    """A cast whose result compares as what is cast: between text and varchar, to wider integers and floats."""
    given = expr.args[0].type
    if not expr.name.startswith(("cast:", "relabel", "collate:")):
        return False
    if expr.type in (t.TEXT, t.VARCHAR) and given in (t.TEXT, t.VARCHAR):
        return True
    return (given, expr.type) in (
        (t.INT2, t.INT4),
        (t.INT2, t.INT8),
        (t.INT4, t.INT8),
        (t.FLOAT4, t.FLOAT8),
    )


def comparable(oid: int, other: int) -> bool:
    if oid == other or (oid in t.INTEGERS and other in t.INTEGERS):
        return True
    if oid in t.FLOATS and other in t.FLOATS:
        return True
    return oid in (t.TEXT, t.VARCHAR) and other in (t.TEXT, t.VARCHAR)


class Rule:
    """How values of one field are compared by the store."""

    def __init__(self, column: Field, oid: int, single: bool, types: Types) -> None:
        self.column = column
        self.name = column.field
        self.oid = oid
        self.single = single
        self.timed = column.codec.timed
        self.enum = types.is_enum(oid)

    @property
    def value(self) -> Callable[[Any], Any] | None:
        """From a value to what equal values of the field are found by; None where they are not."""
        oid = self.oid
        if oid in _EQUAL or self.enum:
            return lambda value: stored(oid, value)
        if oid == t.NUMERIC:
            return _decimal
        if oid in t.FLOATS and not self.single:
            return _double
        if oid == t.DATE and not self.single:
            return _date
        return None

    def among(self, values: Sequence[Any]) -> Condition:
        """One of these. DocumentDB's `$in`, into which it also makes `$or` of `$eq`, tells 2.5 from 2.50: its ranges do
        not."""
        if self.oid not in WITH_NAN:
            return {self.name: {"$in": list(values)}}
        parts: list[Condition] = [{self.name: {"$gte": value, "$lte": value}} for value in values]
        if len(parts) < 2:
            return parts[0] if parts else NEVER
        return {"$or": parts}

    def beside(self, values: Sequence[Any]) -> Condition:
        """None of these, and not NULL. NaN differs from all of them."""
        field = self.name
        if self.oid not in WITH_NAN:
            return {field: {"$nin": [*values, None]}}
        nan = {f"_cw.{FLAGS}.{field}": "nan"}
        parts = [{"$or": [{field: {"$lt": value}}, {field: {"$gt": value}}, nan]} for value in values]
        return parts[0] if len(parts) == 1 else {"$and": parts}

    @property
    def listed(self) -> bool:
        """Whether many values can be asked for at once."""
        return self.value is not None and self.oid not in WITH_NAN

    def compare(self, name: str) -> Callable[[Any], Condition] | None:
        """A filter for exactly the rows where `field name constant`; None where there is none."""
        value = self.value
        field = self.name
        if self.oid in (*_MS, t.DATE):
            return self._moment(name)
        if value is None:
            return None
        if name == "=":
            return lambda given: self.among([value(given)])
        if name == "<>" and self.oid in WITH_NAN and self.single:
            return None
        if name == "<>":
            return lambda given: self.beside([value(given)])
        operator = _OPERATORS[name]
        if self.oid in _EXACT_ORDER:
            return lambda given: {field: {operator: value(given)}}
        if self.oid not in WITH_NAN or self.single:
            return None
        # NaN is larger than all numbers to PostgreSQL, and smaller or neither to the store: its flag tells it
        flag = f"_cw.{FLAGS}.{field}"
        if name[0] == "<":
            return lambda given: {field: {operator: value(given)}, flag: {"$ne": "nan"}}
        return lambda given: {"$or": [{field: {operator: value(given)}}, {flag: "nan"}]}

    def _moment(self, name: str) -> Callable[[Any], Condition] | None:
        """Dates, and timestamps, whose Date is the time floored to a millisecond, with the microseconds beside it.
        Infinity has a Date that is behind those of all times but the last of PostgreSQL's, and a flag."""
        if self.single or name == "<>":
            return None
        field, timed = self.name, self.timed
        scale = None if self.oid == t.DATE else 1000

        def make(given: int) -> Condition:
            if given in (LAST_US, FIRST_US, LAST_DAY, FIRST_DAY) and (
                scale is None or abs(given) > LAST_DAY + 1
            ):
                return _against_infinity(field, name, given > 0)
            ms, us = (given * _DAY_MS, 0) if scale is None else divmod(given, scale)
            ms += EPOCH_MS
            if ms >= _LAST_MS:
                raise Inexact("a time behind the last one the store is certain to hold")
            return _against(field, name, DatetimeMS(ms), us, timed)

        return make


_LAST_MS = 8_640_000_000_000_000
_DAY_MS = 86_400_000


def _against_infinity(field: str, name: str, last: bool) -> Condition:
    flag = f"_cw.{FLAGS}.{field}"
    word = "inf" if last else "-inf"
    if name == "=" or name == (">=" if last else "<="):
        return {flag: word}
    if name == (">" if last else "<"):
        return NEVER
    if name == ("<=" if last else ">="):
        return {field: {"$ne": None}}
    return {"$and": [{field: {"$ne": None}}, {flag: {"$ne": word}}]}


def _against(field: str, name: str, date: DatetimeMS, us: int, timed: bool) -> Condition:
    """A time of a millisecond and `us` microseconds."""
    if timed:
        beside = f"_cw.{US}.{field}"
        if name == "=":
            return {field: {"$eq": date}, beside: us}
        strictly = "$lt" if name[0] == "<" else "$gt"
        return {
            "$or": [{field: {strictly: date}}, {field: {"$eq": date}, beside: {_OPERATORS[name]: us}}],
        }
    if us:
        if name == "=":
            return NEVER
        return {field: {"$lte" if name[0] == "<" else "$gt": date}}
    return {field: {"$eq" if name == "=" else _OPERATORS[name]: date}}


WITH_NAN = frozenset({t.NUMERIC, t.FLOAT4, t.FLOAT8})
_OPERATORS = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}


def _decimal(value: Decimal) -> Any:
    """Numbers are equal by value, whatever their scale, on both sides. Inexact for NaN, and for one of more digits than
    a document holds."""
    if value.is_nan():
        raise Inexact("NaN in a filter")
    if value.is_infinite():
        return Decimal128("Infinity" if value > 0 else "-Infinity")
    if len(value.as_tuple().digits) > 34 or abs(value.adjusted()) > 6000:
        raise Inexact("a number of more digits than a document holds")
    return Decimal128(value)


def _double(value: float) -> float:
    if value != value:
        raise Inexact("NaN in a filter")
    return float(value)


def _date(value: int) -> DatetimeMS:
    """To be found among others: not infinity, whose Date others may have."""
    ms = value * _DAY_MS + EPOCH_MS
    if value in (LAST_DAY, FIRST_DAY) or ms >= _LAST_MS:
        raise Inexact("a date behind the last one the store is certain to hold")
    return DatetimeMS(ms)
