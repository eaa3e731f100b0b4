"""What the source says of itself, asked of a real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from devstack.postgres import PostgresServer
from proxy.backfill.run import Tuning
from proxy.backfill.throttle import (
    LAG,
    MAX_MOMENTS,
    Replicas,
    ThrottleError,
    probe,
    rest_after,
    slow_store,
)
from proxy.catalog.source import SourceDatabase, SourceRefused
from tests.mirroring.rig import eventually


@pytest.fixture
async def source(postgres: PostgresServer, database: str) -> AsyncIterator[SourceDatabase]:
    found = SourceDatabase(postgres.dsn(), database)
    yield found
    await found.close()


@pytest.mark.integration
async def test_nothing_is_asked_without_limits(source: SourceDatabase) -> None:
    assert await probe(source, Tuning(), Replicas()) == ""


@pytest.mark.integration
async def test_a_query_of_the_user_s(source: SourceDatabase) -> None:
    assert await probe(source, Tuning(query="select 7", query_limit=7.0), Replicas()) == ""
    assert await probe(source, Tuning(query="select 7.5", query_limit=7.0), Replicas()) == (
        "the throttle's query gave 7.5 > 7"
    )
    for query in ("select 1, 2", "select 'x'", "select null", "values (1), (2)", "select 'NaN'::float8"):
        with pytest.raises(ThrottleError, match="number"):
            await probe(source, Tuning(query=query), Replicas())
    with pytest.raises(SourceRefused):
        await probe(source, Tuning(query="select nothing"), Replicas())


@pytest.mark.integration
async def test_active_sessions(source: SourceDatabase, postgres: PostgresServer, database: str) -> None:
    limit = Tuning(max_sessions=1)
    connections = [await asyncpg.connect(postgres.dsn(database)) for _ in range(2)]
    try:
        busy = [asyncio.create_task(one.execute("select pg_sleep(30)")) for one in connections]
        said: list[str] = []

        async def held_back() -> bool:
            said.append(await probe(source, limit, Replicas()))
            return bool(said[-1])

        await eventually(held_back, lambda: "the sessions are not seen")
        assert "active sessions > 1" in said[-1]
    finally:
        for one in connections:
            one.terminate()
        await asyncio.gather(*busy, return_exceptions=True)


@pytest.mark.integration
async def test_a_role_that_sees_nothing_is_an_error_not_a_free_pass(
    postgres: PostgresServer, database: str
) -> None:
    postgres.psql("create role blind_throttle login password 'x'", database)
    try:
        dsn = postgres.dsn(database).replace("postgres@", "blind_throttle:x@", 1)
        source = SourceDatabase(dsn, database)
        try:
            with pytest.raises(ThrottleError, match="pg_read_all_stats"):
                await probe(source, Tuning(max_sessions=5), Replicas())
        finally:
            await source.close()
    finally:
        postgres.psql("drop role blind_throttle", database)


class Behind:
    """A source of which the replicas are behind."""

    def __init__(self, *rows: tuple[int, int, float | None]) -> None:
        self.rows = rows

    async def fetch(self, query: str, *arguments: object, timeout: float | None = None) -> list[Any]:
        return list(self.rows) if query == LAG else [(True,)]


async def test_replication_lag() -> None:
    behind = Behind((9 << 20, 8 << 20, None), (9 << 20, 6 << 20, 12.34))
    assert await probe(behind, Tuning(max_lag_bytes=2 << 20), Replicas()) == (
        "replication lag of 3.0MiB > 2MiB"
    )
    assert await probe(behind, Tuning(max_lag_seconds=10.0), Replicas()) == "replication lag of 12.3s > 10s"
    assert await probe(behind, Tuning(max_lag_bytes=4 << 20, max_lag_seconds=20.0), Replicas()) == ""
    assert await probe(Behind(), Tuning(max_lag_bytes=1, max_lag_seconds=1.0), Replicas()) == ""


def test_a_replica_that_stands_still_is_further_behind_with_time() -> None:
    now = 0.0
    replicas = Replicas(lambda: now)
    assert replicas.look([(100, 100, None)]) == (0, 0.0)
    now = 10.0
    assert replicas.look([(150, 100, None)]) == (50, 0.0)
    now = 14.0
    assert replicas.look([(180, 100, None)]) == (80, 4.0)
    now = 16.0
    assert replicas.look([(190, 150, None), (190, 190, 0.5)]) == (40, 2.0), "150 is done, 180 is not"
    now = 18.0
    assert replicas.look([(190, 190, 0.1)]) == (0, 0.1)
    now = 20.0
    assert replicas.look([(200, 190, 9.0)]) == (10, 9.0)
    assert replicas.look([]) == (0, 0.0)


def test_what_is_remembered_is_bounded() -> None:
    now = 0.0
    replicas = Replicas(lambda: now)
    for turn in range(3 * MAX_MOMENTS):
        now = float(turn)
        found = replicas.look([(turn + 1, 0, None)])
    assert found == (3 * MAX_MOMENTS, now)
    assert len(replicas._moments) == MAX_MOMENTS


@pytest.mark.integration
async def test_the_lag_can_be_asked_where_there_is_no_replica(source: SourceDatabase) -> None:
    assert await probe(source, Tuning(max_lag_bytes=1, max_lag_seconds=1.0), Replicas()) == ""


def test_rest_grows_with_the_latency() -> None:
    assert rest_after(0.5, 0.0) == 0.0
    assert rest_after(0.5, 0.5) == 0.0
    assert rest_after(1.0, 0.5) == 2.0
    assert rest_after(100.0, 0.5) == 10.0
    assert slow_store(0.8, 0.5) == "the store took 800ms for a write > 500ms"
