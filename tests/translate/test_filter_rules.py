"""What the store finds for a comparison is what SQL says is true, of values of every type and each place of a column.

A filter that finds too little cannot be seen by the steps behind it: the rows are compared with PostgreSQL's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from bson.int64 import Int64

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.stores.mongo import open_store
from proxy.translate import types as t
from proxy.translate.api import Inexact
from proxy.translate.filter_rules import comparable, stored
from tests.stores.conftest import polled
from tests.translate.test_values import SAMPLES
from tests.translate.world import Oracle, World, make_world

COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
KEYS = tuple(name for name in SAMPLES if name not in ("float4", "float8", "interval", "bpchar"))
PLACES = [(place, name) for name in SAMPLES for place in ("f", "k", "m") if place == "f" or name in KEYS]
MOMENTS = ("date", "timestamp", "timestamptz")
EXACT = (
    "bool",
    "int2",
    "int8",
    "text",
    "varchar",
    "time",
    "timestamp",
    "timestamptz",
    "date",
    "numeric",
    "float8",
)
"""Types of which every comparison but `<>` of times is one filter."""


def table(name: str) -> str:
    """Three tables of every value of a type: in a field, as the key, and as a part of it."""
    oid, texts = SAMPLES[name]
    type_ = f'{name} COLLATE "C"' if oid in t.STRINGS else name
    given = "unnest(ARRAY[" + ", ".join("'" + text + "'" for text in texts) + f"]::text[])::{name}"
    parts = [
        f"CREATE TABLE f_{name} (id serial PRIMARY KEY, c {type_});",
        f"INSERT INTO f_{name} (c) SELECT {given} UNION ALL SELECT NULL;",
    ]
    if name in KEYS:
        parts += [
            f"CREATE TABLE k_{name} (c {type_} PRIMARY KEY);",
            f"INSERT INTO k_{name} SELECT DISTINCT {given};",
            f"CREATE TABLE m_{name} (c {type_}, n int, PRIMARY KEY (n, c));",
            f"INSERT INTO m_{name} SELECT c, n FROM k_{name}, generate_series(1, 2) n;",
        ]
    return "\n".join(parts)


class Filtering:
    def __init__(self, dsn: str, uri: str, world: World) -> None:
        self.dsn = dsn
        self.uri = uri
        self.world = world


@pytest.fixture(scope="module")
def made_filtering(postgres: PostgresServer, document_store: DocumentStore) -> Iterator[Filtering]:
    with postgres.database("filtering") as database:
        dsn = postgres.dsn(database)

        async def make() -> World:
            store = open_store(polled(document_store.uri))
            try:
                return await make_world(dsn, database, store, "\n".join(map(table, SAMPLES)))
            finally:
                await store.close()

        world = asyncio.run(make())
        yield Filtering(dsn, document_store.uri, world)
        world.oracle.connection.finish()


@pytest.fixture
async def filtering(made_filtering: Filtering) -> AsyncIterator[World]:
    store = open_store(polled(made_filtering.uri))
    oracle = Oracle(made_filtering.dsn)
    yield World(oracle, made_filtering.world.book, made_filtering.world.database, store)
    oracle.connection.finish()
    await store.close()


async def same(world: World, sql: str) -> bool:
    """Whether it was answered: what cannot be is left to PostgreSQL, and that is no fault."""
    try:
        await world.same(sql)
    except Inexact:
        return False
    return True


@pytest.mark.integration
@pytest.mark.parametrize(("place", "name"), PLACES)
async def test_a_comparison_finds_its_rows(filtering: World, place: str, name: str) -> None:
    answered = []
    for text in SAMPLES[name][1]:
        for comparison in COMPARISONS:
            condition = f"c {comparison} '{text}'::{name}"
            for asked in (condition, f"NOT ({condition})"):
                answered.append(await same(filtering, f"SELECT c FROM {place}_{name} WHERE {asked}"))
    assert sum(answered) > len(answered) / 2


@pytest.mark.integration
@pytest.mark.parametrize(("place", "name"), PLACES)
async def test_lists_and_null(filtering: World, place: str, name: str) -> None:
    one, other = (f"'{text}'::{name}" for text in SAMPLES[name][1][-2:])
    for condition in (
        f"c IN ({one}, {other})", f"c NOT IN ({one}, {other})", f"c IN ({one}, NULL)", f"c NOT IN ({one}, NULL)",
        f"NOT (c IN ({one}, {other}))", f"c = ANY ('{{}}'::{name}[])", f"c <> ALL ('{{}}'::{name}[])",
        f"c = ANY (ARRAY[NULL, {one}])", f"c <> ALL (ARRAY[NULL, {one}])", f"c = NULL::{name}",
        "c IS NULL", "c IS NOT NULL", f"(c = {one}) IS TRUE", f"(c = {one}) IS NOT TRUE", f"(c = {one}) IS FALSE",
        f"(c = {one}) IS NULL", f"c IS DISTINCT FROM {one}", f"c IS NOT DISTINCT FROM {one}",
        f"c = {one} OR c = {other}", f"NOT (c = {one} OR c = {other})", f"c <> {one} AND c IS NOT NULL",
        f"c BETWEEN {one} AND {other}", f"c NOT BETWEEN {one} AND {other}",
    ):  # fmt: skip
        assert await same(filtering, f"SELECT c FROM {place}_{name} WHERE {condition}"), condition


@pytest.mark.integration
@pytest.mark.parametrize("name", SAMPLES)
def test_which_comparisons_the_store_makes(filtering: World, name: str) -> None:
    text = SAMPLES[name][1][-1]
    for comparison in COMPARISONS:
        sql = f"SELECT id FROM f_{name} WHERE c {comparison} '{text}'::{name}"
        (asked,) = filtering.compile(sql).explain().questions
        if name in ("interval", "bpchar") or (name in MOMENTS and comparison == "<>"):
            assert "filter" not in asked, comparison
        elif name in EXACT:
            assert asked["filter is exact"], comparison


@pytest.mark.parametrize(
    ("oid", "value", "expected"),
    [
        (t.INT4, 5, Int64(5)),
        (t.TIME, 86_400_000_000, "24:00:00.000000"),
        (t.TIME, 1, "00:00:00.000001"),
        (t.TEXT, "x", "x"),
        (t.BOOL, True, True),
    ],
)
def test_a_value_as_documents_have_it(oid: int, value: Any, expected: Any) -> None:
    assert stored(oid, value) == expected
    assert type(stored(oid, value)) is type(expected)


def test_types_that_one_comparison_of_the_store_serves() -> None:
    assert comparable(t.INT2, t.INT8)
    assert comparable(t.TEXT, t.VARCHAR)
    assert comparable(t.FLOAT4, t.FLOAT8)
    for one, other in ((t.INT4, t.NUMERIC), (t.INT4, t.FLOAT8), (t.TEXT, t.BPCHAR), (t.DATE, t.TIMESTAMP)):
        assert not comparable(one, other)
        assert not comparable(other, one)
