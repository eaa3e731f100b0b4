"""What is told of a difference: kind, columns, keys, values."""

from __future__ import annotations

from proxy.documents.mapping import Server, build_mapping
from proxy.mirror.tables import MirroredTable
from proxy.rulefiles.schema import Ignore
from proxy.shadow.compare import Comparison
from proxy.shadow.differing import differing, masked
from proxy.translate.api import OutputColumn
from tests.documents.made import relation, rule_of
from tests.support.capture import snapshot

ORDERS = relation("orders", [("id", 23), ("total", 23), ("note", 25)], key=("id",))
RULE = rule_of("orders")
TABLE = MirroredTable(
    "shop", ORDERS, RULE, build_mapping(ORDERS, RULE, {}, Server("shop")), snapshot([ORDERS])
)
ID, TOTAL, NOTE = (
    OutputColumn(name, oid, -1, ORDERS.oid, number)
    for number, (name, oid) in enumerate((("id", 23), ("total", 23), ("note", 25)), 1)
)


def test_rows_are_told_apart_by_their_keys() -> None:
    comparison = Comparison(
        [("1", "10", "a"), ("2", "20", "b"), ("3", "30", "c")],
        [("2", "21", "b"), ("1", "10", None), ("4", "40", "d")],
        6,
    )
    found = differing(comparison, (ID, TOTAL, NOTE), (TABLE,))
    assert found.kind == "rows"
    assert set(found.columns) == {"total", "note"}
    assert set(found.values) == {("note", "a", None), ("total", "20", "21")}
    assert {(one.key, one.kind) for one in found.keys} == {
        (("1",), "different"),
        (("2",), "different"),
        (("3",), "missing"),
        (("4",), "extra"),
    }


def test_without_keys_rows_are_paired_by_what_they_share() -> None:
    comparison = Comparison([("10", "a"), ("20", "b")], [("20", "x"), ("10", "y")], 4)
    found = differing(comparison, (TOTAL, NOTE), (TABLE,))
    assert found.columns == ("note",)
    assert set(found.values) == {("note", "a", "y"), ("note", "b", "x")}
    assert found.keys == ()


def test_lone_rows_and_orders_have_kinds_of_their_own() -> None:
    assert differing(Comparison([("1",)], [], 1), (ID,), (TABLE,)).kind == "missing"
    assert differing(Comparison([], [("1",)], 1), (ID,), (TABLE,)).kind == "extra"
    assert differing(Comparison(order=True), (ID,), (TABLE,)).kind == "order"


def test_ignored_columns_are_masked_where_they_are_the_tables_own() -> None:
    ignore = [(TABLE, Ignore(columns=("note",)))]
    computed = OutputColumn("note", 25)
    rows, which = masked([("1", "a", "b")], (ID, NOTE, computed), ignore)
    assert rows == [("1", None, "b")]
    assert which == ("public.orders.note",)
    assert masked([("1",)], (ID,), ignore) == ([("1",)], ())
