"""What a plan says of its statements, and for which texts it holds."""

from __future__ import annotations

import pytest

from proxy.mirror.effects import Cause
from proxy.sql.model import Verb
from tests.session.test_planner import planned
from tests.support.capture import ground, relation, snapshot


def test_statements_of_a_text_are_cut_out_with_their_splice() -> None:
    made = planned("SELECT 1; UPDATE orders SET total = 1 ; DELETE FROM orders")
    assert made.single(made.steps[0]) == "SELECT 1"
    assert made.single(made.steps[1]).startswith("UPDATE orders SET total = 1 RETURNING ")
    assert made.whole().count('record_send(ROW("orders".tableoid') == 2


def test_a_plan_serves_texts_of_its_shape() -> None:
    made = planned("UPDATE orders SET total = 1 WHERE id = 5 ;")
    assert made.shareable
    other = made.of("UPDATE orders SET total = 1000 WHERE id = 123456 ;")
    assert other.whole() == planned(other.text).whole()
    assert other.single(other.steps[0]) == planned(other.text).single(planned(other.text).steps[0])


@pytest.mark.parametrize(
    "text",
    ["UPDATE orders SET id = 1 WHERE id = 5", "SELECT 1; SELECT 2", "BEGIN", "/* 1 */ DELETE FROM orders"],
)
def test_plans_that_rest_on_constants_are_not_shared(text: str) -> None:
    assert not planned(text).shareable


def test_prepare_writes_nothing_and_says_what_execute_will() -> None:
    made = planned("PREPARE p AS UPDATE orders SET total = $1")
    step = made.steps[0]
    assert not step.writes
    assert not step.captured
    assert made.whole().startswith("PREPARE p AS UPDATE orders SET total = $1 RETURNING ")
    assert step.prepares is not None
    assert step.prepares.captured
    execute = planned("EXECUTE p(1)").steps[0].executing(made.steps[0].prepares, made.steps[0].prepares)
    assert execute.captured
    assert execute.verb is Verb.UPDATE
    late = planned("EXECUTE p(1)").steps[0].executing(made.steps[0].prepares, None)
    assert not late.captured
    assert [unseen.cause for unseen in late.unseen] == [Cause.UNPREPARED]


@pytest.mark.parametrize(
    "text", ["DECLARE c CURSOR FOR SELECT 1", "SET LOCAL x = 1", "LOCK TABLE orders", "VACUUM"]
)
def test_what_needs_the_implicit_block_of_a_simple_query_is_not_split(text: str) -> None:
    assert not planned(text).steps[0].splittable


def test_a_prepared_statement_run_out_of_sight() -> None:
    prepared = planned("PREPARE p AS DELETE FROM orders").steps[0]
    step = planned("EXPLAIN ANALYZE EXECUTE p").steps[0]
    assert step.runs == "p"
    assert [unseen.cause for unseen in step.hiding(prepared).unseen] == [Cause.CTE]
    assert step.hiding(planned("PREPARE q AS SELECT 1").steps[0]) is step


def test_a_partitioned_table_is_one_mirrored_table() -> None:
    parent = relation(1, "events", kind="p", children=(2, 3))
    base = ground(
        snapshot([parent, relation(2, "e1"), relation(3, "e2"), relation(4, "orders")]), mirrored=(1, 4)
    )
    assert len(base.tables) == 4
    assert [table.name for table in base.mirrored] == ["events", "orders"]
