"""Partitions with columns in another order than their root's."""

from __future__ import annotations

import pytest

from proxy.catalog.model import Attribute
from proxy.catalog.partitions import differing_partitions
from proxy.catalog.preflight import Outcome, preflight
from proxy.mirror.effects import TableId
from tests.catalog.made import INT4, TEXT, attribute, relation, snapshot
from tests.catalog.test_changes import MadeRule

ROOT = (attribute(1, "id"), attribute(2, "a", TEXT), attribute(3, "b", TEXT), attribute(4, "n", INT4))


@pytest.mark.parametrize(
    ("columns", "differs"),
    [
        (ROOT, False),
        ((ROOT[0], attribute(5, "a", TEXT), attribute(7, "b", TEXT), attribute(9, "n")), False),
        ((ROOT[0], attribute(2, "b", TEXT), attribute(3, "a", TEXT), ROOT[3]), True),
        ((attribute(1, "n"), ROOT[1], ROOT[2], attribute(4, "id")), True),
        ((ROOT[0], ROOT[1], attribute(3, "n"), attribute(4, "b", TEXT)), True),
        ((), False),
    ],
)
def test_columns_in_another_order(columns: tuple[Attribute, ...], differs: bool) -> None:
    root = relation(1, "t", *ROOT, kind="p", children=(2,))
    catalogue = snapshot(root, relation(2, "t_1", *columns, root=1))
    assert bool(differing_partitions(catalogue, root)) is differs
    (report,) = preflight(catalogue, {TableId("public", "t"): MadeRule()})
    assert (report.outcome is Outcome.WARNING) is differs


def test_inheritance_children_are_not_partitions() -> None:
    parent = relation(1, "t", *ROOT, children=(2,))
    child = relation(2, "c", ROOT[0], attribute(2, "b", TEXT), attribute(3, "a", TEXT), ROOT[3], parents=(1,))
    assert differing_partitions(snapshot(parent, child), parent) == ()
