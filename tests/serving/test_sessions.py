"""What sessions may rely on while their reads are served: own writes, locks, isolation, privileges, cancel."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
import pytest
from pymongo import MongoClient

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from tests.mirroring.relays import StoreRelay
from tests.mirroring.rig import eventually
from tests.mirroring.zygote import Zygote
from tests.serving.rig import ServingRig, run
from tests.shadow.rig import SHOP
from tests.support.fleet import forget_fleet

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.mark.parametrize("ack", ["sync", "async"])
async def test_a_session_always_reads_what_it_has_written(rig: ServingRig, ack: str) -> None:
    """Through two proxies, also where no reply waits for the store; at the end it holds the same as PostgreSQL."""
    rig.rule({name: {"ack": ack} for name in ("customers", "orders", "lines")})
    await rig.start(2)

    def write(worker: int) -> None:
        mine = 900 + worker
        with rig.connect(worker % 2) as client:
            for turn in range(60):
                client.execute("update customers set name = %s where id = %s", (f"{turn}", worker))
                for _ in range(3):
                    found = client.execute("select name from customers where id = %s", (worker,)).fetchone()
                    assert found == (f"{turn}",)
                if turn % 10 == 0:
                    with client.transaction():
                        client.execute("insert into lines values (%s, %s, 'x')", (mine, turn))
                        assert lines(client, mine) == 1
                    assert lines(client, mine) == 1
                    with client.transaction():
                        client.execute("delete from lines where order_id = %s", (mine,))
                assert lines(client, mine) == 0

    await asyncio.gather(*(run(write, worker) for worker in range(1, 7)))
    found = await rig.reads(0) + await rig.reads(1)
    if ack == "sync":  # else it is the mirror's pace that decides
        assert found["store"] > 100, found
    with rig.connect(0) as client:
        client.execute("update customers set name = 'at rest' where id = 1")

        async def served() -> bool:
            before = (await rig.reads(0))["store"]
            assert client.execute("select name from customers where id = 1").fetchone() == ("at rest",)
            return (await rig.reads(0))["store"] == before + 1

        await eventually(served, lambda: "the session's own write does not arrive")
    await rig.quiet()
    with rig.direct() as direct:
        rows = dict(direct.execute("select id, name from customers").fetchall())
    assert {document["_id"]: document["name"] for document in rig.collection("customers").find()} == rows


def lines(client: psycopg.Connection[Any], order: int) -> int:
    found = client.execute("select count(*) from lines where order_id = %s", (order,)).fetchone()
    assert found is not None
    return int(found[0])


async def test_transactions_read_from_one_side(rig: ServingRig) -> None:
    await rig.start()

    def ask() -> None:
        read = "select name from customers where id = 7"
        with rig.connect() as one, rig.connect() as other:
            # REPEATABLE READ and SERIALIZABLE have a snapshot that the store has not.
            for level in ("repeatable read", "serializable"):
                one.execute(f"begin isolation level {level}".encode())
                before = one.execute(read).fetchone()
                other.execute("update customers set name = name || '!' where id = 7")
                assert one.execute(read).fetchone() == before
                one.execute("rollback")
            # READ COMMITTED has one for each statement.
            one.execute("begin")
            before = one.execute(read).fetchone()
            other.execute("update customers set name = name || '!' where id = 7")
            after = one.execute(read).fetchone()
            assert before is not None
            assert after == (before[0] + "!",)
            one.execute("commit")
            # What is locked is locked on PostgreSQL, and what is not committed is seen.
            one.execute("begin")
            one.execute("select id from customers where id = 7 for update")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute("select id from customers where id = 7 for update nowait")
            one.execute("update customers set name = 'mine' where id = 7")
            assert one.execute(read).fetchone() == ("mine",)
            assert other.execute(read).fetchone() != ("mine",)
            one.execute("savepoint s")
            one.execute("delete from lines where order_id = 50")
            one.execute("rollback to s")
            assert lines(one, 50) == 2
            one.execute("rollback")
            # A temporary table goes before one of the same name.
            other.execute("create temporary table customers as select 7 as id, 'temporary' as name")
            assert other.execute(read).fetchone() == ("temporary",)
            other.execute("discard all")
            assert other.execute(read).fetchone() != ("temporary",)

    await run(ask)
    found = await rig.reads()
    assert found["store"] >= 3, found


async def test_nobody_sees_a_row_he_may_not_see(rig: ServingRig) -> None:
    with rig.direct() as direct:
        direct.execute(
            "do $$ begin create role served_clerk login; exception when duplicate_object then null; end $$"
        )
        direct.execute("grant select (id, name) on customers to served_clerk")
        direct.execute("grant select on orders to served_clerk")
        direct.execute("alter table orders enable row level security")
        direct.execute("create policy mine on orders to served_clerk using (customer = 3)")
    await rig.start()

    def ask() -> None:
        address = rig.proxies[0].address
        clerk = psycopg.connect(
            host=address.host, port=address.port, dbname=rig.database, user="served_clerk", autocommit=True
        )
        with clerk, rig.connect() as owner:
            assert owner.execute("select count(*) from orders where id < 100").fetchone() == (99,)
            assert clerk.execute("select count(distinct customer) from orders").fetchone() == (1,)
            assert clerk.execute("select name from customers where id = 7").fetchone() == ("customer 7",)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                clerk.execute("select email from customers where id = 7")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                clerk.execute("select * from lines where order_id = 1")
            # Whoever takes another role reads as that role.
            owner.execute("set role served_clerk")
            assert owner.execute("select count(distinct customer) from orders").fetchone() == (1,)
            owner.execute("reset role")
            assert owner.execute("select count(*) from orders where id < 100").fetchone() == (99,)
            # What is taken away is taken away at once.
            owner.execute("grant select on lines to served_clerk")
            assert clerk.execute("select count(*) from lines where order_id = 1").fetchone() == (2,)
            owner.execute("revoke select on lines from served_clerk")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                clerk.execute("select count(*) from lines where order_id = 1")

    try:
        await run(ask)
    finally:
        with rig.direct() as direct:
            direct.execute("drop owned by served_clerk")
            direct.execute("drop role served_clerk")


@pytest.fixture
async def behind(
    shop_source: PostgresServer, document_store: DocumentStore, zygote: Zygote, tmp_path: Path
) -> AsyncIterator[tuple[ServingRig, StoreRelay]]:
    """A rig whose proxies reach the store through a relay."""
    forget_fleet(document_store.uri)
    host, port = document_store.uri.partition("://")[2].rpartition("@")[2].partition("/")[0].split(":")
    relay = StoreRelay((host, int(port)))
    async with relay:
        with shop_source.database("served_relay") as name:
            with psycopg.connect(shop_source.dsn(name), autocommit=True) as connection:
                connection.execute(SHOP)
            made = ServingRig(
                shop_source,
                name,
                document_store.uri.replace(f"{host}:{port}", f"127.0.0.1:{relay.port}"),
                zygote,
                tmp_path,
            )
            made.client.close()
            made.client = MongoClient(document_store.uri)
            made.forget()
            yield made, relay
            relay.flowing.set()
            await made.close()


async def test_a_read_is_cancelled_as_postgresql_cancels_it(behind: tuple[ServingRig, StoreRelay]) -> None:
    rig, relay = behind
    rig.rule(timeout="60s")
    await rig.start()
    loop = asyncio.get_running_loop()

    def ask(begin: bool) -> str:
        with rig.connect() as client:
            client.execute("select name from customers where id = 7")
            if begin:
                client.execute("begin")
            loop.call_soon_threadsafe(relay.flowing.clear)
            timer = threading.Timer(0.5, client.cancel)
            timer.start()
            with pytest.raises(psycopg.errors.QueryCanceled) as caught:
                client.execute("select name from customers where id = 8")
            loop.call_soon_threadsafe(relay.flowing.set)
            assert str(caught.value).startswith("canceling statement due to user request")
            if begin:
                with pytest.raises(psycopg.errors.InFailedSqlTransaction):
                    client.execute("select name from customers where id = 9")
                client.execute("rollback")
            assert client.execute("select name from customers where id = 9").fetchone() == ("customer 9",)
        return str(caught.value.diag.sqlstate)

    assert await run(ask, False) == "57014"
    assert await run(ask, True) == "57014"


async def test_a_statement_timeout_is_postgresqls(behind: tuple[ServingRig, StoreRelay]) -> None:
    rig, relay = behind
    rig.rule(timeout="60s")
    await rig.start()
    loop = asyncio.get_running_loop()

    def ask() -> None:
        with rig.connect() as client:
            client.execute("set statement_timeout = '300ms'")
            loop.call_soon_threadsafe(relay.flowing.clear)
            # PostgreSQL is asked when the store has not answered by then, and does so in time.
            assert client.execute("select name from customers where id = 7").fetchone() == ("customer 7",)
            loop.call_soon_threadsafe(relay.flowing.set)

    await run(ask)
    found = await rig.reads()
    assert found["the store took too long"] == 1, found


async def test_a_store_that_goes_and_comes_is_not_noticed(behind: tuple[ServingRig, StoreRelay]) -> None:
    rig, relay = behind
    rig.rule(timeout="300ms")
    await rig.start()
    over = threading.Event()
    slowest: list[float] = []

    def load(worker: int) -> int:
        turns = 0
        with rig.connect() as client:
            while not over.is_set():
                began = perf_counter()
                found = client.execute("select name from customers where id = %s", (worker,)).fetchone()
                slowest.append(perf_counter() - began)
                assert found == (f"customer {worker}",)
                turns += 1
        return turns

    async def outages() -> None:
        await asyncio.sleep(1)
        await relay.leave()
        await asyncio.sleep(2)
        await relay.listen()
        await asyncio.sleep(2)
        relay.flowing.clear()
        await asyncio.sleep(2)
        relay.flowing.set()
        await asyncio.sleep(1)

    try:
        work = [asyncio.create_task(run(load, worker)) for worker in range(1, 5)]
        await outages()
        served = (await rig.reads())["store"]

        async def again() -> bool:
            return (await rig.reads())["store"] > served + 50

        await eventually(again, lambda: "the store is not asked any more")
    finally:
        over.set()
    assert sum(await asyncio.gather(*work)) > 100
    slowest.sort()
    assert slowest[int(len(slowest) * 0.99)] < 1.5, "the deadline bounds what an outage costs"
