"""What rules and settings say beside where writes go: `durability`, `ack`, `workers`, `transaction_memory`."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from tests.mirroring.conftest import on_newest
from tests.mirroring.drivers import MODES, connected
from tests.mirroring.relays import StoreRelay
from tests.mirroring.rig import MirrorProxy, Rig, eventually
from tests.mirroring.schema import ALL
from tests.mirroring.test_outages import load, store_address, unnoticed
from tests.mirroring.zygote import Zygote

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300), on_newest]

MakeRig = Callable[..., Rig]

ACK_SECONDS = 0.7
SLACK = 0.6
"""Seconds a reply may come after it was due, on a busy machine."""


@pytest.fixture
async def ruled(
    source: PostgresServer, tables: str, document_store: DocumentStore, zygote: Zygote, tmp_path: Path
) -> AsyncIterator[MakeRig]:
    """A rig whose rules say what is given."""
    made: list[Rig] = []

    def make(**defaults: Any) -> Rig:
        made.append(Rig(source, tables, document_store.uri, zygote, tmp_path, **defaults))
        return made[-1]

    yield make
    for rig in made:
        await rig.close()


def unclean(rig: Rig) -> set[str]:
    """Tables with that gap."""
    found = rig.gaps()
    assert {gap["cause"] for gap in found} <= {"unclean_end"}, found
    return {gap["table"] for gap in found}


async def write(rig: Rig, count: int = 3) -> None:
    async with connected(rig.proxies[0].address, "extended") as client:
        for number in range(count):
            await client.run("insert into items (name, qty) values ('option', $1)", number)


async def test_fast_ends_in_a_gap_only_where_it_is_killed(ruled: MakeRig) -> None:
    rig = ruled(durability="fast")
    (proxy,) = await rig.started(1)
    await write(rig)
    await rig.agree()
    assert await proxy.stop() == 0
    await proxy.start()
    await proxy.mirroring()
    await write(rig)
    await rig.agree()
    assert unclean(rig) == set()

    await proxy.kill()
    await proxy.start()
    every = {table.in_rules for table in ALL}
    await eventually(lambda: unclean(rig) == every, lambda: f"gaps {rig.gaps()}")
    await proxy.mirroring()
    await write(rig)
    await rig.covered()


async def test_strict_needs_none(ruled: MakeRig) -> None:
    rig = ruled()
    (proxy,) = await rig.started(1)
    await write(rig)
    await proxy.kill()
    await proxy.start()
    await proxy.mirroring()
    await rig.agree()
    assert await proxy.stop() == 0
    assert rig.gaps() == []


def document(rig: Rig, key: int) -> dict[str, Any] | None:
    return rig.client[rig.database]["items"].find_one({"_id": key})


@pytest.mark.parametrize("mode", MODES)
async def test_the_reply_waits_for_the_store(ruled: MakeRig, mode: str) -> None:
    rig = ruled(ack={"mode": "sync", "timeout": "30s"})
    (proxy,) = await rig.started(1)
    async with connected(proxy.address, mode) as client:
        for number in range(5):
            [(key,)] = await client.run("insert into items (name) values ('ack') returning id")
            assert (found := document(rig, key)) is not None
            assert found["name"] == "ack"
            await client.run("begin")
            await client.run("update items set qty = $2 where id = $1", key, number + 100)
            await client.run("commit")
            assert (found := document(rig, key)) is not None
            assert found["qty"] == number + 100
            await client.run("delete from items where id = $1", key)
            assert document(rig, key) is None
        await client.batch(
            [
                ("insert into items (id, name) values ($1, 'batch')", (5001,)),
                ("update items set qty = 8 where id = $1", (5001,)),
            ]
        )
        assert (found := document(rig, 5001)) is not None
        assert found["qty"] == 8
        if mode != "asyncpg":
            await client.script(
                "insert into items (id) values (5002); update items set qty = 9 where id = 5002"
            )
            assert (found := document(rig, 5002)) is not None
            assert found["qty"] == 9


async def test_the_reply_does_not_wait_for_ever(ruled: MakeRig, document_store: DocumentStore) -> None:
    rig = ruled(ack={"mode": "sync", "timeout": f"{int(ACK_SECONDS * 1000)}ms"})
    async with StoreRelay(store_address(document_store)) as relay:
        proxy = rig.proxy(store=f"mongodb://127.0.0.1:{relay.port}/?directConnection=true")
        await proxy.start()
        await proxy.mirroring()
        await rig.seed()
        await rig.agree()
        late = 0
        for gone in (False, True, False):
            if gone:
                await relay.leave()
            for mode in MODES:
                async with connected(proxy.address, mode) as client:
                    began = time.monotonic()
                    await client.run("update items set qty = qty + 1 where id = $1", 3)
                    took = time.monotonic() - began
                    if gone:
                        late += 1
                        assert ACK_SECONDS <= took < ACK_SECONDS + SLACK, mode
                    else:
                        assert took < ACK_SECONDS, mode
                    # What writes nothing waits for nothing.
                    began = time.monotonic()
                    await client.run("select 1")
                    assert time.monotonic() - began < ACK_SECONDS
            if gone:
                assert await counted(proxy, "acks_timed_out") == late
                await relay.listen()
                await rig.agree()
        assert await proxy.stop() == 0


async def counted(proxy: MirrorProxy, counter: str) -> int:
    """Of all tables."""
    reports = [table.mirror for table in (await proxy.status()).tables]
    return sum(getattr(report, counter) for report in reports if report is not None)


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_several_workers(ruled: MakeRig) -> None:
    """One of them is killed, then all are."""
    rig = ruled()
    proxy = rig.proxy(workers=2)
    await proxy.start()
    await proxy.mirroring()
    await rig.seed()

    async def quiet() -> None:
        await asyncio.sleep(2)

    unnoticed(rig, await load(rig, [proxy], quiet(), clients=8))
    await rig.agree()

    async def one_dies() -> None:
        await asyncio.sleep(0.5)
        os.kill(children(proxy.pid)[0], signal.SIGKILL)
        await asyncio.sleep(1.5)

    record = await load(rig, [proxy], one_dies(), clients=8, survivor=True)
    assert record.findings == []
    assert rig.missing(record.committed) == []
    await rig.agree()

    workers = children(proxy.pid)
    assert len(workers) == 2
    await proxy.kill()
    await eventually(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers),
        lambda: f"workers {workers} live on",
    )
    await proxy.start()
    await proxy.mirroring()
    await rig.agree()
    assert await proxy.stop() == 0


async def test_transactions_larger_than_their_memory(ruled: MakeRig) -> None:
    rig = ruled()
    proxy = rig.proxy(transaction_memory="4KiB", mirror_memory="64KiB")
    await proxy.start()
    await proxy.mirroring()
    await rig.seed()
    many = (
        "insert into items (name, note) select 'many ' || n, repeat('x', 300) from generate_series(1, 400) n"
    )
    async with connected(proxy.address, "extended") as client:
        await client.run("begin")
        await client.run(many)
        await client.run("savepoint a")
        await client.run("update items set note = 'taken back', qty = -1")
        await client.run("savepoint b")
        await client.run("delete from items where id % 2 = 0")
        await client.run("rollback to a")
        await client.run("update items set qty = 17 where id % 3 = 0")
        await client.run("commit")
        await rig.agree()
        assert await counted(proxy, "spooled") > 400

        await client.run("begin")
        await client.run("update items set note = 'rolled back'")
        await client.run("rollback")
        await rig.agree()

        await client.run("begin")
        await client.run("update items set note = 'never committed', name = repeat('y', 300)")
    async with connected(proxy.address, "simple") as client:
        await client.run("begin")
        await client.run("update items set note = 'committed', name = repeat('z', 300)")
        await client.run("commit")
        await proxy.kill()
    await proxy.start()
    await proxy.mirroring()
    await rig.agree()
    assert await proxy.stop() == 0
