"""The proxy is killed with SIGKILL, at every boundary and at any instant, under load: nothing is lost.

After each kill it starts again on its spool while the clients go on. In the end every table equals its collection, no
gap is open, and what a client saw committed is there. `CAUSEWAY_TEST_KILLS=6`, as in CI, makes it some hundreds.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from devstack.document_store import DocumentStore
from proxy.stores.sweeper import DEFAULT_LATE_SWEEP
from tests.mirroring.actions import Action, Sight, available
from tests.mirroring.conftest import SCALE, on_newest_unless_scaled
from tests.mirroring.drivers import MODES
from tests.mirroring.relays import WRITES, Gate, Message, PostgresRelay, Relay, StoreRelay, body
from tests.mirroring.rig import STATE_DATABASE, MirrorProxy, Rig
from tests.mirroring.test_outages import store_address
from tests.mirroring.workload import Record, Writer

ROUNDS = max(1, int(os.environ.get("CAUSEWAY_TEST_KILLS", int(SCALE))))
"""Kills at each boundary."""
KILLS = 20 * ROUNDS if SCALE >= 1 else 3
"""At random instants, of all proxies together."""
BOUNDARY_SECONDS = 10.0
"""Within which a boundary is met under load."""

CONVERGED = DEFAULT_LATE_SWEEP + 30.0
"""Seconds until what a killed proxy's last commands did to the store, after others had gone on, is put right."""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300 + 60 * max(SCALE, ROUNDS)),
    on_newest_unless_scaled,
]

BLIND = frozenset({"script", "failing_script", "script_with_commit", "by_search_path"})
"""Committed by PostgreSQL in the middle of a simple query: a kill leaves a gap, and cannot leave less."""


def writers(rig: Rig, proxies: list[MirrorProxy], actions: list[Action], count: int = 6) -> list[Writer]:
    return [
        Writer(
            number,
            5,
            proxies[number % len(proxies)].address,
            MODES[number % len(MODES)],
            actions,
            survivor=True,
        )
        for number in range(count)
    ]


def whole(rig: Rig) -> list[Action]:
    """Kinds of which a kill may lose nothing."""
    return [one for one in available(rig.source.major, Sight.CAPTURED) if one.name not in BLIND]


async def gathered(running: asyncio.Future[list[Record]]) -> Record:
    record = Record()
    for one in await running:
        record.merge(one)
    return record


def kept(rig: Rig, record: Record) -> None:
    assert record.findings == []
    assert record.committed
    assert rig.missing(record.committed) == []
    assert rig.missing(record.aborted) == sorted(record.aborted)


async def revive(proxy: MirrorProxy) -> None:
    await proxy.kill()
    await proxy.start()


async def test_random_instants(rig: Rig) -> None:
    proxies = await rig.started(2)
    stop = asyncio.Event()
    dice = random.Random(11)
    running = asyncio.gather(*(one.perform(None, stop) for one in writers(rig, proxies, whole(rig))))

    async def killer(proxy: MirrorProxy) -> None:
        while sum(one.kills for one in proxies) < KILLS:
            # Also before it has found its feet again.
            await asyncio.sleep(dice.choice([0.01, 0.1, 0.3, 0.6]) * dice.random() * 2)
            await revive(proxy)

    try:
        await asyncio.gather(*(killer(proxy) for proxy in proxies))
    finally:
        stop.set()
    record = await gathered(running)
    kept(rig, record)
    await rig.agree(patience=CONVERGED)


async def test_what_a_kill_can_lose_is_a_gap(rig: Rig) -> None:
    """With statements that PostgreSQL commits before the proxy has seen their rows."""
    proxies = await rig.started(1)
    stop = asyncio.Event()
    dice = random.Random(12)
    actions = [
        one for one in available(rig.source.major, *Sight) if one.name in BLIND or one.sight is Sight.REREAD
    ]
    running = asyncio.gather(*(one.perform(None, stop) for one in writers(rig, proxies, actions)))
    try:
        for _ in range(max(2, KILLS // 4)):
            await asyncio.sleep(0.1 + dice.random() / 3)
            await revive(proxies[0])
    finally:
        stop.set()
    kept(rig, await gathered(running))
    await rig.covered()


@dataclass(frozen=True)
class Boundary:
    """A message that is held while the proxy dies."""

    name: str
    store: bool
    gate: Callable[[], Gate]

    def __str__(self) -> str:
        return self.name


def _tag(message: Message) -> bytes:
    return message[5:-1] if message[:1] == b"C" else b""


def _writes(message: Message) -> bool:
    """A statement on its way to PostgreSQL, changed by the proxy."""
    return message[:1] in (b"P", b"Q") and b"record_send" in message


def _changes(message: Message) -> bool:
    """PostgreSQL has carried out a write."""
    return _tag(message).startswith((b"INSERT", b"UPDATE", b"DELETE", b"MERGE"))


def _commits(message: Message) -> bool:
    return message[:1] in (b"P", b"Q") and b"commit" in message.lower() and b"record_send" not in message


def _applies(message: Message) -> bool:
    document = body(message)
    return next(iter(document), "") in WRITES and document.get("$db") != STATE_DATABASE


def _buries(message: Message) -> bool:
    document = body(message)
    return next(iter(document), "") in WRITES and document.get("$db") == STATE_DATABASE


def _answered(sent: Callable[[Message], bool]) -> Callable[[], Gate]:
    """The reply to the first request that `sent` accepts."""

    def gate() -> Gate:
        requests: set[bytes] = set()

        def match(message: Message) -> bool:
            if message[8:12] == b"\0\0\0\0":
                if sent(message):
                    requests.add(message[4:8])
                return False
            return message[8:12] in requests

        return Gate("both", match)

    return gate


BOUNDARIES = [
    Boundary("before capture", False, lambda: Gate("up", _writes)),
    Boundary("after the row", False, lambda: Gate("down", lambda message: message[:1] == b"D")),
    Boundary("after the write's tag", False, lambda: Gate("down", _changes)),
    Boundary("before COMMIT is sent", False, lambda: Gate("up", _commits)),
    Boundary("before Sync is sent", False, lambda: Gate("up", lambda message: message[:1] == b"S")),
    Boundary("after COMMIT is sent", False, lambda: Gate("down", lambda message: _tag(message) == b"COMMIT")),
    Boundary("after it is committed", False, lambda: Gate("down", lambda message: message == b"Z\0\0\0\5I")),
    Boundary("before apply", True, lambda: Gate("up", _applies)),
    Boundary("after apply", True, _answered(_applies)),
    Boundary("before a tombstone", True, lambda: Gate("up", _buries)),
    Boundary("after a tombstone", True, _answered(_buries)),
]


async def test_boundaries(rig: Rig, document_store: DocumentStore) -> None:
    """A proxy dies while a message of that kind is held, and with it is lost."""
    async with (
        PostgresRelay((rig.source.host, rig.source.port)) as before,
        StoreRelay(store_address(document_store)) as behind,
    ):
        proxy = rig.proxy(
            upstream=("127.0.0.1", before.port),
            store=f"mongodb://127.0.0.1:{behind.port}/?directConnection=true",
        )
        await proxy.start()
        await proxy.mirroring()
        await rig.seed()
        stop = asyncio.Event()
        running = asyncio.gather(*(one.perform(None, stop) for one in writers(rig, [proxy], whole(rig))))
        met: Counter[str] = Counter()
        try:
            for _ in range(ROUNDS):
                for boundary in BOUNDARIES:
                    met[boundary.name] += await _killed_at(
                        boundary, behind if boundary.store else before, proxy
                    )
        finally:
            stop.set()
        record = await gathered(running)
        kept(rig, record)
        await rig.agree(patience=CONVERGED)
        assert await proxy.stop() == 0
        assert met == Counter({boundary.name: ROUNDS for boundary in BOUNDARIES})


async def _killed_at(boundary: Boundary, relay: Relay, proxy: MirrorProxy) -> bool:
    """Whether the boundary was met."""
    gate = boundary.gate()
    relay.gate = gate
    try:
        await asyncio.wait_for(gate.reached.wait(), BOUNDARY_SECONDS)
    except TimeoutError:
        return False
    finally:
        relay.gate = None
    await proxy.kill()
    relay.sever()
    await proxy.start()
    return True
