"""Snapshots made by hand, for what needs no server."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from proxy.catalog.model import Attribute, Relation, Snapshot, TypeInfo

INT4, INT8, TEXT, VARCHAR, NUMERIC, TIMESTAMPTZ, JSON = 23, 20, 25, 1043, 1700, 1184, 114

_NAMES = {
    INT4: ("int4", "N"),
    INT8: ("int8", "N"),
    TEXT: ("text", "S"),
    VARCHAR: ("varchar", "S"),
    NUMERIC: ("numeric", "N"),
    TIMESTAMPTZ: ("timestamptz", "D"),
    JSON: ("json", "U"),
}
BUILT_IN = {oid: TypeInfo(oid, "pg_catalog", name, "b", category) for oid, (name, category) in _NAMES.items()}


def attribute(number: int, name: str, type_oid: int = INT4, **more: Any) -> Attribute:
    return Attribute(
        number,
        name,
        type_oid,
        more.pop("typmod", -1),
        more.pop("not_null", False),
        more.pop("has_default", False),
        **more,
    )


def relation(oid: int, name: str, *attributes: Attribute, **more: Any) -> Relation:
    """A permanent table whose first column is its primary key."""
    first = tuple(a.name for a in attributes[:1])
    more.setdefault("primary_key", first)
    more.setdefault("unique_keys", (first,) if first else ())
    return Relation(
        oid,
        more.pop("schema", "public"),
        name,
        more.pop("kind", "r"),
        more.pop("persistence", "p"),
        attributes,
        **more,
    )


def snapshot(*relations: Relation, types: dict[int, TypeInfo] | None = None, **more: Any) -> Snapshot:
    names: dict[str, tuple[int, ...]] = {}
    for one in relations:
        names[one.name] = (*names.get(one.name, ()), one.oid)
    return Snapshot(
        database="shop",
        generation=more.pop("generation", 1),
        system_identifier=more.pop("system_identifier", "7"),
        server_version=more.pop("server_version", 150004),
        timeline=1,
        wal_level=more.pop("wal_level", "replica"),
        relations=MappingProxyType({one.oid: one for one in relations}),
        types=MappingProxyType({**BUILT_IN, **(types or {})}),
        by_name=MappingProxyType(names),
        **more,
    )
