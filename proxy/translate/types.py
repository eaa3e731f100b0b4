"""The types reads are compiled for: their oids, and what PostgreSQL's catalogue says of them.

Values in the proxy, by type: bool -> bool; integers -> int; float4, float8 -> float; numeric -> Decimal (its exponent
is the scale, negative or 0); character types, enums, json -> str (char(n) with its padding); date -> days since
2000-01-01, timestamp(tz) -> microseconds since then (UTC), infinities as PostgreSQL's own extremes; time ->
microseconds; interval -> `Interval`; uuid, bytea -> bytes; arrays of one dimension -> tuple; jsonb -> `Jsonb`;
anything else -> `Opaque`. NULL is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from proxy.catalog.model import TypeInfo
from proxy.translate import builtins

BOOL: Final = 16
BYTEA: Final = 17
NAME: Final = 19
INT8: Final = 20
INT2: Final = 21
INT4: Final = 23
TEXT: Final = 25
OID: Final = 26
JSON: Final = 114
FLOAT4: Final = 700
FLOAT8: Final = 701
UNKNOWN: Final = 705
TEXTS: Final = 1009
BPCHAR: Final = 1042
VARCHAR: Final = 1043
DATE: Final = 1082
TIME: Final = 1083
TIMESTAMP: Final = 1114
TIMESTAMPTZ: Final = 1184
INTERVAL: Final = 1186
NUMERIC: Final = 1700
RECORD: Final = 2249
ANY: Final = 2276
ANYARRAY: Final = 2277
ANYELEMENT: Final = 2283
ANYNONARRAY: Final = 2776
UUID: Final = 2950
ANYENUM: Final = 3500
JSONB: Final = 3802
ANYCOMPATIBLE: Final = 5077

INTEGERS: Final = frozenset({INT2, INT4, INT8})
FLOATS: Final = frozenset({FLOAT4, FLOAT8})
STRINGS: Final = frozenset({TEXT, VARCHAR, BPCHAR})
PLAIN: Final = frozenset(
    {
        *(BOOL, BYTEA, INT8, INT2, INT4, TEXT, JSON, FLOAT4, FLOAT8, BPCHAR, VARCHAR, DATE, TIME),
        *(TIMESTAMP, TIMESTAMPTZ, INTERVAL, NUMERIC, UUID, JSONB),
    }
)
"""Types whose values the proxy knows; enums and arrays of these beside them."""

BY_NAME: Final[Mapping[str, int]] = MappingProxyType(
    {
        name: int(oid)
        for oid, name, *_ in (line.split() for line in builtins.TYPES.splitlines())
        if name not in ("any", "record") and not name.startswith("any")
    }
)
_BUILT_IN: Final[Mapping[int, tuple[str, str, bool, int, int]]] = MappingProxyType(
    {
        int(oid): (name, category, preferred == "p", int(array), int(element))
        for oid, name, category, preferred, array, element in (
            line.split() for line in builtins.TYPES.splitlines()
        )
    }
)
ELEMENTS: Final[Mapping[int, int]] = MappingProxyType(
    {oid: row[4] for oid, row in _BUILT_IN.items() if row[1] == "A" and row[4]}
)
ARRAYS: Final[Mapping[int, int]] = MappingProxyType({element: array for array, element in ELEMENTS.items()})


class Types:
    """The built-in types and those of one catalogue."""

    __slots__ = ("infos",)

    def __init__(self, infos: Mapping[int, TypeInfo]) -> None:
        self.infos = infos

    def base(self, oid: int, typmod: int = -1) -> tuple[int, int]:
        """Of a domain the type beneath and its modifier; else what is given."""
        info = self.infos.get(oid)
        if info is not None and info.kind == "d":
            return info.base, info.base_typmod
        return oid, typmod

    def labels(self, oid: int) -> tuple[str, ...] | None:
        """Of an enum, in order."""
        info = self.infos.get(oid)
        return info.labels if info is not None and info.kind == "e" else None

    def is_enum(self, oid: int) -> bool:
        return self.labels(oid) is not None

    def element(self, oid: int) -> int:
        """Of an array type; 0 for others."""
        if oid in ELEMENTS:
            return ELEMENTS[oid]
        info = self.infos.get(oid)
        return info.element if info is not None and info.category == "A" else 0

    def array(self, oid: int) -> int:
        """The array type of a type; 0 where it is not known."""
        if oid in ARRAYS:
            return ARRAYS[oid]
        for info in self.infos.values():
            if info.category == "A" and info.element == oid:
                return info.oid
        return 0

    def known(self, oid: int) -> bool:
        """Whether the proxy has values of the type, not only their text."""
        if oid in PLAIN or self.is_enum(oid):
            return True
        element = self.element(oid)
        return bool(element) and (element in PLAIN or self.is_enum(element)) and element not in (JSON, JSONB)

    def category(self, oid: int) -> str:
        if oid in _BUILT_IN:
            return _BUILT_IN[oid][1]
        info = self.infos.get(oid)
        return info.category if info is not None else "U"

    def preferred(self, oid: int) -> bool:
        return oid in _BUILT_IN and _BUILT_IN[oid][2]

    def name(self, oid: int) -> str:
        """typname."""
        if oid in _BUILT_IN:
            return _BUILT_IN[oid][0]
        info = self.infos.get(oid)
        return info.name if info is not None else str(oid)


@lru_cache(maxsize=1)
def casts() -> Mapping[tuple[int, int], tuple[str, str]]:
    """(source, target) -> (castcontext, castmethod)."""
    found = {}
    for line in builtins.CASTS.replace("\n  ", " ").splitlines():
        source, *targets = line.split()
        for target in targets:
            found[int(source), int(target[:-2])] = (target[-2], target[-1])
    return MappingProxyType(found)


@lru_cache(maxsize=1)
def operators() -> Mapping[str, tuple[tuple[int, int, int], ...]]:
    """Name -> (left, right, result) of each."""
    found = {}
    for line in builtins.OPERATORS.replace("\n  ", " ").splitlines():
        name, *rows = line.split()
        found[name] = tuple((int(a), int(b), int(c)) for a, b, c in (row.split(",") for row in rows))
    return MappingProxyType(found)


class Signature:
    """One function of the catalogue."""

    __slots__ = ("arguments", "defaults", "kind", "result", "returns_set", "variadic")

    def __init__(self, text: str) -> None:
        head, _, rest = text.partition("(")
        inside, _, tail = rest.partition(")")
        result, _, defaults = tail.partition("=")
        self.kind = head[0]
        self.returns_set = head[1:] == "s"
        self.variadic = inside.endswith("*")
        self.arguments = tuple(int(part) for part in inside.rstrip("*").split(",") if part)
        self.result = int(result)
        self.defaults = int(defaults or 0)


@lru_cache(maxsize=1)
def functions() -> Mapping[str, tuple[Signature, ...]]:
    found = {}
    for line in builtins.FUNCTIONS.replace("\n  ", " ").splitlines():
        name, *rows = line.split()
        found[name] = tuple(Signature(row) for row in rows)
    return MappingProxyType(found)
