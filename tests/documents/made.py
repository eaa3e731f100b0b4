"""Relations, rules and records made by hand."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

from proxy.catalog.model import Attribute, Relation
from proxy.phases import Phase
from proxy.rulefiles.compile import RuleText, compile_rules
from proxy.rulefiles.ruleset import RuleSet, TableRule


def rules_of(tables: dict[str, dict[str, Any]], **outer: Any) -> RuleSet:
    """What a rule file with these tables says; YAML takes JSON."""
    text = json.dumps({**outer, "tables": tables})
    return compile_rules([RuleText("rules.yaml", text.encode())], last_built=Phase.DUAL_WRITE)


def rule_of(table: str, **settings: Any) -> TableRule:
    rules = rules_of({json.dumps(table, ensure_ascii=False): {"phase": "dual_write", **settings}})
    return next(iter(rules.tables.values()))


def attribute(
    number: int, name: str, type_oid: int, typmod: int = -1, *, not_null: bool = False
) -> Attribute:
    return Attribute(number, name, type_oid, typmod, not_null, has_default=False)


def relation(
    name: str, columns: Sequence[tuple[str, int]], *, key: Sequence[str] = (), oid: int = 5000, **more: Any
) -> Relation:
    """A table of schema public; `columns` are names and type oids."""
    attributes = tuple(
        attribute(number, column, type_oid, not_null=column in key)
        for number, (column, type_oid) in enumerate(columns, 1)
    )
    kind = more.pop("kind", "r")
    persistence = more.pop("persistence", "p")
    return Relation(oid, "public", name, kind, persistence, attributes, tuple(key), **more)


def record(*fields: tuple[int, bytes | None]) -> bytes:
    """What `record_send` writes."""
    parts = [struct.pack(">i", len(fields))]
    for oid, value in fields:
        parts.append(struct.pack(">Ii", oid, -1 if value is None else len(value)) + (value or b""))
    return b"".join(parts)


def int4(value: int) -> bytes:
    return struct.pack(">i", value)


def image(
    *row: tuple[int, bytes | None], tableoid: int = 5000, lsn: int | None = 0x123456, xid: int | None = 700
) -> bytes:
    """A record with the header of a captured row."""
    walfile = None if lsn is None else b"000000020000000000000001"
    return record(
        (26, struct.pack(">I", tableoid)),
        (3220, None if lsn is None else struct.pack(">Q", lsn)),
        (25, walfile),
        (5069, None if xid is None else struct.pack(">Q", xid)),
        (25, None),
        (25, None),
        (17, None),
        *row,
    )
