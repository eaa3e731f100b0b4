from __future__ import annotations

import pytest

from proxy.sql.model import RelationRef, Verb
from proxy.sql.parse import Source
from proxy.sql.survey import Survey, qualified, survey


def look(text: str) -> Survey:
    (statement,) = Source(text).statements
    return survey(statement.type, statement.node)


def names(references: set[RelationRef]) -> set[str]:
    return {f"{item.schema}.{item.name}" if item.schema else item.name for item in references}


@pytest.mark.parametrize(
    ("text", "relations"),
    [
        ("SELECT * FROM a, b.c JOIN d USING (x) WHERE x IN (SELECT y FROM e)", "a b.c d e"),
        ('SELECT * FROM A, "B", db.s.t', "a B s.t"),
        ("TABLE a", "a"),
        ("VALUES ((SELECT 1 FROM a))", "a"),
        ("SELECT 1 UNION SELECT 2 FROM a UNION (SELECT 3 FROM b)", "a b"),
        ("WITH a AS (SELECT * FROM b) SELECT * FROM a", "b"),
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", "a"),
        ("WITH RECURSIVE a AS (SELECT * FROM a) SELECT * FROM a", ""),
        ("WITH a AS (SELECT * FROM b), b AS (SELECT * FROM a) SELECT * FROM a, b", "b"),
        ("WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", ""),
        ("WITH a AS (SELECT 1) SELECT * FROM s.a", "s.a"),
        ("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) x, a", "a"),
        ("WITH t AS (SELECT 1) DELETE FROM t USING t AS u", "t"),
        ("WITH t AS (SELECT 1) UPDATE s SET x = 1 FROM t", "s"),
        ("INSERT INTO a WITH b AS (SELECT 1) SELECT * FROM b, c", "a c"),
        ("MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE", "a b"),
        ("SELECT * FROM a TABLESAMPLE SYSTEM (1)", "a"),
        ("LOCK TABLE a, b", "a b"),
        ("CREATE TABLE a (LIKE b)", "a b"),
        ("CREATE TABLE a PARTITION OF b FOR VALUES IN (1)", "a b"),
        ("ALTER TABLE a ADD FOREIGN KEY (x) REFERENCES b", "a b"),
        ("CREATE VIEW v AS SELECT * FROM a", "v a"),
        ("CREATE TRIGGER x AFTER INSERT ON a EXECUTE FUNCTION f()", "a"),
        ("SELECT 1", ""),
    ],
)
def test_relations_without_the_names_of_with_queries(text: str, relations: str) -> None:
    assert names(look(text).relations) == set(relations.split())


@pytest.mark.parametrize(
    ("text", "functions"),
    [
        ("SELECT f(g(1)), s.h() FROM i() WHERE EXISTS (SELECT j())", "f g s.h i j"),
        ("CALL s.p(f(1))", "s.p f"),
        ("INSERT INTO t VALUES (f(1))", "f"),
        ("UPDATE t SET a = f(1) WHERE b = $1 RETURNING g(a)", "f g"),
        ("SELECT count(*) OVER (ORDER BY f(x)) FROM t", "count f"),
        ('SELECT "F"(), public."a.b"()', "F public.a.b"),
        ("SELECT now()", "now"),
        ("SELECT 1", ""),
    ],
)
def test_functions(text: str, functions: str) -> None:
    assert names(look(text).functions) == set(functions.split())


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("SELECT 1", []),
        (
            "WITH a AS (DELETE FROM t RETURNING *), b AS (INSERT INTO s.u SELECT * FROM a RETURNING *) "
            "SELECT * FROM b",
            [(RelationRef("t"), Verb.DELETE), (RelationRef("u", "s"), Verb.INSERT)],
        ),
        (
            "WITH a AS (WITH b AS (UPDATE t SET x = 1) SELECT 1) SELECT 1",
            [(RelationRef("t"), Verb.UPDATE)],
        ),
        (
            "WITH a AS (INSERT INTO t VALUES (1) ON CONFLICT (x) DO UPDATE SET x = 2) SELECT 1",
            [(RelationRef("t"), Verb.INSERT), (RelationRef("t"), Verb.UPDATE)],
        ),
        (
            "WITH a AS (MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT "
            "VALUES (1) RETURNING 1) SELECT 1",
            [(RelationRef("t"), Verb.INSERT), (RelationRef("t"), Verb.DELETE)],
        ),
    ],
)
def test_writes_at_any_depth(text: str, hidden: list[tuple[RelationRef, Verb]]) -> None:
    assert list(look(text).hidden(None)) == hidden


def test_the_main_write_is_not_hidden() -> None:
    (statement,) = Source("WITH a AS (DELETE FROM t) INSERT INTO t VALUES (1)").statements
    found = survey(statement.type, statement.node)
    assert found.hidden(statement.node) == ((RelationRef("t"), Verb.DELETE),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("SELECT $1", True), ("SELECT * FROM t LIMIT $2", True), ("SELECT '$1', \"$1\".a", False)],
)
def test_parameters(text: str, expected: bool) -> None:
    assert look(text).parameters is expected


def test_a_name_in_parts() -> None:
    assert qualified([{"String": {"sval": part}} for part in ("db", "s", "t")]) == RelationRef("t", "s")
    assert qualified([]) is None
