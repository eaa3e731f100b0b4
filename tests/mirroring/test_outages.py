"""A store that is away, silent, late or unwilling: the application notices nothing, and afterwards all is there.

`CAUSEWAY_TEST_OUTAGE_SECONDS=60`, as in CI, is how long it is away or late instead of a few seconds.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest

from devstack.document_store import DocumentStore
from devstack.documentdb import DocumentDb
from tests.mirroring.actions import Sight, available
from tests.mirroring.conftest import SCALE, on_newest
from tests.mirroring.drivers import MODES
from tests.mirroring.relays import StoreRelay
from tests.mirroring.rig import PATIENCE, MirrorProxy, Rig
from tests.mirroring.workload import Record, Writer

OUTAGE = 3.0 * SCALE
"""Seconds; longer than STORE_TIMEOUT, which a reply that waited for the store would show."""
STORE_TIMEOUT = "2s"
LONG = float(os.environ.get("CAUSEWAY_TEST_OUTAGE_SECONDS", OUTAGE))
"""Seconds in which nothing arrives at all, or only late."""
LATE = min(LONG * 0.9, 30.0)
"""Seconds a request waits."""
UNNOTICED = 1.5
"""Seconds the slowest statement may take, deadlocks and a busy machine included."""

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300 + 30 * OUTAGE + 2 * LONG), on_newest]

Outage = Callable[[StoreRelay], Awaitable[None]]


async def away(relay: StoreRelay) -> None:
    await relay.leave()
    await asyncio.sleep(LONG)
    await relay.listen()


async def silent(relay: StoreRelay) -> None:
    relay.flowing.clear()
    await asyncio.sleep(OUTAGE)
    relay.flowing.set()


async def late(relay: StoreRelay) -> None:
    """Beyond the proxy's own patience: every write is tried again although it was carried out."""
    relay.delay = LATE
    await asyncio.sleep(LONG)
    relay.delay = 0.0


async def slow(relay: StoreRelay) -> None:
    relay.delay = 0.5
    await asyncio.sleep(OUTAGE)
    relay.delay = 0.0


async def shutting_down(relay: StoreRelay) -> None:
    relay.error = 91
    await asyncio.sleep(OUTAGE)
    relay.error = None


async def unwilling(relay: StoreRelay) -> None:
    """Unauthorized: somebody will put it right."""
    relay.error = 13
    await asyncio.sleep(OUTAGE)
    relay.error = None


async def flapping(relay: StoreRelay) -> None:
    for _ in range(int(OUTAGE / 0.2)):
        relay.sever()
        await asyncio.sleep(0.2)


async def load(
    rig: Rig,
    proxies: list[MirrorProxy],
    meanwhile: Awaitable[None],
    *,
    clients: int = 6,
    survivor: bool = False,
) -> Record:
    """What the clients see while `meanwhile` happens. `survivor`: they may lose their connections."""
    stop = asyncio.Event()
    writers = [
        Writer(
            number,
            1,
            proxies[number % len(proxies)].address,
            MODES[number % len(MODES)],
            available(rig.source.major, Sight.CAPTURED),
            survivor=survivor,
        )
        for number in range(clients)
    ]
    running = asyncio.gather(*(writer.perform(None, stop) for writer in writers))
    try:
        await meanwhile
    finally:
        stop.set()
    record = Record()
    for one in await running:
        record.merge(one)
    return record


def unnoticed(rig: Rig, record: Record) -> None:
    assert record.findings == []
    assert record.lost == 0
    assert record.slowest < UNNOTICED
    assert rig.missing(record.committed) == []


def store_address(store: DocumentStore) -> tuple[str, int]:
    authority = store.uri.partition("://")[2].partition("/")[0].rpartition("@")[2]
    host, _, port = authority.partition(":")
    return host, int(port or 27017)


@pytest.mark.parametrize("outage", [away, silent, late, slow, shutting_down, unwilling, flapping])
async def test_the_application_notices_nothing(
    rig: Rig, document_store: DocumentStore, outage: Outage
) -> None:
    async with StoreRelay(store_address(document_store)) as relay:
        proxy = rig.proxy(
            store=f"mongodb://127.0.0.1:{relay.port}/?directConnection=true", store_timeout=STORE_TIMEOUT
        )
        await proxy.start()
        await proxy.mirroring()
        await rig.seed()
        record = await load(rig, [proxy], outage(relay))
        unnoticed(rig, record)
        await rig.agree(patience=PATIENCE + LONG)
        assert await proxy.stop() == 0


async def test_a_store_killed_in_the_middle_of_batches(rig: Rig, document_store: DocumentStore) -> None:
    if not isinstance(document_store, DocumentDb):
        pytest.skip("only a store of our own can be killed")
    proxies = await rig.started(2)

    async def kills() -> None:
        for _ in range(max(2, int(3 * SCALE))):
            await asyncio.sleep(0.3)
            await asyncio.to_thread(document_store.stop_gateway)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(document_store.start_gateway)

    try:
        record = await load(rig, proxies, kills())
    finally:
        if document_store.gateway_pid is None:
            document_store.start_gateway()
    unnoticed(rig, record)
    await rig.agree()


async def test_a_store_that_is_away_at_the_start(rig: Rig, document_store: DocumentStore) -> None:
    """The proxy mirrors from its first statement; it is stopped, and started, before the store is there."""
    relay = StoreRelay(store_address(document_store))
    await relay.listen()
    await relay.leave()
    proxy = rig.proxy(
        store=f"mongodb://127.0.0.1:{relay.port}/?directConnection=true&serverSelectionTimeoutMS=500",
        store_timeout=STORE_TIMEOUT,
        drain_timeout="1s",
    )
    await proxy.start()
    await proxy.mirroring()
    await rig.seed()

    async def restart() -> None:
        await asyncio.sleep(OUTAGE / 2)

    unnoticed(rig, await load(rig, [proxy], restart()))
    assert await proxy.stop() == 0
    await proxy.start()
    await proxy.mirroring()
    unnoticed(rig, await load(rig, [proxy], restart(), clients=2))
    await relay.listen()
    try:
        await rig.agree()
    finally:
        await relay.leave()
