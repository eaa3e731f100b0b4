"""Asking the source until it has told."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from proxy.catalog.source import SourceUnavailable
from proxy.mirror.resolver import Doubt, Resolver, Verdict
from tests.mirror.world import DATABASE, FakeSource, until


@asynccontextmanager
async def resolving(source: FakeSource) -> AsyncIterator[Resolver]:
    resolver = Resolver(lambda database: source, clock=asyncio.get_running_loop().time)
    task = asyncio.create_task(resolver.run())
    try:
        yield resolver
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_each_is_told_once_and_those_in_progress_are_asked_for_again() -> None:
    source = FakeSource()
    source.statuses = {1: "committed", 2: "aborted", 3: None, 4: "future"}
    told: list[tuple[int, Verdict]] = []

    def tell(xid: int, verdict: Verdict) -> None:
        told.append((xid, verdict))

    async with resolving(source) as resolver:
        for xid in range(1, 6):
            resolver.add(Doubt(DATABASE, xid, functools.partial(tell, xid)))
        await until(lambda: len(told) == 4)
        assert (len(resolver), resolver.urgent) == (1, 1)
        source.statuses[5] = "committed"
        await until(lambda: len(told) == 5)
    assert dict(told) == {
        1: Verdict.COMMITTED,
        2: Verdict.ABORTED,
        3: Verdict.FORGOTTEN,
        4: Verdict.ABORTED,
        5: Verdict.COMMITTED,
    }


async def test_without_an_id_it_has_ended_when_everything_that_ran_has() -> None:
    source = FakeSource()
    source.horizon, source.oldest = 50, 49
    told: list[Verdict] = []
    async with resolving(source) as resolver:
        resolver.add(Doubt(DATABASE, None, told.append))
        await asyncio.sleep(0.3)
        assert told == []
        source.horizon, source.oldest = 90, 50
        await until(lambda: told == [Verdict.ENDED])


async def test_a_source_that_is_away_is_asked_again() -> None:
    class Away(FakeSource):
        attempts = 0

        async def xact_status(self, xids: object) -> dict[int, str | None]:
            self.attempts += 1
            if self.attempts == 1:
                raise SourceUnavailable(DATABASE, "connection refused")
            if self.attempts == 2:
                raise RuntimeError("a bug")
            return {7: "aborted"}

    source = Away()
    told: list[Verdict] = []
    async with resolving(source) as resolver:
        resolver.add(Doubt(DATABASE, 7, told.append))
        await until(lambda: told == [Verdict.ABORTED])
    assert source.attempts == 3


async def test_a_prepared_transaction_is_asked_for_when_somebody_says_it_is_settled() -> None:
    source = FakeSource()
    told: list[Verdict] = []
    async with resolving(source) as resolver:
        resolver.add(Doubt(DATABASE, 7, told.append, gid="trip 1"))
        await asyncio.sleep(0.05)
        assert (source.asked, resolver.urgent) == ([], 0)
        source.statuses[7] = "committed"
        resolver.poke("another")
        await asyncio.sleep(0.05)
        assert source.asked == []
        resolver.poke("trip 1")
        await until(lambda: told == [Verdict.COMMITTED])
