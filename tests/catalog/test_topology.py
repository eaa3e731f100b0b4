"""Families of tables."""

from __future__ import annotations

from proxy.catalog.topology import Family, Node, Topology


def node(oid: int, kind: str = "r", partition: bool = False) -> Node:
    return Node(oid, "public", f"t{oid}", kind, "p", False, partition)


def test_family() -> None:
    nodes = [node(1, "p"), node(2, "p", True), node(3, "r", True), node(4), node(5), node(6)]
    family = Family(
        Topology(150000, {one.oid: one for one in nodes}, {2: (1,), 3: (2,), 5: (4,), 6: (4, 5), 9: (1,)})
    )
    assert family.descendants(1) == (2, 3)
    assert family.descendants(3) == ()
    assert family.ancestors(6) == (4, 5)
    assert family.partitioned_ancestors(3) == (1, 2)
    assert family.partitioned_ancestors(6) == ()
    assert [family.root(oid) for oid in (1, 2, 3, 6, 77)] == [0, 1, 1, 0, 0]


def test_a_partition_that_is_being_detached_has_no_root() -> None:
    assert Family(Topology(150000, {1: node(1, "r", True)})).root(1) == 0


def test_names_as_people_write_them() -> None:
    assert str(Node(1, "S", 'a"b', "r", "p", False, False)) == '"S"."a""b"'
