"""Dark reads of a store that is gone, or silent: an outcome, no delay, and all is well when it is back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from pymongo import uri_parser

from proxy.phases import LAST_BUILT, Phase
from tests.mirroring.relays import StoreRelay
from tests.mirroring.rig import eventually
from tests.shadow.rig import ShadowRig

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    pytest.mark.skipif(LAST_BUILT < Phase.DARK_READ, reason="dark reads are not let in yet"),
]

READ = b"select * from orders where id = 1"
TIMES = 50
UNNOTICED = 0.05
"""Seconds of the median reply; `timeout` is six times as long, and so would one be that waited for the store."""


async def leave(relay: StoreRelay) -> None:
    await relay.leave()


async def fall_silent(relay: StoreRelay) -> None:
    relay.flowing.clear()


async def come_back(relay: StoreRelay) -> None:
    if relay.flowing.is_set():
        await relay.listen()
    relay.flowing.set()


def replies(rig: ShadowRig) -> list[float]:
    """Seconds of each, in a thread of its own."""
    times = []
    with rig.connect() as connection:
        for _ in range(TIMES):
            began = time.perf_counter()
            assert connection.execute(READ).fetchone() is not None
            times.append(time.perf_counter() - began)
    return times


@pytest.mark.parametrize("go", [leave, fall_silent])
async def test_a_store_that_is_away_is_an_outcome_and_no_delay(
    rig: ShadowRig, go: Callable[[StoreRelay], Awaitable[None]]
) -> None:
    """`error` or `timeout`, `dropped` where too many wait, and replies as fast as ever."""
    (target,) = uri_parser.parse_uri(rig.store)["nodelist"]
    async with StoreRelay((target[0], target[1] or 27017)) as relay:
        rig.store = f"mongodb://127.0.0.1:{relay.port}/"
        rig.rule(timeout="300ms")
        await rig.start()
        await asyncio.to_thread(replies, rig)
        await rig.quiet()
        before = await rig.outcomes()
        assert before["match"] > 0

        await go(relay)
        times = await asyncio.to_thread(replies, rig)
        assert sorted(times)[TIMES // 2] < UNNOTICED
        await rig.quiet()
        away = await rig.outcomes() - before
        assert not away["match"]
        assert not away["mismatch"]
        assert away["error"] + away["timeout"] > 0
        assert sum(away.values()) == TIMES

        await come_back(relay)
        matched: Counter[str] = Counter()

        async def matches_again() -> bool:
            await asyncio.to_thread(replies, rig)
            await rig.quiet()
            matched.update(await rig.outcomes() - before - away)
            return matched["match"] > 0

        await eventually(matches_again, lambda: f"no read is compared: {matched}")
        assert not rig.ledger()
