"""A backfill of a source with a real standby rests while that is behind, and goes on when it has caught up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer, start_postgres
from devstack.standby import start_standby
from proxy.backfill.member import open_member
from proxy.backfill.run import Status
from tests.backfill.copy_world import OFFLINE, CopyWorld, copy_world
from tests.mirroring.rig import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

ROWS = 4000
TABLES = f"""
create table orders (id int primary key, note text);
insert into orders select n, 'note ' || n from generate_series(1, {ROWS}) n;
create table busy (id int primary key, note text);
insert into busy select n, repeat('x', 500) from generate_series(1, 500) n;
"""
RULES = "tables:\n  orders: {phase: backfill}\n"


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary and its standby."""
    with start_postgres() as primary, start_standby(primary) as standby:
        yield primary, standby


@pytest.fixture
def world(
    servers: tuple[PostgresServer, PostgresServer], document_store: DocumentStore, tmp_path: Path
) -> Iterator[CopyWorld]:
    with copy_world(servers[0], document_store, tmp_path, TABLES, RULES) as made:
        yield made


@pytest.mark.parametrize(
    ("limits", "said"),
    [({"max_lag_bytes": 64 << 10}, "KiB"), ({"max_lag_seconds": 3.0}, "s > 3s")],
    ids=["bytes", "seconds"],
)
async def test_a_replica_that_is_behind_is_waited_for(
    world: CopyWorld, servers: tuple[PostgresServer, PostgresServer], limits: dict[str, Any], said: str
) -> None:
    primary, standby = servers

    async def caught_up() -> bool:
        found = await asyncio.to_thread(
            primary.psql, "SELECT bool_and(replay_lsn >= pg_current_wal_lsn()) FROM pg_stat_replication"
        )
        return found == "t"

    await eventually(caught_up, lambda: "the standby does not follow")
    slow = {"chunk_rows": 20, "rate": 200.0, "concurrency": 1, **limits}
    async with open_member(world.settings(), "backfill") as member:
        work = asyncio.create_task(world.worker(member, "orders", replace(OFFLINE, tuning=slow)).work())
        await eventually(lambda: world.has_copied("orders", 100), lambda: "nothing is copied")
        standby.psql("SELECT pg_wal_replay_pause()")
        try:
            world.sql("update busy set note = repeat('y', 500)")
            await eventually(
                lambda: "replication lag" in world.throttled("orders"), lambda: "it does not rest"
            )
            assert said in world.throttled("orders")
            await eventually(lambda: not world.run("orders").claims, lambda: "a chunk is still under way")
            before = world.rows_copied("orders")
            await asyncio.sleep(2.0)  # four hundred rows long
            assert world.rows_copied("orders") == before < ROWS
            assert not work.done()
        finally:
            standby.psql("SELECT pg_wal_replay_resume()")
        await eventually(lambda: world.has_copied("orders", before + 100), lambda: "it does not go on")
        assert world.throttled("orders") == "" or "rate" in world.throttled("orders")
        async with asyncio.timeout(60):
            assert (await work).status is Status.DONE
    assert world.ids("orders") == list(range(1, ROWS + 1))
