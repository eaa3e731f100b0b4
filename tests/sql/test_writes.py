from __future__ import annotations

import pytest

from proxy.sql.model import Literal, Parameter, RelationRef, Verb, Write
from proxy.sql.parse import Source
from proxy.sql.survey import WRITES
from proxy.sql.writes import quoted, write_of


def write(text: str) -> Write:
    (statement,) = Source(text).statements
    made = write_of(WRITES[statement.type], statement.node)
    assert made is not None
    return made[0]


@pytest.mark.parametrize(
    ("text", "target", "reference"),
    [
        ("INSERT INTO t VALUES (1)", RelationRef("t"), '"t"'),
        ("INSERT INTO S.T AS A DEFAULT VALUES", RelationRef("t", "s"), '"a"'),
        ('UPDATE "S"."T ""x""" SET a = 1', RelationRef('T "x"', "S"), '"T ""x"""'),
        ("UPDATE db.s.t u SET a = 1", RelationRef("t", "s"), '"u"'),
        ('DELETE FROM ONLY (t) AS "select"', RelationRef("t"), '"select"'),
        ('DELETE FROM "é" USING t', RelationRef("é"), '"é"'),
        ("MERGE INTO t AS x USING t ON true WHEN MATCHED THEN DELETE", RelationRef("t"), '"x"'),
        ("UPDATE t SET a = 1 FROM t AS u JOIN v AS w USING (a)", RelationRef("t"), '"t"'),
    ],
)
def test_how_returning_names_the_target(text: str, target: RelationRef, reference: str) -> None:
    made = write(text)
    assert (made.target, made.reference) == (target, reference)


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE t SET a = 1 FROM s.t WHERE true",
        "UPDATE s.t SET a = 1 FROM u JOIN v.t ON true",
        "DELETE FROM t USING s.t TABLESAMPLE SYSTEM (1)",
        "DELETE FROM f USING f(1)",
        "MERGE INTO t USING s.t ON true WHEN MATCHED THEN DELETE",
        "UPDATE t SET a = 1 FROM (a JOIN s.t ON true) AS j",
    ],
)
def test_no_name_reaches_a_target_beside_another_of_its_name(text: str) -> None:
    (statement,) = Source(text).statements
    assert write_of(WRITES[statement.type], statement.node) is None


@pytest.mark.parametrize(
    ("text", "verb", "sets", "may_update", "may_delete"),
    [
        ("INSERT INTO t VALUES (1)", Verb.INSERT, "", False, False),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", Verb.INSERT, "", False, False),
        (
            "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1, c.d = 2",
            Verb.INSERT,
            "b c",
            True,
            False,
        ),
        (
            'UPDATE t SET a = 1, (b, "C") = (SELECT 1, 2), d[1] = 3, e.f = 4',
            Verb.UPDATE,
            "a b C d e",
            True,
            False,
        ),
        ("DELETE FROM t", Verb.DELETE, "", False, True),
        (
            "MERGE INTO t USING u ON true WHEN NOT MATCHED THEN INSERT (a) VALUES (1)",
            Verb.MERGE,
            "",
            False,
            False,
        ),
        ("MERGE INTO t USING u ON true WHEN MATCHED THEN DO NOTHING", Verb.MERGE, "", False, False),
        (
            "MERGE INTO t USING u ON true WHEN MATCHED AND x THEN UPDATE SET a = 1 WHEN MATCHED THEN DELETE "
            "WHEN NOT MATCHED BY SOURCE THEN UPDATE SET b = 1 WHEN NOT MATCHED THEN INSERT (z) VALUES (1)",
            Verb.MERGE,
            "a b",
            True,
            True,
        ),
    ],
)
def test_what_it_can_do(text: str, verb: Verb, sets: str, may_update: bool, may_delete: bool) -> None:
    made = write(text)
    assert made.verb is verb
    assert made.sets == set(sets.split())
    assert (made.may_update, made.may_delete) == (may_update, may_delete)


@pytest.mark.parametrize(
    ("text", "returning", "old_alias", "old_hidden"),
    [
        ("DELETE FROM t", False, None, False),
        ("DELETE FROM t RETURNING a", True, None, False),
        ("UPDATE t SET a = 1 RETURNING WITH (OLD AS o, NEW AS n) o.a", True, '"o"', False),
        ("UPDATE t SET a = 1 RETURNING WITH (NEW AS n) n.a", True, None, False),
        ("UPDATE old SET a = 1", False, None, True),
        ("UPDATE t AS old SET a = 1", False, None, True),
        ("UPDATE t SET a = 1 FROM u AS old", False, None, True),
        ("UPDATE t SET a = 1 FROM (u JOIN old ON true)", False, None, True),
        ("DELETE FROM t USING old(1)", False, None, True),
        ("UPDATE old SET a = 1 RETURNING WITH (OLD AS o) o.a", True, '"o"', False),
    ],
)
def test_what_returning_calls_the_old_row(
    text: str, returning: bool, old_alias: str | None, old_hidden: bool
) -> None:
    made = write(text)
    assert (made.returning, made.old_alias, made.old_hidden) == (returning, old_alias, old_hidden)


def test_only() -> None:
    assert write("UPDATE ONLY t SET a = 1").only
    assert write("DELETE FROM ONLY (t)").only
    assert not write("DELETE FROM t").only
    assert not write("DELETE FROM t *").only


@pytest.mark.parametrize(
    ("condition", "pinned"),
    [
        ("id = 1", {"id": Literal("1")}),
        ("1 = id", {"id": Literal("1")}),
        ("id = 0", {"id": Literal("0")}),
        ("id = -7", {"id": Literal("-7")}),
        ("id = 9999999999", {"id": Literal("9999999999")}),
        ("id = $3", {"id": Parameter(3)}),
        ("id = 'it''s'", {"id": Literal("it's")}),
        ("id = ''", {"id": Literal("")}),
        ("id IN (5)", {"id": Literal("5")}),
        ("id = $1::int AND b = '5'::uuid", {"id": Parameter(1), "b": Literal("5")}),
        ("t.id = 1 AND s.t.b = 2", {"id": Literal("1"), "b": Literal("2")}),
        ("a = 1 AND (b = 2 AND c > 3) AND (d = 4 OR e = 5)", {"a": Literal("1"), "b": Literal("2")}),
        ("a = 1 AND a = 2", {"a": Literal("1")}),
        ('"A b" OPERATOR(pg_catalog.=) 1', {"A b": Literal("1")}),
        ("NOT id = 1", {}),
        ("id = 1 OR id = 2", {}),
        ("id IN (1, 2)", {}),
        ("id NOT IN (1)", {}),
        ("id <> 1", {}),
        ("id OPERATOR(public.=) 1", {}),
        ("id = ANY ($1)", {}),
        ("id IS NOT DISTINCT FROM 1", {}),
        ("id = 1.0", {}),
        ("id = 1e3", {}),
        ("id = NULL", {}),
        ("id = other", {}),
        ("id = 1 + 1", {}),
        ("id = 'abcd'::varchar(3)", {}),
        ("id = 5::money", {}),
        ("id[1] = 5", {}),
        ("(id).x = 5", {}),
        ("u.id = 1", {}),
        ("x.t.id = 1", {}),
        ("CURRENT OF c", {}),
    ],
)
def test_columns_held_to_one_value(condition: str, pinned: dict[str, Literal | Parameter]) -> None:
    assert dict(write(f"UPDATE s.t SET a = 1 WHERE {condition}").pinned) == pinned
    assert dict(write(f"DELETE FROM s.t WHERE {condition}").pinned) == pinned


@pytest.mark.parametrize(
    ("text", "pinned"),
    [
        ("UPDATE t AS x SET a = 1 WHERE x.id = 1 AND b = 2", {"id": Literal("1"), "b": Literal("2")}),
        ("UPDATE t AS x SET a = 1 FROM u WHERE x.id = 1 AND b = 2", {"id": Literal("1")}),
        ("DELETE FROM t USING u WHERE t.id = 1 AND b = 2", {"id": Literal("1")}),
        ("DELETE FROM t", {}),
        ("INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1 WHERE t.id = 1", {}),
        ("MERGE INTO t USING u ON t.id = 1 WHEN MATCHED THEN DELETE", {}),
    ],
)
def test_a_column_counts_where_it_can_only_be_the_targets(
    text: str, pinned: dict[str, Literal | Parameter]
) -> None:
    assert dict(write(text).pinned) == pinned


def test_quoting() -> None:
    assert quoted('a"b') == '"a""b"'
