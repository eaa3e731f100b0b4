"""psycopg 3 on asyncio: concurrency, cancellation, pools, pipelines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import psycopg_pool
import pytest

from tests.clients.endpoint import Endpoint, await_running
from tests.clients.reading import Readings, with_marker

pytestmark = pytest.mark.integration

AsyncConnection = psycopg.AsyncConnection[tuple[Any, ...]]


@pytest.fixture
async def aconnection(endpoint: Endpoint) -> AsyncIterator[AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(endpoint.dsn()) as connection:
        yield connection


async def test_async_concurrency_and_cancellation(
    endpoint: Endpoint, direct: Endpoint, aconnection: AsyncConnection
) -> None:
    async with aconnection.cursor() as cursor:
        await cursor.execute("CREATE TABLE t (id int PRIMARY KEY, n int)")
        await cursor.executemany("INSERT INTO t VALUES (%s, %s)", [(n, n * n) for n in range(1000)])
    await aconnection.commit()

    async def worker(number: int) -> int:
        async with await psycopg.AsyncConnection.connect(endpoint.dsn(), autocommit=True) as connection:
            total = 0
            for n in range(20):
                cursor = await connection.execute("SELECT n FROM t WHERE id = %s", [number * 20 + n])
                row = await cursor.fetchone()
                assert row is not None
                total += row[0]
            return total

    assert sum(await asyncio.gather(*(worker(n) for n in range(10)))) == sum(n * n for n in range(200))

    task = asyncio.create_task(aconnection.execute("SELECT pg_sleep(2000)"))
    await asyncio.to_thread(await_running, direct, "pg_sleep(2000)")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await aconnection.rollback()
    cursor = await aconnection.execute("SELECT count(*) FROM t")
    assert await cursor.fetchone() == (1000,)


async def test_pools(endpoint: Endpoint, direct: Endpoint) -> None:
    async with psycopg_pool.AsyncConnectionPool(
        endpoint.dsn(), min_size=2, max_size=5, check=psycopg_pool.AsyncConnectionPool.check_connection
    ) as pool:

        async def one(n: int) -> tuple[int, int]:
            async with pool.connection() as connection:
                row = await (await connection.execute("SELECT pg_backend_pid(), %s::int", [n])).fetchone()
                assert row is not None
                return row[0], row[1]

        answers = await asyncio.gather(*(one(n) for n in range(100)))
        assert [n for _, n in answers] == list(range(100))
        pids = {pid for pid, _ in answers}
        assert len(pids) <= 5
        await asyncio.to_thread(direct.query, "SELECT pg_terminate_backend(%s, 10000)", pids.pop())
        replaced = await asyncio.gather(*(one(n) for n in range(50)))
        assert [n for _, n in replaced] == list(range(50))


async def test_async_pipeline_copy_and_cursor(aconnection: AsyncConnection) -> None:
    async with aconnection.pipeline():
        await aconnection.execute("CREATE TABLE t (n int, w text)")
        cursors = [
            await aconnection.execute("INSERT INTO t VALUES (%s, %s) RETURNING n", [n, "w"])
            for n in range(200)
        ]
        assert [await cursor.fetchone() for cursor in cursors] == [(n,) for n in range(200)]
    async with aconnection.cursor() as cursor, cursor.copy("COPY t FROM STDIN") as copy:
        for n in range(5000):
            await copy.write_row((n, "copied"))
    async with aconnection.cursor(name="portions", binary=True) as portions:
        portions.itersize = 100
        await portions.execute("SELECT n FROM t WHERE w = 'copied' ORDER BY n")
        assert [row[0] async for row in portions] == list(range(5000))


@pytest.mark.parametrize("binary", [False, True])
async def test_reads_of_a_table(readings: Readings, binary: bool) -> None:
    """From several tasks at once, each with prepared statements of its own."""

    async def reader(endpoint: Endpoint) -> list[Any]:
        async with await psycopg.AsyncConnection.connect(
            endpoint.dsn(), autocommit=True, prepare_threshold=1
        ) as connection:
            found = []
            for text, value in with_marker("%s") * 3:
                cursor = await connection.cursor(binary=binary).execute(text, [value])
                found.append(await cursor.fetchall())
            return found

    expected = await reader(readings.direct)
    assert await asyncio.gather(*(reader(readings.endpoint) for _ in range(3))) == [expected] * 3
