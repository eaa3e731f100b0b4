"""The pre-flight: what would be mirrored of each table, and what keeps the others from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devstack.postgres import PostgresServer
from proxy.addresses import Upstream
from proxy.catalog.model import Reach, SideEffect
from proxy.check import check
from proxy.check_tables import check_tables, describe, without_predefined
from proxy.config import Settings
from proxy.finding import Finding, failed
from proxy.mirror.effects import Cause, TableId
from proxy.mirror.tables import Surroundings, TableBook
from proxy.phases import Phase
from proxy.rules import load_rules
from proxy.sql.model import Verb
from tests.catalog.made import INT4, NUMERIC, TEXT, attribute, relation, snapshot
from tests.rulefiles.texts import rules

GIVEN = Surroundings(store=True, spool=True, control_dsn=True)
ORDERS = relation(1001, "orders", attribute(1, "id", INT4), attribute(2, "note", TEXT))


def described(text: str, *, surroundings: Surroundings = GIVEN, **tables: Any) -> list[tuple[str, str, str]]:
    """(target, outcome, detail) of what is found for rules, with snapshots of the databases given."""
    book = TableBook(rules(text), tables, surroundings, last_built=Phase.DUAL_WRITE)
    return [(found.target, found.outcome, found.detail) for found in describe(book, tables)]


def test_what_holds_a_table_is_a_failure_with_every_reason() -> None:
    without = Surroundings(store=False, spool=False, control_dsn=True)
    found = described(
        "database: shop\ntables: {orders: {phase: dual_write}}", surroundings=without, shop=snapshot(ORDERS)
    )
    assert {target for target, _, _ in found} == {"shop.public.orders"}
    text = " ".join(detail for _, outcome, detail in found if outcome == "failed")
    assert "no `store` is given" in text
    assert "needs a `spool`" in text


def test_a_table_that_stays_in_passthrough_is_not_looked_at() -> None:
    assert described("database: shop\ntables: {gone: {phase: passthrough}}", shop=snapshot(ORDERS)) == []


def test_a_rule_for_every_database_needs_the_table_in_one_of_them() -> None:
    both: dict[str, Any] = {"shop": snapshot(ORDERS), "postgres": snapshot()}
    assert "failed" not in {
        outcome for _, outcome, _ in described("tables: {orders: {phase: dual_write}}", **both)
    }
    assert described("tables: {gone: {phase: dual_write}}", **both) == [
        ("public.gone", "failed", "no database that was looked at has this table")
    ]


def test_a_database_that_cannot_be_read_fails_its_tables() -> None:
    away = Surroundings(
        store=True, spool=True, control_dsn=True, catalogue_errors={"shop": "no such database"}
    )
    found = described("database: shop\ntables: {orders: {phase: dual_write}}", surroundings=away)
    assert found == [("shop.public.orders", "failed", "no such database")]


def test_what_is_captured_and_what_is_not_is_told_of_a_table_that_can_be_mirrored() -> None:
    audit = SideEffect(1001, Cause.TRIGGER, Reach.TABLE, detail="trigger audit")
    seen = snapshot(
        ORDERS, side_effects={(1001, Verb.INSERT): (audit,)}, unreadable={"clerk": {1001: "no SELECT"}}
    )
    found = described("database: shop\ntables: {orders: {phase: dual_write}}", shop=seen)
    outcomes = {detail.partition(":")[0]: outcome for _, outcome, detail in found}
    assert outcomes["capture"] == "ok"
    assert (outcomes["trigger"], outcomes["privilege"]) == ("warning", "warning")


def test_of_a_table_whose_rows_cannot_be_documents_nothing_is_captured() -> None:
    wide = relation(
        1001, "orders", attribute(1, "id", INT4), attribute(2, "total", NUMERIC, typmod=(40 << 16) + 4)
    )
    found = described("database: shop\ntables: {orders: {phase: dual_write}}", shop=snapshot(wide))
    assert [(outcome, "total" in detail) for _, outcome, detail in found] == [("failed", True)]


def test_roles_nobody_connects_as_are_left_out() -> None:
    seen = snapshot(ORDERS, unreadable={"clerk": {1001: "x"}, "pg_write_all_data": {1001: "x"}})
    assert without_predefined(seen).unreadable == {"clerk": {1001: "x"}}


def test_rows_that_cannot_be_read_again_are_a_warning() -> None:
    shop = snapshot(ORDERS)
    ruled = rules("database: shop\ntables: {orders: {phase: dual_write}}")
    book = TableBook(ruled, {"shop": shop}, GIVEN, last_built=Phase.DUAL_WRITE)
    closed = {("shop", TableId("public", "orders")): "permission denied"}
    told = [found.detail for found in describe(book, {"shop": shop}, closed) if found.outcome == "warning"]
    assert ["permission denied" in detail for detail in told] == [True]


def test_columns_that_rules_name_and_tables_lack_are_a_warning() -> None:
    found = described(
        "database: shop\ntables: {orders: {phase: dual_write, exclude: [notes]}}", shop=snapshot(ORDERS)
    )
    assert [
        (outcome, "no such column" in detail) for _, outcome, detail in found if outcome == "warning"
    ] == [("warning", True)]


def settings(tmp_path: Path, text: str, **values: Any) -> Settings:
    (tmp_path / "rules.yaml").write_text(text)
    return Settings.model_validate(
        {
            "upstream": Upstream(()),
            "listen": "127.0.0.1:0",
            "admin": "off",
            "rules": str(tmp_path / "rules.yaml"),
            **values,
        }
    )


async def test_without_a_control_connection_nothing_can_be_told(tmp_path: Path) -> None:
    async def checked(text: str) -> list[Finding]:
        return [found async for found in check(settings(tmp_path, text)) if found.subject == "table"]

    found = await checked("tables: {orders: {phase: dual_write}}")
    assert [(one.outcome, "control_dsn" in one.detail) for one in found] == [("skipped", True)]
    assert await checked("tables: {orders: {phase: passthrough}}") == []


@pytest.mark.integration
async def test_a_real_source_is_looked_at(tmp_path: Path, postgres: PostgresServer, database: str) -> None:
    postgres.psql(
        "CREATE TABLE orders (id int PRIMARY KEY, note text);"
        "CREATE TABLE keyless (note text);"
        "CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY);"
        f"CREATE ROLE {database}_clerk LOGIN; GRANT INSERT ON orders TO {database}_clerk;"
        f"CREATE ROLE {database}_idle LOGIN",
        database,
    )
    given = settings(
        tmp_path,
        f"database: {database}\ndefaults: {{phase: dual_write}}\ntables: {{orders: , keyless: , fleeting: , gone: }}\n",
        control_dsn=postgres.dsn(database),
        store="mongodb://127.0.0.1:1",
        spool=str(tmp_path),
    )
    assert given.rules is not None
    found = [one async for one in check_tables(given, load_rules(given.rules))]
    outcomes = {one.target.rpartition(".")[2]: one.outcome for one in found if one.outcome == "failed"}
    assert outcomes == {"keyless": "failed", "fleeting": "failed", "gone": "failed"}
    assert failed(found)
    details = " ".join(one.detail for one in found)
    assert "no primary key" in details
    assert "unlogged" in details
    assert f"the table is not in database {database}" in details
    warned = [one.detail for one in found if one.outcome == "warning"]
    assert [f"{database}_clerk" in detail and f"{database}_idle" not in detail for detail in warned] == [True]
    postgres.psql(f"DROP OWNED BY {database}_clerk; DROP ROLE {database}_clerk, {database}_idle", database)
