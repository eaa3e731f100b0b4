"""Rows of the catalogue into types and selections."""

from __future__ import annotations

from typing import Any

from proxy.catalog import assembly
from proxy.catalog.topology import Node, Topology
from proxy.mirror.effects import TableId


def type_row(oid: int, name: str, **more: Any) -> dict[str, Any]:
    plain = {
        "schema": "public", "kind": "b", "category": "U", "base": 0, "base_typmod": -1, "element": 0, "delimiter": ",",
        "labels": [], "field_names": [], "field_types": [], "sendable": True,
    }  # fmt: skip
    return {"oid": oid, "name": name, **plain, **more}


def test_a_domain_over_a_domain_knows_the_type_beneath_and_its_modifier() -> None:
    rows = [
        type_row(1, "numeric"),
        type_row(2, "price", kind="d", base=1, base_typmod=655366),
        type_row(3, "small", kind="d", base=2),
    ]
    types = assembly.types(rows)
    assert (types[3].base, types[3].base_typmod) == (1, 655366)
    assert (types[1].base, types[1].base_typmod) == (0, -1)


def test_what_has_a_part_that_cannot_be_sent_cannot_be_sent() -> None:
    rows = [
        type_row(1, "acl", sendable=False),
        type_row(2, "_acl", category="A", element=1),
        type_row(3, "dom", kind="d", base=2),
        type_row(4, "comp", kind="c", field_names=["a"], field_types=[3]),
        type_row(5, "fine", kind="c", field_names=["a"], field_types=[6]),
        type_row(6, "int4"),
    ]
    types = assembly.types(rows)
    assert {oid for oid, info in types.items() if info.sendable} == {5, 6}
    assert types[4].fields == (("a", 3),)


def test_a_selection_is_about_the_rules_alone() -> None:
    nodes = [
        Node(1, "public", "t", "r", "p", False, False),
        Node(2, "other", "t", "r", "p", False, False),
        Node(3, "public", "u", "r", "p", False, False),
    ]
    whole = Topology(150000, {one.oid: one for one in nodes})
    selection = assembly.select(whole, [TableId("public", "t"), TableId("public", "missing")])
    assert (selection.spliceable, selection.detailed, selection.relations) == ((1,), (1,), (1, 2))
    assert selection.by_name == {"t": (1, 2)}
