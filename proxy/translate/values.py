"""Values that Python has no type for, and what values are equal and sorted by. See `types.py` for the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, NamedTuple

from proxy.translate import types as t
from proxy.translate.api import Inexact, Unsupported
from proxy.translate.types import Types

DAY_US: Final = 86_400_000_000
LAST_DAY: Final = 2**31 - 1
FIRST_DAY: Final = -(2**31)
"""Infinite dates."""
LAST_US: Final = 2**63 - 1
FIRST_US: Final = -(2**63)
"""Infinite timestamps."""


class Interval(NamedTuple):
    """Compared by `span`: use `key_of`."""

    months: int
    days: int
    us: int

    @property
    def span(self) -> int:
        return self.us + (self.days + self.months * 30) * DAY_US


class Opaque(str):
    """The text output of a value of a type the proxy does not know: shown, or found to be NULL; nothing else."""

    __slots__ = ()


class Jsonb:
    """A jsonb value, kept as its text."""

    __slots__ = ("__dict__", "text")

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def value(self) -> Any:
        return json.loads(self.text, parse_float=Decimal, parse_int=Decimal)

    @cached_property
    def key(self) -> Hashable:
        return _frozen(self.value)

    def __repr__(self) -> str:
        return f"Jsonb({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Jsonb) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _frozen(value: Any) -> Hashable:
    if isinstance(value, dict):
        return ("object", frozenset((name, _frozen(item)) for name, item in value.items()))
    if isinstance(value, list):
        return ("array", *map(_frozen, value))
    return (type(value).__name__, value)


class Collation(NamedTuple):
    """How texts are compared, as far as it is known."""

    name: str
    bytewise: bool
    """Sorts by bytes of UTF-8: C, POSIX, C.UTF-8."""
    deterministic: bool
    ctype: str
    """What changes case: 'c' ASCII alone, 'utf8' the letters of a libc locale without oddities, '' not known."""
    explicit: bool = False
    """Given by COLLATE."""


Key = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _float_key(value: float) -> Hashable:
    return value if value == value else "nan"


def _numeric_key(value: Decimal) -> Hashable:
    return value if not value.is_nan() else "nan"


def _array_key(element: Key) -> Key:
    return lambda value: tuple(None if item is None else element(item) for item in value)


def equality_key(oid: int, types: Types, collation: Collation | None) -> Key:
    """From values (not NULL) to what is equal, and has an equal hash, where PostgreSQL calls them equal.

    Unsupported where the type has no equality, or not one that is known."""
    if oid in t.FLOATS:
        return _float_key
    if oid == t.NUMERIC:
        return _numeric_key
    if oid == t.BPCHAR:
        _deterministic(collation)
        return lambda value: value.rstrip(" ")
    if oid in (t.TEXT, t.VARCHAR):
        _deterministic(collation)
        return _same
    if oid == t.INTERVAL:
        return lambda value: value.span
    if oid == t.JSONB:
        return lambda value: value.key
    if oid == t.JSON:
        raise Unsupported("json has no equality")
    if oid in t.PLAIN or types.is_enum(oid):
        return _same
    element = types.element(oid)
    if element and types.known(oid):
        return _array_key(equality_key(element, types, collation))
    raise Unsupported(f"values of type {types.name(oid)} cannot be compared")


def _deterministic(collation: Collation | None) -> None:
    if collation is None or not collation.deterministic:
        raise Unsupported("a collation that is not deterministic")


def _float_order(value: float) -> Any:
    return (0, value) if value == value else (1, 0.0)


def _numeric_order(value: Decimal) -> Any:
    return (0, value) if not value.is_nan() else (1, Decimal(0))


def order_key(oid: int, types: Types, collation: Collation | None) -> Key:
    """From values (not NULL) to what sorts as PostgreSQL sorts them. Unsupported where that is not known."""
    if oid in t.FLOATS:
        return _float_order
    if oid == t.NUMERIC:
        return _numeric_order
    if oid in t.STRINGS:
        if collation is None or not collation.bytewise:
            raise Unsupported("order of text in a collation that is not C")
        return (lambda value: value.rstrip(" ")) if oid == t.BPCHAR else _same
    if oid == t.INTERVAL:
        return lambda value: value.span
    labels = types.labels(oid)
    if labels is not None:
        return _label_order({label: place for place, label in enumerate(labels)})
    if oid in (t.JSON, t.JSONB):
        raise Unsupported("order of JSON values")
    if oid in t.PLAIN:
        return _same
    raise Unsupported(f"order of values of type {types.name(oid)}")


def _label_order(places: dict[str, int]) -> Key:
    def key(value: Any) -> int:
        try:
            return places[value]
        except KeyError:
            raise Inexact("an enum has labels the catalogue does not know") from None

    return key


def shown_alike(oid: int) -> bool:
    """Whether values that are equal have the same text, so that it does not matter which of them stands for all."""
    return oid not in (t.NUMERIC, t.FLOAT4, t.FLOAT8, t.INTERVAL, t.JSONB, t.BPCHAR) and oid not in t.ELEMENTS
