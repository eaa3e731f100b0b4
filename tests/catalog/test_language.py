from __future__ import annotations

import asyncpg
import pytest

from devstack.postgres import PostgresServer
from proxy.catalog.introspect import read_snapshot
from proxy.catalog.language import Traits, read_language, traits
from proxy.mirror.effects import TableId


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("c", "C", "C", True), Traits(True, True, "c")),
        (("c", "C.UTF-8", "C.UTF-8", True), Traits(True, True, "utf8")),
        (("c", "en_US.UTF-8", "en_US.utf8", True), Traits(False, True, "utf8")),
        (("c", "tr_TR.UTF-8", "tr_TR.UTF-8", True), Traits(False, True, "")),
        (("c", "de_DE@euro", "de_DE.ISO-8859-15", True), Traits(False, True, "")),
        (("i", "und", "und", False), Traits(False, False, "")),
        (("b", "C.UTF-8", "C.UTF-8", True), Traits(True, True, "utf8")),
        (("b", "PG_UNICODE_FAST", "", True), Traits(True, True, "")),
    ],
)
def test_what_is_known_of_a_collation(given: tuple[str, str, str, bool], expected: Traits) -> None:
    assert traits(*given) == expected


@pytest.mark.integration
async def test_what_a_database_adds(postgres: PostgresServer, database: str) -> None:
    connection = await asyncpg.connect(postgres.dsn(database))
    try:
        before = await read_language(connection)
        assert before.encoding == "UTF8"
        assert before.default == Traits(True, True, "utf8")
        assert not before.functions
        assert not before.operators
        assert not before.casts
        await connection.execute(
            """CREATE FUNCTION lower(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
               CREATE FUNCTION same(int, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
               CREATE OPERATOR = (LEFTARG = int, RIGHTARG = text, FUNCTION = same);
               CREATE TYPE pair AS (a int, b int);
               CREATE FUNCTION paired(int) RETURNS pair LANGUAGE sql AS 'SELECT $1, $1';
               CREATE CAST (int AS pair) WITH FUNCTION paired(int) AS IMPLICIT;
               CREATE COLLATION loose (provider = icu, locale = 'und', deterministic = false);
               CREATE TABLE t (id int PRIMARY KEY, d text, c text COLLATE "C", l text COLLATE loose)"""
        )
        after = await read_language(connection)
        assert after.functions == {"lower", "paired", "same"}
        assert dict(after.operators) == {"=": ((23, 25),)}
        assert len(after.casts) == 1
        reading = await read_snapshot(connection, [TableId("public", "t")])
        relation = reading.snapshot.named("public", "t")
        assert relation is not None
        assert [attribute.traits for attribute in relation.attributes] == [
            None,
            Traits(True, True, "utf8"),
            Traits(True, True, "c"),
            Traits(False, False, ""),
        ]
        assert reading.snapshot.language == after
    finally:
        await connection.close()
