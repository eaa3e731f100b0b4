"""Who is there, and which workers have gone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from proxy.backfill.company import Company
from proxy.fleet.beats import Beat
from proxy.fleet.losses import LOST, PROXIES
from proxy.stores.model import ModelStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def beat(proxy: str, number: int = 1, **more: Any) -> Beat:
    given = {"version": "0.1", "rules": "", "tables": (), "queued": 0, "gaps": {}, "passed": {}, **more}
    return Beat(proxy, f"{proxy}-1", number, NOW, NOW, "", **given)


class Fleet:
    """A store with heartbeats, and a clock."""

    def __init__(self, source: str = "") -> None:
        self.store = ModelStore()
        self.now = 0.0
        self.company = Company(self.store, "me", source=source, lease=15.0, clock=lambda: self.now)

    async def has(self, *beats: Beat, lost: tuple[str, ...] = ()) -> None:
        for one in beats:
            await self.store.put_state(PROXIES, one.proxy, one.document())
        for proxy in lost:
            await self.store.put_state(LOST, proxy, {})
        await self.company.look()


async def test_proxies_are_those_that_may_still_write() -> None:
    fleet = Fleet()
    await fleet.has(
        beat("a"), beat("b", clean=True), beat("c"), beat("d", role="verify"), beat("me"), lost=("c",)
    )
    assert [one.proxy for one in fleet.company.proxies()] == ["a"]


async def test_proxies_of_another_server_may_do_what_they_like() -> None:
    fleet = Fleet(source="1")
    await fleet.has(beat("here", source="1"), beat("elsewhere", source="2"), beat("older"))
    assert [one.proxy for one in fleet.company.proxies()] == ["here", "older"]


async def test_a_worker_is_gone_when_it_ended_was_lost_or_fell_silent() -> None:
    fleet = Fleet()
    workers = ["ended", "lost", "silent", "busy", "me", ""]
    await fleet.has(
        beat("ended", clean=True, role="backfill"), beat("lost", role="backfill"), beat("silent", role="backfill"),
        beat("busy", role="backfill"), lost=("lost",),
    )  # fmt: skip
    assert fleet.company.gone(workers) == {"ended", "lost"}
    fleet.now = 14.0
    await fleet.has(beat("busy", 2, role="backfill"))
    assert fleet.company.gone(workers) == {"ended", "lost"}
    fleet.now = 15.0
    await fleet.has()
    assert fleet.company.gone(workers) == {"ended", "lost", "silent"}


async def test_a_worker_without_a_heartbeat_is_given_the_lease_too() -> None:
    fleet = Fleet()
    await fleet.has()
    assert fleet.company.gone(["new"]) == frozenset()
    fleet.now = 14.9
    assert fleet.company.gone(["new"]) == frozenset()
    fleet.now = 15.0
    assert fleet.company.gone(["new"]) == {"new"}
    await fleet.has(beat("new", role="backfill"))
    assert fleet.company.gone(["new"]) == frozenset()
