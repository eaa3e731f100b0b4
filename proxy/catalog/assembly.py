"""From rows of the catalogue to a `Topology` and a `Snapshot`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from proxy.catalog.function_source import read_function
from proxy.catalog.language import Traits, traits
from proxy.catalog.model import Attribute, ForeignKey, Relation, TypeInfo
from proxy.catalog.side_effects import Effects, side_effects
from proxy.catalog.topology import Family, Function, Node, Rule, Topology, Trigger
from proxy.mirror.effects import TableId
from proxy.sql.model import Verb


class Row(Protocol):
    """One row of a query's answer."""

    def __getitem__(self, column: str, /) -> Any: ...


Rows = Sequence[Row]

_TRIGGER_ROW = 1
_TRIGGER_VERBS = ((4, Verb.INSERT), (8, Verb.DELETE), (16, Verb.UPDATE))
_TRIGGER_TRUNCATE = 32
_RULE_EVENTS = {"1": None, "2": Verb.UPDATE, "3": Verb.INSERT, "4": Verb.DELETE}


def topology(
    server_version: int,
    *,
    nodes: Rows,
    inherits: Rows,
    foreign_keys: Rows,
    triggers: Rows,
    functions: Rows,
    rules: Rows,
    uses: Rows,
) -> Topology:
    """Each argument is what the query of its name in `queries` gives."""
    return Topology(
        server_version,
        nodes={
            row["oid"]: Node(
                row["oid"],
                row["schema"],
                row["name"],
                row["kind"],
                row["persistence"],
                row["row_security"],
                row["partition"],
            )
            for row in nodes
        },
        inherits={row["child"]: tuple(row["parents"]) for row in inherits},
        foreign_keys=tuple(
            ForeignKey(
                row["name"],
                row["parent"],
                row["child"],
                tuple(row["parent_columns"]),
                tuple(row["child_columns"]),
                row["on_delete"],
                row["on_update"],
            )
            for row in foreign_keys
        ),
        triggers=tuple(_trigger(row) for row in triggers),
        functions={
            row["oid"]: Function(
                row["oid"],
                row["schema"],
                row["name"],
                read_function(row["language"], row["source"] or "", volatile=row["volatile"]),
                row["callable"],
            )
            for row in functions
        },
        rules=tuple(
            Rule(
                row["relation"],
                row["name"],
                _RULE_EVENTS[row["event"]],
                tuple(row["relations"]),
                tuple(row["functions"]),
            )
            for row in rules
        ),
        uses=tuple((row["relation"], row["function"]) for row in uses),
    )


def _trigger(row: Row) -> Trigger:
    bits = row["bits"]
    return Trigger(
        row["relation"],
        row["name"],
        bool(bits & _TRIGGER_ROW),
        frozenset(verb for bit, verb in _TRIGGER_VERBS if bits & bit),
        bool(bits & _TRIGGER_TRUNCATE),
        row["function"],
    )


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a topology a snapshot is about."""

    spliceable: tuple[int, ...]
    """Tables whose rows RETURNING may be asked for: ruled ones, their families, and those that foreign keys follow."""
    detailed: tuple[int, ...]
    """Those whose columns are needed."""
    relations: tuple[int, ...]
    """Those and all that share a name with one of them."""
    effects: Effects
    truncates: Mapping[int, tuple[int, ...]]
    """Of `effects`, without tables that no rule is about."""
    by_name: Mapping[str, tuple[int, ...]]


def select(whole: Topology, names: Iterable[TableId]) -> Selection:
    """Find the tables named and everything that bears on them."""
    wanted = frozenset(names)
    family = Family(whole)
    ruled = sorted(node.oid for node in whole.nodes.values() if node.id in wanted)
    effects = side_effects(whole, ruled)
    detailed = set(ruled) | effects.relations()
    for oid in ruled:
        detailed |= {*family.descendants(oid), *family.ancestors(oid)}
    detailed &= whole.nodes.keys()
    labels = {whole.nodes[oid].name for oid in detailed} | {table.name for table in wanted}
    by_name: dict[str, list[int]] = {}
    for node in sorted(whole.nodes.values(), key=lambda node: node.oid):
        if node.name in labels:
            by_name.setdefault(node.name, []).append(node.oid)
    return Selection(
        tuple(sorted(oid for oid in detailed if whole.nodes[oid].kind in ("r", "p"))),
        tuple(sorted(detailed)),
        tuple(sorted(oid for oids in by_name.values() for oid in oids)),
        effects,
        MappingProxyType(
            {
                oid: tuple(one for one in emptied if one in detailed)
                for oid, emptied in effects.truncates.items()
            }
        ),
        MappingProxyType({name: tuple(oids) for name, oids in by_name.items()}),
    )


def _traits(row: Row, default: Traits | None) -> Traits | None:
    if not row["collation"]:
        return None
    if row["provider"] == "d":
        return default
    return traits(row["provider"], row["sorting"] or "", row["ctype"] or "", row["deterministic"])


def relations(
    whole: Topology, selection: Selection, *, attributes: Rows, keys: Rows, default: Traits | None = None
) -> Mapping[int, Relation]:
    family = Family(whole)
    columns: dict[int, list[Attribute]] = {}
    for row in attributes:
        columns.setdefault(row["relation"], []).append(
            Attribute(
                row["number"],
                row["name"],
                row["type"],
                row["typmod"],
                row["not_null"],
                row["has_default"],
                row["generated"],
                row["identity"],
                row["collation"],
                _traits(row, default),
            )
        )
    primary: dict[int, tuple[str, ...]] = {}
    unique: dict[int, list[tuple[str, ...]]] = {}
    for row in keys:
        if row["is_primary"]:
            primary[row["relation"]] = tuple(row["columns"])
        if row["identifies"]:
            unique.setdefault(row["relation"], []).append(tuple(row["columns"]))
    ruled_over = {rule.relation for rule in whole.rules if rule.verb is not None}
    found = {}
    for oid in selection.relations:
        node = whole.nodes[oid]
        found[oid] = Relation(
            oid,
            node.schema,
            node.name,
            node.kind,
            node.persistence,
            tuple(columns.get(oid, ())),
            primary.get(oid, ()),
            tuple(unique.get(oid, ())),
            family.root(oid),
            () if node.partition else family.ancestors(oid),
            family.descendants(oid),
            node.row_security,
            oid in ruled_over,
        )
    return MappingProxyType(found)


def types(rows: Rows) -> Mapping[int, TypeInfo]:
    by_oid = {row["oid"]: row for row in rows}

    def base(oid: int, typmod: int) -> tuple[int, int]:
        row = by_oid[oid]
        return base(row["base"], row["base_typmod"]) if row["kind"] == "d" else (oid, typmod)

    def sendable(oid: int) -> bool:
        row = by_oid.get(oid)
        if row is None or not row["sendable"]:
            return False
        parts = [*([row["base"]] if row["base"] else []), *([row["element"]] if row["element"] else [])]
        return all(sendable(part) for part in [*parts, *row["field_types"]])

    found = {}
    for row in rows:
        beneath, typmod = base(row["oid"], -1)
        domain = row["kind"] == "d"
        found[row["oid"]] = TypeInfo(
            row["oid"],
            row["schema"],
            row["name"],
            row["kind"],
            row["category"],
            beneath if domain else 0,
            typmod if domain else -1,
            row["element"],
            row["delimiter"],
            tuple(row["labels"]),
            tuple(zip(row["field_names"], row["field_types"], strict=True)),
            sendable(row["oid"]),
        )
    return MappingProxyType(found)
