"""What stays on PostgreSQL: each for a reason that is short, stable and without values."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.translate.api import Unsupported
from tests.translate.cases import Case, cases
from tests.translate.world import World, make_world

pytestmark = pytest.mark.integration

REFUSED = cases(Path(__file__).parent / "refused.sql")[1]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.sql[:60])
async def test_a_read_without_an_exact_rule_is_refused(world: World, case: Case) -> None:
    with pytest.raises(Unsupported) as caught:
        world.compile(case.sql)
    assert 0 < len(caught.value.reason) < 100
    position = caught.value.position
    assert position is None or 0 <= position < len(case.sql)


async def test_several_statements_are_refused(world: World) -> None:
    with pytest.raises(Unsupported, match="more or fewer statements than one"):
        world.compile("SELECT 1; SELECT 2")


OWN = """
CREATE TABLE t (id int PRIMARY KEY, v varchar(5), i int);
INSERT INTO t VALUES (1, 'a', 1);
CREATE FUNCTION lower(int) RETURNS text LANGUAGE sql AS $$ SELECT 'mine' $$;
CREATE FUNCTION mine(int, text) RETURNS bool LANGUAGE sql AS $$ SELECT true $$;
CREATE OPERATOR = (LEFTARG = int, RIGHTARG = text, FUNCTION = mine);
CREATE FUNCTION alike(text, varchar) RETURNS bool LANGUAGE sql AS $$ SELECT true $$;
CREATE OPERATOR <> (LEFTARG = text, RIGHTARG = varchar, FUNCTION = alike);
CREATE SCHEMA other;
CREATE TABLE other.t (id int PRIMARY KEY, w int);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child () INHERITS (parent);
ALTER TABLE child ADD PRIMARY KEY (id);
CREATE TABLE hidden (id int PRIMARY KEY);
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
"""


async def test_what_a_database_has_of_its_own(world: World) -> None:
    """Functions and operators of the database's own, schemas, inheritance, row security."""
    oracle = world.oracle
    oracle.execute("CREATE DATABASE own_things")
    info = oracle.connection
    dsn = f"postgresql://{info.user.decode()}@{info.host.decode()}:{info.port.decode()}/own_things"
    own = await make_world(dsn, "own_things", world.store, OWN)
    try:
        for sql, reason in [
            ("SELECT lower(v) FROM t", "a function that the database has of its own, too"),
            ("SELECT id FROM t WHERE v <> 'a'", "an operator that the database has of its own, too"),
            ("SELECT id FROM parent", "a table with children"),
            ("SELECT id FROM hidden", "a table with row security"),
        ]:
            with pytest.raises(Unsupported, match=reason):
                own.compile(sql)
        await own.same("SELECT id FROM t WHERE i = 1")
        await own.same("SELECT id FROM t WHERE i = '1'")
        await own.same("SELECT id FROM ONLY parent")
        await own.same("SELECT id FROM t WHERE pg_catalog.lower(v) = 'a'")
        own.path = ("other", "public")
        oracle_path = "SET search_path = other, public"
        own.oracle.execute(oracle_path)
        await own.same("SELECT * FROM t")
        await own.same("SELECT * FROM public.t")
        own.path = ("public", "pg_catalog")
        with pytest.raises(Unsupported, match="search_path"):
            own.compile("SELECT 1")
    finally:
        own.oracle.connection.finish()
        oracle.execute("DROP DATABASE own_things")
