"""The whole shop on PostgreSQL itself."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import asyncpg
import pytest

from demo.audit import audit_shop
from demo.clerks import Report, run
from demo.shop_process import ShopProcess
from devstack.postgres import PostgresServer


@pytest.mark.integration
async def test_the_books_balance(postgres: PostgresServer, database: str) -> None:
    stop = asyncio.Event()
    reports: list[Report] = []

    def say(report: Report) -> None:
        reports.append(report)
        if report.orders >= 20 and report.payments >= 5:
            stop.set()

    last = await run(postgres.dsn(database), clerks=4, think=0.001, stop=stop, say=say, make_tables=True)
    assert last == reports[-1]
    assert (last.errors, last.reconnects, last.connections, last.closed) == (0, 0, 4, True)
    connection = await asyncpg.connect(postgres.dsn(database))
    try:
        assert await audit_shop(connection, last) == []
    finally:
        await connection.close()


@pytest.mark.integration
async def test_an_error_is_counted_and_told(postgres: PostgresServer, database: str) -> None:
    stop = asyncio.Event()
    dsn = postgres.dsn(database)
    renaming: list[asyncio.Task[str]] = []

    def say(report: Report) -> None:
        if report.actions and not renaming:
            # In a thread: it waits for the clerks' locks, and the clerks run on this loop.
            rename = asyncio.to_thread(postgres.psql, "alter table order_items rename to items", database)
            renaming.append(asyncio.ensure_future(rename))
        if report.errors:
            stop.set()

    last = await run(dsn, clerks=2, think=0.001, stop=stop, say=say, make_tables=True)
    await asyncio.gather(*renaming)
    assert last.errors > 0
    assert "order_items" in last.last_error


@pytest.mark.integration
async def test_a_broken_connection_is_a_reconnect(postgres: PostgresServer, database: str) -> None:
    stop = asyncio.Event()
    kill = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'"
    killed = False

    def say(report: Report) -> None:
        nonlocal killed
        if report.actions and not killed:
            killed = True
            postgres.psql(kill)
        if report.reconnects:
            stop.set()

    last = await run(postgres.dsn(database), clerks=2, think=0.001, stop=stop, say=say, make_tables=True)
    assert last.reconnects > 0


@pytest.mark.integration
async def test_as_a_process_it_opens_sells_and_closes_when_its_input_ends(
    postgres: PostgresServer, database: str
) -> None:
    selling = asyncio.Event()

    def told(report: Report) -> None:
        if report.orders:
            selling.set()

    process = await ShopProcess.start(
        postgres.dsn(database, "causeway_scram", "secret"),
        clerks=2,
        think=0.001,
        on_report=told,
        make_tables=True,
    )
    try:
        await process.opened()
        await asyncio.wait_for(selling.wait(), 20)
        process.check()
        last = await process.close_shop()
    finally:
        await process.close()
    assert last.closed
    assert last.orders > 0
    assert last.errors == 0


def test_it_wants_a_dsn() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "demo.clerks"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "DATABASE_URL" in done.stderr


def test_a_report_survives_the_way_between_processes() -> None:
    report = Report(actions=3, orders=2, p50=0.5, closed=True)
    assert Report(**json.loads(json.dumps(report.__dict__))) == report
