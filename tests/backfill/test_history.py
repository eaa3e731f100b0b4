"""What a proxy reads of backfills and comparisons."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from proxy.backfill.history import HistoryWatch, backfill_status, histories, verify_status
from proxy.backfill.report import KIND as VERIFY
from proxy.backfill.report import Report, Scope, begun, ended, progressed
from proxy.backfill.run import KIND as BACKFILL
from proxy.backfill.run import Counts, Run, Status, Worker
from proxy.stores.model import ModelStore
from proxy.stores.protocol import StoreUnavailable

BEGAN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
NOW = BEGAN + timedelta(seconds=10)
NAME = "shop.public.orders"


def run(**changes: Any) -> Run:
    values: dict[str, Any] = {
        "table": NAME,
        "number": 1,
        "relation": 5000,
        "columns": ("id",),
        "started": BEGAN,
        "updated": NOW,
        "estimate": 1000,
        "totals": Counts(keys=400, rows=400, seeded=390, stale=9, poisoned=1, bytes=4000, chunks=4),
        "marks": ((BEGAN, 0), (NOW, 400)),
        "workers": MappingProxyType({"w1": Worker("host", 7, BEGAN, "the source: 9 sessions")}),
    }
    return Run(**{**values, **changes})


def test_a_run() -> None:
    status = backfill_status(run())
    assert (status.status, status.share, status.rows, status.estimate) == ("running", 0.4, 400, 1000)
    assert (status.rate, status.remaining_seconds, status.workers) == (40.0, 15.0, 1)
    assert status.throttled == "the source: 9 sessions"
    assert (status.seeded, status.stale, status.poisoned, status.chunks) == (390, 9, 1, 4)


@pytest.mark.parametrize("state", Status)
def test_every_state_of_a_run_can_be_told(state: Status) -> None:
    status = backfill_status(run(status=state, reason="why", ended=NOW))
    assert (status.status, status.reason, status.ended_at) == (state.value, "why", NOW)


def test_a_comparison() -> None:
    state = begun(None, NAME, "w1", BEGAN, scheduled=True, repair=True, estimate=400)
    report = Report(rows=100, documents=100, missing=2, different=1, transient=5, repaired=2, removed=1)
    report.columns["total"] = 1
    status = verify_status(progressed(state, report, NOW))
    assert (status.outcome, status.share, status.rows, status.left) == ("running", 0.5, 100, 0)
    assert (status.scheduled, status.repair, status.complete, status.repaired) == (True, True, True, 3)
    status = verify_status(ended(state, report, NOW))
    assert (status.outcome, status.share, status.whole_ended_at, status.whole_left) == ("equal", 1.0, NOW, 0)
    assert status.columns == {"total": 1}
    status = verify_status(ended(state, report, NOW, fault="the source is away"))
    assert (status.outcome, status.reason, status.whole_ended_at) == ("failed", "the source is away", None)
    part = begun(None, NAME, "w1", BEGAN, scope=Scope(sample=0.01))
    assert not verify_status(part).complete
    assert verify_status(part).share is None


def test_what_cannot_be_read_is_left_out() -> None:
    broken: Mapping[str, Any] = {**run().document(), "revision": 1, "status": "sleeping"}
    found = histories({NAME: broken, "shop.public.carts": {}}, {NAME: {"outcome": "equal"}})
    assert all(one.backfill is None and one.verify is None for one in found.values())


class Asked(ModelStore):
    """Tells when it was asked for the last thing that is read."""

    def __init__(self, *, away: bool = False) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.away = away

    async def get_state(self, kind: str) -> Any:
        if self.away:
            self.asked.set()
            raise StoreUnavailable("away")
        if kind == VERIFY:
            self.asked.set()
        return await super().get_state(kind)


async def test_it_is_read_while_something_is_mirrored() -> None:
    store = Asked()
    await store.swap_state(BACKFILL, NAME, 0, run().document())
    await store.swap_state(VERIFY, NAME, 0, begun(None, NAME, "w1", BEGAN).document())
    mirrored, looks = False, asyncio.Event()

    def wanted() -> bool:
        looks.set()
        return mirrored

    watch = HistoryWatch(store, wanted, idle=0.01, busy=0.01)
    task = asyncio.create_task(watch.run())
    async with asyncio.timeout(5):
        await looks.wait()
        looks.clear()
        await looks.wait()
        assert not store.asked.is_set()
        mirrored = True
        await store.asked.wait()
        looks.clear()
        await looks.wait()
    assert watch.found[NAME].backfill == backfill_status(run())
    assert watch.found[NAME].verify is not None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_was_read_stays_while_the_store_is_away() -> None:
    store = Asked(away=True)
    watch = HistoryWatch(store, lambda: True, idle=0.01, busy=0.01)
    before = watch.found = histories({NAME: {**run().document(), "revision": 1}}, {})
    task = asyncio.create_task(watch.run())
    async with asyncio.timeout(5):
        await store.asked.wait()
    assert watch.found is before
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
