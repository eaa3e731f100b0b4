"""Which statements are spliced, and what is known to go unseen of the others."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.catalog.model import ForeignKey, Reach, SideEffect
from proxy.mirror.effects import Cause, TableId
from proxy.session.plan import Ground, Identity, Plan
from proxy.session.planner import plan, unparsed
from proxy.sql.analysis import analyse
from proxy.sql.model import Verb
from tests.support.capture import SHOP, ground, relation, snapshot

ANN = Identity(frozenset({"ann"}), True, ("public",))
ITEMS, LOG, VIEW, OTHER = 16385, 16386, 16387, 16388


def planned(text: str, base: Ground | None = None, identity: Identity = ANN) -> Plan:
    return plan(text, analyse(text), base or ground(), identity)


def causes(made: Plan) -> list[str]:
    return [unseen.cause.value for step in made.steps for unseen in step.unseen]


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO orders VALUES (1)",
        "insert into public.orders (id) select 1",
        "UPDATE orders AS o SET total = 1 FROM x WHERE x.id = o.id",
        "DELETE FROM ONLY orders o USING x WHERE x.id = o.id;  ",
        "INSERT INTO orders VALUES (1) ON CONFLICT (id) DO UPDATE SET total = 2",
    ],
)
def test_writes_are_spliced_at_their_end(text: str) -> None:
    made = planned(text)
    step = made.steps[0]
    assert step.captured
    assert step.strict
    assert made.whole().startswith(text.rstrip("; "))
    assert " RETURNING pg_catalog.record_send(ROW(" in made.whole()
    assert causes(made) == []


def test_the_clients_own_list_is_kept() -> None:
    made = planned("DELETE FROM orders RETURNING id;")
    assert made.steps[0].returning
    assert made.whole().startswith("DELETE FROM orders RETURNING id, pg_catalog.record_send(ROW(")
    assert made.whole().endswith(";")


@pytest.mark.parametrize(
    "text", ["SELECT * FROM orders", "UPDATE other SET x = 1", "EXPLAIN UPDATE orders SET total = 1"]
)
def test_what_writes_nothing_mirrored_is_left_alone(text: str) -> None:
    made = planned(text)
    assert not made.writes
    assert not made.matters
    assert made.whole() == text


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("WITH x AS (DELETE FROM orders RETURNING *) SELECT * FROM x", "cte"),
        ("EXPLAIN ANALYZE DELETE FROM orders", "cte"),
        ("COPY (DELETE FROM orders RETURNING id) TO STDOUT", "cte"),
        ("DO $$ begin delete from orders; end $$", "function"),
        ("DO $$ begin execute 'dele' || 'te'; end $$", "function"),
        ("COPY orders (total) FROM STDIN", "copy"),
        ("COPY orders FROM '/tmp/x'", "copy"),
        ("SELECT refund(1)", "function"),
        ("CALL refund(1)", "function"),
    ],
)
def test_what_cannot_be_seen_is_known(text: str, cause: str) -> None:
    effect = SideEffect(SHOP, Cause.FUNCTION, Reach.TABLE)
    base = ground(snapshot([relation(SHOP, "orders")], functions={"refund": (effect,)}))
    made = planned(text, base)
    assert causes(made) == [cause]
    assert not made.spliced
    assert made.steps[0].strict


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"kind": "v"}, "rule"),
        ({"kind": "f"}, "unresolved"),
        ({"has_rules": True}, "rule"),
    ],
)
def test_the_splice_never_meets_what_it_would_break(change: dict[str, Any], cause: str) -> None:
    base = ground(snapshot([relation(SHOP, "orders", **change)]))
    made = planned("UPDATE orders SET total = 1", base)
    assert not made.spliced
    assert causes(made) == [cause]


def test_a_role_that_may_not_select_is_a_gap() -> None:
    base = ground(snapshot([relation(SHOP, "orders")], unreadable={"ann": {SHOP: "no SELECT"}, "bob": {}}))
    assert causes(planned("UPDATE orders SET total = 1", base)) == ["privilege"]
    bob = Identity(frozenset({"bob"}), True, None)
    assert planned("UPDATE orders SET total = 1", base, bob).spliced
    both = Identity(frozenset({"ann", "bob"}), True, None)
    assert causes(planned("UPDATE orders SET total = 1", base, both)) == ["privilege"]
    for unknown in (Identity(frozenset({"eve"}), True, None), Identity(frozenset({"bob"}), False, None)):
        assert causes(planned("UPDATE orders SET total = 1", base, unknown)) == ["privilege"]


def test_text_in_another_encoding_is_a_gap() -> None:
    latin = Identity(frozenset({"ann"}), True, None, utf8=False)
    assert causes(planned("UPDATE orders SET total = 1", identity=latin)) == ["unresolved"]


def test_a_name_that_may_mean_a_view_elsewhere() -> None:
    view = relation(VIEW, "orders", schema="reports", kind="v")
    base = ground(snapshot([relation(SHOP, "orders"), view]))
    nowhere = Identity(frozenset({"ann"}), True, None)
    assert causes(planned("DELETE FROM orders", base, nowhere)) == ["rule"]
    assert planned("DELETE FROM public.orders", base, nowhere).spliced
    assert planned(
        "DELETE FROM orders", base, Identity(frozenset({"ann"}), True, ("public", "reports"))
    ).spliced
    assert not planned("DELETE FROM orders", base, Identity(frozenset({"ann"}), True, ("reports",))).writes


def test_a_key_change_needs_the_old_row() -> None:
    old = ground(snapshot([relation(SHOP, "orders")], server_version=180000))
    made = planned("UPDATE orders SET id = id + 1", old)
    assert "ROW(old.*)" in made.whole()
    assert causes(made) == []
    assert causes(planned("UPDATE orders SET id = id + 1")) == ["key_change"]
    pinned = planned("UPDATE orders SET id = $1 WHERE id = $2")
    assert causes(pinned) == []
    assert [pin.columns for pin in pinned.steps[0].pins] == [("id",)]
    assert "old" not in planned("UPDATE orders SET total = 2", old).whole()


def cascade(on_update: str = "a") -> Ground:
    key = ForeignKey("items_order", SHOP, ITEMS, ("id",), ("order_id",), "c", on_update)
    effect = SideEffect(ITEMS, Cause.CASCADE, Reach.ROWS, key, "items_order")
    effects = {(SHOP, Verb.DELETE): (effect,)}
    if on_update == "c":
        effects[SHOP, Verb.UPDATE] = (effect,)
    tables = [relation(SHOP, "orders"), relation(ITEMS, "items", "id order_id")]
    return ground(snapshot(tables, side_effects=effects), mirrored=(ITEMS,))


def test_a_delete_that_cascades_is_captured_even_where_its_own_table_is_not_mirrored() -> None:
    made = planned("DELETE FROM orders WHERE id = 1", cascade())
    assert made.steps[0].captured
    assert made.steps[0].strict
    assert made.steps[0].tables == (TableId("public", "items"),)
    assert causes(made) == []
    assert not planned("INSERT INTO orders VALUES (1)", cascade()).writes


def test_an_update_that_cascades_needs_the_old_row() -> None:
    assert causes(planned("UPDATE orders SET id = 2", cascade("c"))) == ["cascade"]
    assert causes(planned("UPDATE orders SET total = 2", cascade("c"))) == []


def test_triggers_of_a_table_are_side_effects() -> None:
    effect = SideEffect(SHOP, Cause.TRIGGER, Reach.TABLE, None, "audit")
    picture = snapshot(
        [relation(SHOP, "orders"), relation(LOG, "log")], side_effects={(LOG, Verb.INSERT): (effect,)}
    )
    made = planned("INSERT INTO log VALUES (1)", ground(picture))
    assert causes(made) == ["trigger"]


def test_a_partition_with_its_columns_in_another_order() -> None:
    root = relation(SHOP, "orders", kind="p", children=(ITEMS, LOG))
    same = relation(ITEMS, "orders_1", root=SHOP)
    other = relation(LOG, "orders_2", "total id note", root=SHOP)
    base = ground(snapshot([root, same, other]))
    assert planned("INSERT INTO orders_1 VALUES (1)", base).spliced
    assert causes(planned("INSERT INTO orders_2 VALUES (1)", base)) == ["inheritance"]


def test_rows_of_a_child_table_written_through_its_parent() -> None:
    parent = relation(SHOP, "orders", children=(ITEMS,))
    child = relation(ITEMS, "items", parents=(SHOP,))
    base = ground(snapshot([parent, child]), mirrored=(SHOP, ITEMS))
    assert causes(planned("UPDATE orders SET total = 1", base)) == ["inheritance"]
    assert causes(planned("UPDATE ONLY orders SET total = 1", base)) == []
    assert causes(planned("INSERT INTO orders VALUES (1)", base)) == []


def test_rows_of_a_mirrored_table_written_through_a_parent_that_is_not() -> None:
    parent = relation(SHOP, "orders", children=(ITEMS,))
    child = relation(ITEMS, "items", "id total note extra", parents=(SHOP,))
    made = planned("UPDATE orders SET total = 1", ground(snapshot([parent, child]), mirrored=(ITEMS,)))
    assert causes(made) == ["inheritance"]
    # Images of the parent's shape would not be the child's rows.
    assert not made.spliced


def test_truncate_is_mirrored_with_what_it_cascades_to() -> None:
    tables = [relation(SHOP, "orders"), relation(ITEMS, "items")]
    base = ground(snapshot(tables, truncates={SHOP: (ITEMS,)}), mirrored=(SHOP, ITEMS))
    assert planned("TRUNCATE orders", base).steps[0].truncates == (TableId("public", "orders"),)
    assert set(planned("TRUNCATE orders CASCADE", base).steps[0].truncates) == {
        TableId("public", "orders"),
        TableId("public", "items"),
    }
    assert not planned("TRUNCATE other", base).writes


def test_one_truncated_partition_is_a_gap() -> None:
    root = relation(SHOP, "orders", kind="p", children=(ITEMS,))
    base = ground(snapshot([root, relation(ITEMS, "orders_1", root=SHOP)]))
    assert causes(planned("TRUNCATE orders_1", base)) == ["truncate"]
    assert planned("TRUNCATE orders", base).steps[0].truncates == (TableId("public", "orders"),)


def test_copy_knows_where_its_keys_stand() -> None:
    copy = planned("COPY orders (total, id) FROM STDIN").steps[0].copy
    assert copy is not None
    assert (copy.key, copy.positions, copy.types) == (("id",), (1,), (23,))
    everything = planned("COPY orders FROM STDIN (FORMAT csv)").steps[0].copy
    assert everything is not None
    assert everything.positions == (0,)


def test_acknowledgement_is_the_longest_wait_of_the_tables() -> None:
    assert planned("DELETE FROM orders", ground(ack=0.5)).steps[0].ack_timeout == 0.5
    assert planned("DELETE FROM orders").steps[0].ack_timeout is None


def test_a_text_that_cannot_be_parsed_concerns_the_tables_it_names() -> None:
    assert [u.table.name for u in unparsed("UPSERT INTO Orders", ground())] == ["orders"]
    assert unparsed("UPSERT INTO other", ground()) == ()


def test_merge_returns_rows_since_17() -> None:
    text = "MERGE INTO orders USING s ON s.id = orders.id WHEN MATCHED THEN UPDATE SET total = 1"
    assert causes(planned(text)) == ["unresolved"]
    made = planned(text, ground(snapshot([relation(SHOP, "orders")], server_version=170000)))
    assert "MERGE_ACTION()" in made.whole()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT set_config('search_path', '', false)", {"search_path"}),
        ("SELECT set_config('role', $1, true)", {"role"}),
        ("SELECT set_config($1, $2, true)", {"role", "search_path"}),
        ("SELECT set_config('app.user', $1, true)", set()),
        ("UPDATE pg_settings SET setting = 'x' WHERE name = 'role'", {"role"}),
    ],
)
def test_settings_changed_by_functions(text: str, names: set[str]) -> None:
    made = planned(text)
    assert made.steps[0].configures == names
    assert made.matters is bool(names)


def test_schemas_the_role_may_not_use_are_passed_over() -> None:
    view = relation(VIEW, "orders", schema="reports", kind="v")
    base = ground(snapshot([relation(SHOP, "orders"), view], unusable={"ann": frozenset({"reports"})}))
    path = Identity(frozenset({"ann"}), True, ("reports", "public"))
    assert planned("DELETE FROM orders", base, path).spliced


def test_a_trigger_on_truncate() -> None:
    effect = SideEffect(SHOP, Cause.TRIGGER, Reach.TABLE, None, "audit")
    picture = snapshot([relation(SHOP, "orders"), relation(LOG, "log")], truncate_effects={LOG: (effect,)})
    assert causes(planned("TRUNCATE log", ground(picture))) == ["trigger"]


def test_truncate_only_leaves_children_alone() -> None:
    parent = relation(SHOP, "orders", children=(ITEMS,))
    base = ground(snapshot([parent, relation(ITEMS, "items", parents=(SHOP,))]), mirrored=(SHOP, ITEMS))
    assert planned("TRUNCATE ONLY orders", base).steps[0].truncates == (TableId("public", "orders"),)
    assert len(planned("TRUNCATE orders", base).steps[0].truncates) == 2


@pytest.mark.parametrize("text", ['upsert "ORD""ers"', 'upsert U&"\\006frders"', "upsert orders"])
def test_any_way_to_write_a_name(text: str) -> None:
    quoted = ground(snapshot([relation(SHOP, 'ORD"ers' if '""' in text else "orders")]))
    assert len(unparsed(text, quoted)) == 1


def test_later_statements_of_a_text_are_planned_for_what_earlier_ones_set() -> None:
    made = planned("SET ROLE bob; DELETE FROM orders; SELECT set_config('search_path', '', false)")
    assert causes(made) == ["privilege"]
    other = relation(ITEMS, "orders", schema="other")
    two = ground(snapshot([relation(SHOP, "orders"), other]))
    assert not planned("DELETE FROM other.orders", two).writes
    elsewhere = Identity(frozenset({"ann"}), True, ("other",))
    assert not planned("DELETE FROM orders", two, elsewhere).writes
    assert planned("SET search_path = public; DELETE FROM orders", two, elsewhere).writes
    assert planned(
        "SELECT set_config('search_path', 'public', true); DELETE FROM orders", two, elsewhere
    ).writes
