"""Tables and indexes made by hand, for what needs no server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from proxy.backfill.index_catalogue import IndexPart, SourceIndex
from proxy.catalog.model import TypeInfo
from proxy.documents.mapping import Server, build_mapping
from proxy.mirror.tables import MirroredTable
from tests.catalog.made import TEXT, snapshot
from tests.documents.made import relation, rule_of

TABLE_OID = 5000


def mirrored(
    *columns: tuple[str, int],
    key: Sequence[str] = ("id",),
    types: Mapping[int, TypeInfo] | None = None,
    **settings: Any,
) -> MirroredTable:
    """public.orders of database shop; `columns` are names and type oids, `settings` those of its rule."""
    table = relation("orders", columns, key=key, oid=TABLE_OID)
    attributes = tuple(
        replace(each, collation="default") if each.type_oid == TEXT else each for each in table.attributes
    )
    table = replace(table, attributes=attributes)
    rule = rule_of("orders", **settings)
    picture = snapshot(table, types=dict(types or {}))
    return MirroredTable(
        "shop", table, rule, build_mapping(table, rule, picture.types, Server("shop")), picture
    )


def source(
    name: str, *columns: str, method: str = "btree", unique: bool = False, predicate: str | None = None
) -> SourceIndex:
    """An index of that table; `-column` is descending."""
    parts = tuple(
        IndexPart(column.lstrip("-"), column.lstrip("-"), column.startswith("-")) for column in columns
    )
    return SourceIndex(name, TABLE_OID, method, parts, unique, predicate=predicate)
