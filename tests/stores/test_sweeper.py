from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from proxy.stores.protocol import Namespace, StoreUnavailable
from proxy.stores.sweeper import BEFORE_START, CLOCKS_APART, Sweeper

ORDERS = Namespace("shop", "orders")
ITEMS = Namespace("shop", "items")


class Recorder:
    """Counts sweeps; fails the first `failures` times."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.swept: list[tuple[Namespace, datetime]] = []
        self.hold: asyncio.Event | None = None
        self.begun = asyncio.Event()

    async def __call__(self, namespace: Namespace, since: datetime) -> int:
        self.begun.set()
        if self.hold is not None:
            await self.hold.wait()
        self.swept.append((namespace, since))
        if len(self.swept) <= self.failures:
            raise StoreUnavailable("down")
        return 1


@pytest.fixture
async def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def sweeper(recorder: Recorder) -> AsyncIterator[Sweeper]:
    sweeper = Sweeper(recorder, 0.02)
    yield sweeper
    await sweeper.close()


async def swept(sweeper: Sweeper) -> None:
    await asyncio.wait_for(sweeper.swept.wait(), 5)


async def test_needs_of_one_table_are_met_together_and_from_the_first(
    sweeper: Sweeper, recorder: Recorder
) -> None:
    before = datetime.now(UTC)
    sweeper.need(ORDERS)
    after = datetime.now(UTC)
    sweeper.need(ITEMS)
    sweeper.need(ORDERS)
    await swept(sweeper)
    assert sorted(map(str, dict(recorder.swept))) == ["shop.items", "shop.orders"]
    assert before <= dict(recorder.swept)[ORDERS] + CLOCKS_APART <= after


async def test_a_store_that_is_down_is_asked_again_from_the_same_time(
    sweeper: Sweeper, recorder: Recorder
) -> None:
    recorder.failures = 2
    sweeper.need(ORDERS)
    await swept(sweeper)
    assert len(recorder.swept) == 3
    assert len(set(recorder.swept)) == 1


async def test_a_need_that_comes_during_a_sweep_is_not_forgotten(
    sweeper: Sweeper, recorder: Recorder
) -> None:
    recorder.hold = asyncio.Event()
    sweeper.need(ORDERS)
    await asyncio.wait_for(recorder.begun.wait(), 5)
    sweeper.need(ORDERS)
    recorder.hold.set()
    await swept(sweeper)
    assert [namespace for namespace, _ in recorder.swept] == [ORDERS, ORDERS]


async def test_closing_ends_a_sweep_under_way(recorder: Recorder) -> None:
    sweeper = Sweeper(recorder, 0)
    recorder.hold = asyncio.Event()
    sweeper.need(ORDERS)
    await asyncio.wait_for(recorder.begun.wait(), 5)
    await sweeper.close()
    assert recorder.swept == []


async def test_closing_forgets_what_is_not_due() -> None:
    recorder = Recorder()
    sweeper = Sweeper(recorder, 3600)
    sweeper.need(ORDERS)
    await sweeper.close()
    assert recorder.swept == []


async def test_a_need_that_reaches_further_back_counts(sweeper: Sweeper, recorder: Recorder) -> None:
    before = datetime.now(UTC)
    sweeper.need(ORDERS)
    sweeper.need(ORDERS, BEFORE_START)
    sweeper.need(ORDERS)
    await swept(sweeper)
    [(_, since)] = recorder.swept
    assert before - BEFORE_START <= since <= datetime.now(UTC) - BEFORE_START
