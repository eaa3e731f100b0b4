"""Reads of chosen tables alone, and which sessions may have them of the store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proxy.catalog.model import Relation
from proxy.mirror.tables import OPEN, Closed, Surroundings, Switchboard, TableBook
from proxy.names import TableName
from proxy.phases import Phase
from proxy.session.plan import Identity
from proxy.session.reads import relations_read, tables_from, unfit
from proxy.sql.analysis import analyse
from tests.catalog import made
from tests.documents.made import rules_of
from tests.support.capture import relation, snapshot

ANN = Identity(frozenset({"ann"}), roles_known=True, path=("public",))
RELATIONS = (
    relation(1, "a"),
    relation(2, "b"),
    relation(3, "c"),
    relation(4, "v", kind="v"),
    relation(5, "a", schema="second"),
)
CHOSEN = (1, 2)


def read(text: str, identity: Identity = ANN) -> tuple[Relation, ...] | None:
    return relations_read(analyse(text), snapshot(RELATIONS), identity, CHOSEN)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM a",
        "TABLE a",
        "WITH w AS (SELECT * FROM a) SELECT * FROM w",
        "(SELECT id FROM public.a)",
        "SELECT * FROM a WHERE id = $1;",
        "VALUES ((SELECT max(id) FROM a))",
    ],
)
def test_every_way_to_read_is_one(text: str) -> None:
    assert read(text) == (RELATIONS[0],)


def test_relations_come_in_the_order_of_their_names() -> None:
    assert read("SELECT * FROM b, a") == read("SELECT * FROM a JOIN b USING (id)") == RELATIONS[:2]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT * FROM c",
        "SELECT * FROM a, c",
        "SELECT * FROM a WHERE id IN (SELECT id FROM c)",
        "SELECT * FROM v",
        "SELECT * FROM elsewhere",
        "SELECT * FROM other.a",
        "SELECT * FROM second.a",
        "SELECT * FROM a; SELECT * FROM a",
        "EXPLAIN SELECT * FROM a",
        "DECLARE d CURSOR FOR SELECT * FROM a",
        "FETCH d",
        "COPY a TO STDOUT",
        "COPY (SELECT * FROM a) TO STDOUT",
        "UPDATE a SET total = 1",
        "WITH w AS (DELETE FROM a RETURNING id) SELECT * FROM w",
        "WITH w AS (DELETE FROM b RETURNING id) SELECT * FROM w, a",
        "SELECT * INTO d FROM a",
        "CREATE TABLE d AS SELECT * FROM a",
        "PREPARE q AS SELECT * FROM a",
        "EXECUTE q",
        "",
    ],
)
def test_other_texts_are_none(text: str) -> None:
    assert read(text) is None


def test_a_name_means_what_the_sessions_path_says() -> None:
    assert read("SELECT * FROM a", replace(ANN, path=("second", "public"))) is None
    assert read("SELECT * FROM a", replace(ANN, path=("elsewhere", "public"))) == RELATIONS[:1]
    assert read("SELECT * FROM a", replace(ANN, path=None)) is None


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        (ANN, ""),
        (replace(ANN, path=None), "the session's search_path is not known"),
        (replace(ANN, utf8=False), "client_encoding is not UTF8"),
        (replace(ANN, roles_known=False), "the session's role is not known"),
        (replace(ANN, roles=frozenset({"ann", "bob"})), "the session's role is not known"),
        (replace(ANN, roles=frozenset({"bob"})), "the privileges of the session's role are not known"),
    ],
)
def test_a_session_that_is_not_known_well_enough(identity: Identity, reason: str) -> None:
    assert unfit(snapshot(RELATIONS), identity, RELATIONS[:1], one_role=True) == reason


def test_a_role_must_see_every_row_and_column_of_what_is_read() -> None:
    def why(**invisible: frozenset[int]) -> str:
        return unfit(snapshot(RELATIONS, invisible=invisible), ANN, RELATIONS[:1], one_role=True)

    assert why(ann=frozenset({2}), bob=frozenset({1})) == ""
    assert "every row and column" in why(ann=frozenset({1, 2}))


def test_of_several_roles_each_must() -> None:
    both = replace(ANN, roles=frozenset({"ann", "bob"}))

    def why(**more: object) -> str:
        return unfit(snapshot(RELATIONS, **more), both, RELATIONS[:1], one_role=False)

    readable: dict[str, dict[int, str]] = {"ann": {}, "bob": {}}
    assert why(unreadable=readable) == ""
    assert "privileges" in why(unreadable={"ann": {}})
    assert "every row" in why(unreadable=readable, invisible={"bob": frozenset({1})})


PARTITIONED: dict[str, Any] = {"kind": "p", "children": (2,)}
PICTURE = made.snapshot(
    *(
        made.relation(oid, name, made.attribute(1, "id", not_null=True), primary_key=("id",), **more)
        for oid, name, more in [
            (1, "orders", PARTITIONED),
            (2, "orders_1", {"root": 1}),
            (3, "lines", {}),
            (4, "notes", {}),
        ]
    )
)


def test_tables_from_a_phase_on_with_their_partitions() -> None:
    rules = rules_of(
        {
            "orders": {"phase": "primary_switch"},
            "lines": {"phase": "dark_read"},
            "notes": {"phase": "dual_write"},
        }
    )

    def found(phase: Phase, closed: Closed = OPEN) -> dict[int, str]:
        board = Switchboard({str(TableName("public", "orders", "shop")): closed})
        around = Surroundings(store=True, spool=True, control_dsn=True, switch=board)
        book = TableBook(rules, {"shop": PICTURE}, around)
        return {oid: table.relation.name for oid, table in tables_from(phase, book, "shop").items()}

    orders = {1: "orders", 2: "orders"}
    assert found(Phase.PRIMARY_SWITCH) == orders
    assert found(Phase.DARK_READ) == {**orders, 3: "lines"}
    assert found(Phase.DUAL_WRITE) == {**orders, 3: "lines", 4: "notes"}
    # What a rule asks for does not count, only where the table is.
    assert found(Phase.PRIMARY_SWITCH, Closed(("3 open gaps",))) == {}
