from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sql.analysis import Unparsed, analyse, examine, means_the_same_everywhere
from proxy.sql.model import Kind, RelationRef, Statement, Verb
from tests.sql.texts import comments, statements, texts


def one(text: str) -> Statement:
    (statement,) = analyse(text).statements
    return statement


@pytest.mark.parametrize(
    ("text", "kind", "more"),
    [
        ("INSERT INTO t VALUES (1)", Kind.WRITE, {}),
        ("UPDATE t SET a = 1", Kind.WRITE, {}),
        ("DELETE FROM t", Kind.WRITE, {}),
        ("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", Kind.WRITE, {}),
        ("SELECT 1", Kind.READ, {}),
        ("VALUES (1)", Kind.READ, {}),
        ("TABLE t", Kind.READ, {}),
        ("SHOW x", Kind.READ, {}),
        ("FETCH 1 FROM c", Kind.READ, {}),
        ("DECLARE c CURSOR FOR SELECT * FROM t", Kind.READ, {}),
        ("EXPLAIN DELETE FROM t", Kind.READ, {"hidden": ()}),
        ("EXPLAIN (ANALYZE off) DELETE FROM t", Kind.READ, {"hidden": ()}),
        (
            "EXPLAIN (ANALYZE, VERBOSE) DELETE FROM t",
            Kind.READ,
            {"hidden": ((RelationRef("t"), Verb.DELETE),)},
        ),
        ("EXPLAIN ANALYZE EXECUTE p", Kind.READ, {"name": "p", "hidden": ()}),
        ("EXPLAIN EXECUTE p", Kind.READ, {"name": ""}),
        ("EXPLAIN ANALYZE CREATE TABLE x AS EXECUTE p", Kind.DDL, {"name": "p"}),
        ("COPY t TO STDOUT", Kind.READ, {"hidden": (), "relations": {RelationRef("t")}}),
        (
            "COPY (UPDATE t SET a = 1 RETURNING a) TO STDOUT",
            Kind.READ,
            {"hidden": ((RelationRef("t"), Verb.UPDATE),)},
        ),
        ("COPY t FROM STDIN", Kind.COPY_FROM, {"relations": {RelationRef("t")}}),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY", Kind.BEGIN, {"tag": "BEGIN"}),
        ("START TRANSACTION", Kind.BEGIN, {}),
        ("COMMIT", Kind.COMMIT, {"chain": False}),
        ("END WORK", Kind.COMMIT, {}),
        ("COMMIT AND CHAIN", Kind.COMMIT, {"chain": True, "tag": "COMMIT"}),
        ("ABORT", Kind.ROLLBACK, {}),
        ("ROLLBACK AND CHAIN", Kind.ROLLBACK, {"chain": True}),
        ("ROLLBACK AND NO CHAIN", Kind.ROLLBACK, {"chain": False}),
        ('SAVEPOINT "S p"', Kind.SAVEPOINT, {"name": "S p"}),
        ("RELEASE SAVEPOINT X", Kind.RELEASE, {"name": "x"}),
        ("ROLLBACK TO x", Kind.ROLLBACK_TO, {"name": "x", "tag": "ROLLBACK TO"}),
        ("PREPARE TRANSACTION 'a''b'", Kind.PREPARE_TRANSACTION, {"name": "a'b"}),
        ("COMMIT PREPARED 'g'", Kind.COMMIT_PREPARED, {"name": "g"}),
        ("ROLLBACK PREPARED 'g'", Kind.ROLLBACK_PREPARED, {"name": "g"}),
        ("PREPARE p AS SELECT 1", Kind.PREPARE, {"name": "p"}),
        ("EXECUTE P (1, f(2))", Kind.EXECUTE, {"name": "p", "functions": {RelationRef("f")}}),
        ("DEALLOCATE PREPARE p", Kind.DEALLOCATE, {"name": "p"}),
        ("DEALLOCATE ALL", Kind.DEALLOCATE, {"name": ""}),
        ("DISCARD ALL", Kind.DISCARD, {}),
        ("DISCARD TEMP", Kind.OTHER, {}),
        (
            "TRUNCATE t, ONLY s.u CASCADE",
            Kind.TRUNCATE,
            {"relations": {RelationRef("t"), RelationRef("u", "s")}, "cascade": True, "only": True},
        ),
        ("TRUNCATE t RESTART IDENTITY", Kind.TRUNCATE, {"cascade": False, "only": False}),
        (
            "SET search_path TO a, 'B c', public",
            Kind.SET,
            {"name": "search_path", "value": ("a", "B c", "public")},
        ),
        ("SET LOCAL Work_Mem = 5", Kind.SET, {"name": "work_mem", "value": ("5",), "local": True}),
        ("SET x TO DEFAULT", Kind.SET, {"name": "x", "value": None}),
        ("SET x = 1.5, on, -3", Kind.SET, {"value": ("1.5", "on", "-3")}),
        ("SET SCHEMA 'a'", Kind.SET, {"name": "search_path", "value": ("a",)}),
        ("SET TIME ZONE INTERVAL '1' HOUR", Kind.SET, {"name": "timezone", "value": ("1",)}),
        ("SET ROLE NONE", Kind.SET, {"name": "role", "value": ("none",)}),
        ("SET SESSION AUTHORIZATION 'x'", Kind.SET, {"name": "session_authorization", "value": ("x",)}),
        ("SET SESSION AUTHORIZATION DEFAULT", Kind.SET, {"name": "session_authorization", "value": None}),
        ("SET TRANSACTION READ ONLY", Kind.SET, {"name": "transaction", "value": None}),
        ("RESET x", Kind.SET, {"name": "x", "value": None}),
        ("RESET ALL", Kind.SET, {"name": "all", "value": None}),
        ("DO $$ BEGIN END $$", Kind.CALL, {}),
        ("CALL s.p(1)", Kind.CALL, {"functions": {RelationRef("p", "s")}}),
        ("SELECT 1 INTO t", Kind.DDL, {"tag": "SELECT INTO"}),
        ("SELECT 1 INTO t UNION SELECT 2", Kind.DDL, {}),
        (
            "CREATE TABLE x AS WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
            Kind.DDL,
            {"hidden": ((RelationRef("t"), Verb.DELETE),), "relations": {RelationRef("x"), RelationRef("t")}},
        ),
        ("CREATE TABLE x AS EXECUTE p", Kind.DDL, {"name": "p"}),
        ("CREATE RULE r AS ON INSERT TO t DO ALSO DELETE FROM u", Kind.DDL, {"hidden": ()}),
        ("ALTER TABLE t RENAME TO u", Kind.DDL, {"relations": {RelationRef("t"), RelationRef("u")}}),
        ("ALTER TABLE s.t RENAME a TO b", Kind.DDL, {"relations": {RelationRef("t", "s")}}),
        ("ALTER TABLE t SET SCHEMA s", Kind.DDL, {"relations": {RelationRef("t"), RelationRef("t", "s")}}),
        ("DROP TABLE a.b, c CASCADE", Kind.DDL, {"relations": {RelationRef("b", "a"), RelationRef("c")}}),
        ("DROP FUNCTION f(int)", Kind.DDL, {"relations": set()}),
        ("GRANT SELECT ON t TO x", Kind.DDL, {"relations": {RelationRef("t")}}),
        ("ALTER ROLE x SET search_path = y", Kind.DDL, {}),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DELETE FROM t'", Kind.DDL, {"hidden": ()}),
        ("SET CONSTRAINTS ALL IMMEDIATE", Kind.OTHER, {}),
        ("LISTEN x", Kind.OTHER, {}),
        ("LOCK t", Kind.OTHER, {"relations": {RelationRef("t")}}),
        ("VACUUM FULL t", Kind.OTHER, {}),
        ("CLOSE c", Kind.OTHER, {}),
    ],
)
def test_kinds(text: str, kind: Kind, more: dict[str, Any]) -> None:
    statement = one(text)
    assert statement.kind is kind
    assert {name: getattr(statement, name) for name in more} == more
    assert (statement.start, statement.end) == (0, len(text))
    assert (statement.write is not None) == (kind is Kind.WRITE)
    assert (statement.copy is not None) == (kind is Kind.COPY_FROM)


def test_a_main_write_and_what_its_with_clause_writes() -> None:
    statement = one("WITH a AS (DELETE FROM u RETURNING *) INSERT INTO t SELECT f(x) FROM a")
    assert statement.write is not None
    assert statement.write.target == RelationRef("t")
    assert statement.hidden == ((RelationRef("u"), Verb.DELETE),)
    assert statement.relations == {RelationRef("t"), RelationRef("u")}
    assert statement.functions == {RelationRef("f")}


def test_a_write_whose_target_cannot_be_named_is_hidden() -> None:
    statement = one("UPDATE t SET a = 1 FROM s.t")
    assert statement.kind is Kind.READ
    assert statement.write is None
    assert statement.hidden == ((RelationRef("t"), Verb.UPDATE),)
    assert statement.tag == "UPDATE"


@pytest.mark.parametrize(
    "text",
    [
        "PREPARE p AS {}",
        "PREPARE p(int, numeric(10, 2)) AS {}",
        '/* AS */ PREPARE "AS" (text) -- AS (\n AS {}',
        "SELECT 'as'; PREPARE p AS {} ; SELECT 2 -- x",
    ],
)
@pytest.mark.parametrize(
    "inner", ["INSERT INTO t AS a VALUES ($1)", "WITH x AS (SELECT 1) DELETE FROM é", "SELECT 1 AS a"]
)
def test_what_a_prepare_prepares(text: str, inner: str) -> None:
    whole = text.format(inner)
    (statement,) = (item for item in analyse(whole).statements if item.kind is Kind.PREPARE)
    prepared = statement.inner
    assert prepared is not None
    assert whole[prepared.start : prepared.end] == inner
    assert prepared.end == statement.end
    assert statement.hidden == ()
    alone = one(inner)
    assert (prepared.write, prepared.relations, prepared.kind) == (alone.write, alone.relations, alone.kind)


def test_parameters() -> None:
    assert one("DELETE FROM t WHERE a = $1").parameters
    assert not one("DELETE FROM t WHERE a = '$1'").parameters


def test_where_pinned_literals_stand() -> None:
    text = "SELECT 'é'; UPDATE t SET a = 2 WHERE 'é' = b AND id = 5 AND c = $1"
    examined = examine(text)
    assert examined.places[0] == {}
    assert {column: text[place] for column, place in examined.places[1].items()} == {"b": "'", "id": "5"}


def test_backslashes_mean_something_else_elsewhere() -> None:
    assert means_the_same_everywhere("DELETE FROM t WHERE a = 'b'")
    assert not means_the_same_everywhere(r"DELETE FROM t WHERE a = '\'")


def test_what_cannot_be_parsed() -> None:
    with pytest.raises(Unparsed) as caught:
        analyse("DELETE FORM t")
    assert caught.value.position == 7


@given(text=texts())
def test_a_returning_clause_fits_at_the_end_of_every_write(text: str) -> None:
    before = analyse(text).statements
    for number, statement in enumerate(before):
        if statement.write is None:
            continue
        addition = ", 1 AS causeway" if statement.write.returning else " RETURNING 1 AS causeway"
        longer = text[: statement.end] + addition + text[statement.end :]
        after = analyse(longer).statements
        assert len(after) == len(before)
        write = after[number].write
        assert write is not None
        assert write.returning
        assert longer[after[number].start : after[number].end].endswith(addition)
        assert write.target == statement.write.target


@given(inner=st.lists(statements(), min_size=1, max_size=4), data=st.data())
def test_statements_are_told_apart_whatever_stands_between(inner: list[str], data: st.DataObject) -> None:
    text = "".join(
        data.draw(comments()) + statement + data.draw(comments()) + ";" + data.draw(comments())
        for statement in inner
    )
    found = analyse(text).statements
    assert [text[item.start : item.end] for item in found] == inner
