"""PostgreSQL asked again: what the client would have got, in a transaction that writes nothing and has an end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from devstack.postgres import PostgresServer
from proxy.shadow.source import Answer, ReadSource, SourceFailed
from proxy.translate.api import SessionSettings, TooMuch

pytestmark = pytest.mark.integration


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    with postgres.database("asked") as name:
        with psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
            connection.execute(
                "create schema other; create sequence other.s;"
                "create table other.t (id int, note text, at timestamptz, f float8)"
            )
            connection.execute(
                r"insert into other.t values (1, E'a\tb\\c\nd', '2024-06-01 12:00+00', 0.1), (2, null, null, 'nan')"
            )
        yield name


@pytest.fixture
async def source(postgres: PostgresServer, database: str) -> AsyncIterator[ReadSource]:
    made = ReadSource(postgres.dsn(database))
    yield made
    await made.close()


async def ask(source: ReadSource, database: str, query: str, **more: object) -> Answer:
    values = {"timeout": 5.0, "max_bytes": 1 << 20, **more}
    session = SessionSettings(time_zone="Asia/Tokyo", date_style="ISO, DMY")
    return await source.ask(database, query, ("other", "public"), session, **values)  # type: ignore[arg-type]


async def test_rows_come_as_the_session_would_have_them(source: ReadSource, database: str) -> None:
    found = await ask(source, database, "select * from t order by id -- all", twice=True)
    assert found.rows == [("1", "a\tb\\c\nd", "2024-06-01 21:00:00+09", "0.1"), ("2", None, None, "NaN")]
    assert found.again == found.rows
    assert found.described == (("id", 23), ("note", 25), ("at", 1184), ("f", 701))
    assert (await ask(source, database, "select 1 where false")).rows == []


async def test_positions_rise_and_the_time_is_the_transactions(
    source: ReadSource, database: str, postgres: PostgresServer
) -> None:
    first = await ask(source, database, "select now() = transaction_timestamp(), id from t")
    with psycopg.connect(postgres.dsn(database), autocommit=True) as connection:
        connection.execute("insert into other.t (id) values (3)")
    second = await ask(source, database, "select id from t")
    assert second.position > first.position > 0
    assert second.now > first.now > 24 * 365 * 86_400 * 1_000_000
    assert len(second.rows) == 3


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("select nextval('none')", "SQLSTATE 42P01"),
        ("select 1/0", "SQLSTATE 22012"),
        ("select pg_sleep(10)", "in time"),
        ("select nextval('other.s')", "SQLSTATE 25006"),
    ],
)
async def test_refusals_are_said_without_values(
    source: ReadSource, database: str, query: str, reason: str
) -> None:
    with pytest.raises(SourceFailed, match=reason):
        await ask(source, database, query, timeout=0.5)
    assert (await ask(source, database, "select 7")).rows == [("7",)], "the connection is good again"


async def test_large_results_are_cut_off(source: ReadSource, database: str) -> None:
    with pytest.raises(TooMuch):
        await ask(source, database, "select repeat('x', 100) from generate_series(1, 1000)", max_bytes=5000)
    assert (await ask(source, database, "select 7")).rows == [("7",)]


async def test_a_source_that_is_away_is_said_to_be() -> None:
    source = ReadSource("postgresql://postgres@127.0.0.1:1/x")
    with pytest.raises(SourceFailed, match="reached"):
        await ask(source, "x", "select 1")
