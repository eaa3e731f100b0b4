"""Chunks cut every table into pieces that neither overlap nor leave a row out, whatever its key is made of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstack.postgres import PostgresServer
from proxy.backfill.chunks import KeyPages, boundary_of
from proxy.backfill.run import KeyText
from proxy.catalog.model import Relation, Snapshot
from proxy.catalog.source import SourceDatabase
from proxy.documents.records import parse_image
from proxy.mirror.effects import TableId
from tests.catalog.made import BUILT_IN, attribute, relation


@dataclass
class Place:
    server: PostgresServer
    database: str
    source: SourceDatabase

    async def table(self, sql: str, name: str = "t", schema: str = "public") -> tuple[Relation, Snapshot]:
        self.server.psql(sql, self.database)
        reading = await self.source.snapshot([TableId(schema, name)])
        found = reading.snapshot.named(schema, name)
        assert found is not None
        return found, reading.snapshot


@pytest.fixture
async def place(postgres: PostgresServer, database: str) -> AsyncIterator[Place]:
    source = SourceDatabase(postgres.dsn(), database)
    yield Place(postgres, database, source)
    await source.close()


async def walk(
    source: SourceDatabase, pages: KeyPages, limit: int, end: KeyText | None = None
) -> list[list[KeyText]]:
    """The keys of each chunk, in order."""
    found: list[list[KeyText]] = []
    low: KeyText | None = None
    while True:
        query, arguments = pages.boundary(low, limit, end)
        boundary = boundary_of(low, await source.fetch(query, *arguments))
        if boundary.high is None:
            return found
        query, arguments = pages.keys(low, boundary.high, limit + 1)
        keys = [tuple(row) for row in await source.fetch(query, *arguments)]
        query, arguments = pages.rows(low, boundary.high, text=False)
        records = await source.fetch(query, *arguments)
        assert len(records) == len(keys) == boundary.keys <= limit
        assert keys[-1] == boundary.high
        found.append(keys)
        low = boundary.high
        if boundary.last:
            return found


G = "create view g as select generate_series(1, 60) i;"

KEYS = {
    "integers with gaps": (
        "create table t (id int primary key, x text); insert into t select i * i - 500, 'x' from g",
        ("id",),
    ),
    "text": (
        "create table t (k text primary key); insert into t select chr(60 + i) || '''\"' || i from g;"
        " insert into t values (''), ('%s'), (E'\\n'), ('ä'), ('Z'), ('z')",
        ("k",),
    ),
    "text in the C collation": (
        'create table t (k text collate "C" primary key); insert into t select chr(60 + i) from g',
        ("k",),
    ),
    "text in a collation that does not tell case": (
        "create collation folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
        " create table t (k text collate folded primary key);"
        " insert into t select case i % 2 when 0 then 'a' else 'B' end || i from g",
        ("k",),
    ),
    "character(n)": (
        "create table t (k char(6) primary key); insert into t select 'k' || i from g",
        ("k",),
    ),
    "uuid": (
        "create table t (k uuid primary key); insert into t select gen_random_uuid() from g",
        ("k",),
    ),
    "numeric": (
        "create table t (k numeric primary key); insert into t select i * 1.10 - 7 from g;"
        " insert into t values ('NaN'), ('Infinity'), ('-Infinity'), (1e30)",
        ("k",),
    ),
    "double precision": (
        "create table t (k float8 primary key); insert into t select i / 3.0 from g;"
        " insert into t values ('NaN'), ('-Infinity'), ('-0'), (1e-300)",
        ("k",),
    ),
    "timestamptz": (
        "create table t (k timestamptz primary key);"
        " insert into t select '2024-03-30 22:00:00.123456+01'::timestamptz + i * '7 min'::interval from g;"
        " insert into t values ('infinity'), ('-infinity'), ('0044-03-15 BC')",
        ("k",),
    ),
    "a domain": (
        "create domain even as int check (value % 2 = 0); create table t (k even primary key);"
        " insert into t select 2 * i from g",
        ("k",),
    ),
    "an enum": (
        "create type mood as enum ('z', 'a', 'm'); create table t (m mood, n int, primary key (m, n));"
        " insert into t select (enum_range(null::mood))[i % 3 + 1], i from g",
        ("m", "n"),
    ),
    "an array": (
        "create table t (k int[] primary key); insert into t select array[i % 7, null, i] from g",
        ("k",),
    ),
    "bytea": (
        "create table t (k bytea primary key); insert into t select decode(md5(i::text), 'hex') from g",
        ("k",),
    ),
    "inet": (
        "create table t (k inet primary key); insert into t select '10.0.0.0'::inet + i from g",
        ("k",),
    ),
    "composite, mixed, in another order than the columns": (
        'create table t (x int, b text, "A a" date, n numeric, primary key ("A a", b, n));'
        " insert into t select i, 'b' || i % 3, '2024-01-01'::date + i % 4, i from g",
        ("A a", "b", "n"),
    ),
    "partitioned": (
        "create table t (d date, id int, primary key (id, d)) partition by range (d);"
        " create table t1 partition of t for values from ('2024-01-01') to ('2024-02-01');"
        " create table t2 partition of t for values from ('2024-02-01') to ('2024-03-01') partition by list (id);"
        " create table t3 partition of t2 default;"
        " insert into t select '2024-01-01'::date + i % 50, i from g",
        ("id", "d"),
    ),
}


@pytest.mark.integration
@pytest.mark.parametrize("kind", KEYS)
async def test_chunks_are_a_partition_of_the_keys(place: Place, kind: str) -> None:
    sql, columns = KEYS[kind]
    relation, snapshot = await place.table(G + sql)
    pages = KeyPages(relation, columns, snapshot.types)
    [[count]] = [tuple(row) for row in await place.source.fetch("select count(*) from t")]
    for limit in (1, 7, 20, 1000):
        chunks = await walk(place.source, pages, limit)
        keys = [key for chunk in chunks for key in chunk]
        assert len(keys) == len(set(keys)) == count
        assert all(len(chunk) == limit for chunk in chunks[:-1])
        assert await walk(place.source, pages, limit, keys[-1]) == chunks
        assert [key for chunk in await walk(place.source, pages, limit, keys[40]) for key in chunk] == keys[
            :41
        ]
    query, arguments = pages.last()
    assert [tuple(row) for row in await place.source.fetch(query, *arguments)] == keys[-1:]


@pytest.mark.integration
async def test_operators_of_an_extension_s_type_are_found_wherever_it_lives(place: Place) -> None:
    relation, snapshot = await place.table("""
        create schema ext; create extension citext schema ext;
        create table t (k ext.citext, n int, primary key (k, n));
        insert into t select case i % 2 when 0 then 'a' else 'B' end || i / 3, i from generate_series(1, 60) i;
        create table s (k ext.citext primary key); insert into s select k || n::text from t;
        """)
    chunks = await walk(place.source, KeyPages(relation, ("k", "n"), snapshot.types), 7)
    assert len({key for chunk in chunks for key in chunk}) == 60
    reading = await place.source.snapshot([TableId("public", "s")])
    single = reading.snapshot.named("public", "s")
    assert single is not None
    chunks = await walk(place.source, KeyPages(single, ("k",), reading.snapshot.types), 7)
    assert len({key for chunk in chunks for key in chunk}) == 60


@pytest.mark.integration
async def test_of_an_inheritance_parent_its_own_rows_alone(place: Place) -> None:
    relation, snapshot = await place.table("""
        create table t (id int primary key); create table child () inherits (t);
        insert into t select generate_series(1, 5); insert into child select generate_series(3, 9);
        """)
    assert await walk(place.source, KeyPages(relation, ("id",), snapshot.types), 2) == [
        [("1",), ("2",)],
        [("3",), ("4",)],
        [("5",)],
    ]


@pytest.mark.integration
async def test_quoted_names(place: Place) -> None:
    relation, snapshot = await place.table(
        """create schema "S "" s"; create table "S "" s"."T.t" ("K ""k" int primary key);
        insert into "S "" s"."T.t" select generate_series(1, 3)""",
        "T.t",
        'S " s',
    )
    chunks = await walk(place.source, KeyPages(relation, ('K "k',), snapshot.types), 2)
    assert chunks == [[("1",), ("2",)], [("3",)]]


@pytest.mark.integration
async def test_rows_are_records_with_text_where_it_is_asked_for(place: Place) -> None:
    relation, snapshot = await place.table("""
        create table t (id int primary key, changed timestamptz);
        insert into t select i, '2024-01-01 00:00+00'::timestamptz + i * interval '1 day' from generate_series(1, 9) i
        """)
    pages = KeyPages(relation, ("id",), snapshot.types)

    async def ids(**given: object) -> list[int]:
        query, arguments = pages.rows(**{"low": None, "high": None, "text": True, **given})  # type: ignore[arg-type]
        found = []
        for row in await place.source.fetch(query, *arguments):
            header, oids, fields = parse_image(row[0])
            assert header.relation == relation.oid
            assert oids == (23, 1184)
            assert header.text is not None
            assert header.text.startswith(b"(")
            found.append(int.from_bytes(fields[0] or b"", "big"))
        return found

    assert await ids() == list(range(1, 10))
    assert await ids(low=("2",), high=("5",)) == [3, 4, 5]
    assert await ids(low=("2",), limit=2) == [3, 4]
    assert await ids(since=("changed", "2024-01-07 00:00+00")) == [6, 7, 8, 9]
    assert await ids(high=("6",), since=("changed", "2024-01-06"), where="t.id > 1 or true -- all") == [5, 6]


@pytest.mark.integration
async def test_an_index_serves_the_paging(place: Place) -> None:
    relation, snapshot = await place.table("""
        create table t (a int, b text, x text, primary key (a, b));
        insert into t select i % 100, i::text, repeat('x', 100) from generate_series(1, 20000) i; analyze t
        """)
    pages = KeyPages(relation, ("a", "b"), snapshot.types)
    for query, arguments in (
        pages.boundary(("50", "1050"), 100),
        pages.boundary(("50", "1050"), 100, ("99", "99")),
        pages.last(),
        pages.rows(("50", "1050"), ("50", "5050"), text=False),
    ):
        plan = "\n".join(row[0] for row in await place.source.fetch("explain " + query, *arguments))
        assert "Index" in plan
        assert "Seq Scan" not in plan


def made_up_types() -> KeyPages:
    """A key of an extension's type and one of PostgreSQL's own."""
    citext = 99999
    types = {**BUILT_IN, citext: type(BUILT_IN[23])(citext, "ext", "citext", "b", "S")}
    table = relation(16384, "t", attribute(1, "k", citext), attribute(2, "n"))
    return KeyPages(table, ("k", "n"), types)


def test_operators_of_several_schemas_are_spelled_out() -> None:
    query, arguments = made_up_types().rows(("a", "1"), ("b", "2"), text=False)
    assert arguments == ["a", "1", "b", "2"]
    assert 't."k" OPERATOR("ext".=)' in query
    assert 't."n" OPERATOR("pg_catalog".<=)' in query


def test_an_answer_without_rows_says_that_there_is_nothing() -> None:
    found = boundary_of(("3",), [])
    assert (found.low, found.high, found.keys, found.last) == (("3",), None, 0, True)


@pytest.mark.integration
def test_any_set_of_keys_is_cut_into_chunks(postgres: PostgresServer, database: str) -> None:
    """Two columns of random values, among them those that compare as equal in one column alone."""
    words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)
    keys = st.sets(st.tuples(words, st.integers(-3, 3)), max_size=30)

    with asyncio.Runner() as runner:
        source = SourceDatabase(postgres.dsn(), database)
        postgres.psql("create table t (w text, n int, primary key (w, n))", database)
        reading = runner.run(source.snapshot([TableId("public", "t")]))
        table = reading.snapshot.named("public", "t")
        assert table is not None
        pages = KeyPages(table, ("w", "n"), reading.snapshot.types)
        import asyncpg

        connection = runner.run(asyncpg.connect(postgres.dsn(database)))

        @settings(max_examples=40, deadline=None)
        @given(keys=keys, limit=st.integers(1, 12))
        def law(keys: set[tuple[str, int]], limit: int) -> None:
            async def check() -> None:
                await connection.execute("truncate t")
                await connection.copy_records_to_table("t", records=list(keys))
                chunks = await walk(source, pages, limit)
                found = [(word, int(n)) for chunk in chunks for word, n in chunk]
                assert len(found) == len(keys)
                assert set(found) == keys

            runner.run(check())

        try:
            law()
        finally:
            runner.run(connection.close())
            runner.run(source.close())
