from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import bson
import pytest

from proxy.fleet.beats import Beat, TableFact
from proxy.fleet.losses import LOST, PROXIES, Losses, Mark, parse_mark
from proxy.logs import get_logger
from proxy.mirror.effects import TableId
from proxy.mirror.gap import GapLimits
from proxy.mirror.gaps import GapKeeper
from proxy.stores.protocol import StoreUnavailable
from tests.mirror.gap_world import MemoryStore

NOW = datetime(2026, 1, 10, tzinfo=UTC)
FACT = TableFact("shop", TableId("public", "orders"), "dual_write", "strict")
BEAT = Beat("dead", "i", 4, NOW, NOW, tables=(FACT,), passed=MappingProxyType({"shop": 7}))


class Bench:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.seconds = 0.0
        keeper = GapKeeper(self.store, None, GapLimits(), proxy="me")
        self.losses = Losses(
            self.store,
            keeper,
            "me",
            60.0,
            clock=lambda: self.seconds,
            now=lambda: NOW,
            log=get_logger(__name__),
        )

    async def look(self, seconds: float = 0.0) -> None:
        self.seconds += seconds
        await self.losses.look()


def test_a_mark_survives_the_store() -> None:
    mark = Mark("dead", "i", (FACT,), MappingProxyType({"shop": 7}), NOW, "me")
    read = bson.decode(bson.encode(mark.document()))
    assert parse_mark("dead", {**read, "at": NOW}) == mark


async def test_the_mark_says_how_far_the_lost_one_had_come() -> None:
    bench = Bench()
    await bench.store.put_state(PROXIES, "dead", BEAT.document())
    await bench.look()
    await bench.look(60.0)
    await bench.losses.declare()
    mark = parse_mark("dead", bench.store.kinds[LOST]["dead"])
    assert mark == Mark("dead", "i", (FACT,), MappingProxyType({"shop": 7}), NOW, "me")
    assert [(gap.table, gap.cause) for gap in bench.store.ledger.values()] == [
        ("public.orders", "unclean_end")
    ]


async def test_there_is_no_mark_without_its_gaps() -> None:
    """Killed in between, it is declared lost once more; the other way round nobody would ever see the gap."""
    bench = Bench()
    await bench.store.put_state(PROXIES, "dead", BEAT.document())
    await bench.look()
    await bench.look(60.0)

    async def away(gap: object) -> None:
        raise StoreUnavailable("away")

    bench.store.open_gap = away  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        await bench.losses.declare()
    assert bench.store.kinds.get(LOST, {}) == {}


async def test_those_long_gone_are_forgotten_and_nobody_else() -> None:
    bench = Bench()
    old = NOW - timedelta(days=8)
    for name, clean, at in [
        ("ended", True, old),
        ("ended lately", True, NOW),
        ("silent", False, old),
        ("me", True, old),
    ]:
        beat = Beat(name, "i", 1, at, at, clean=clean)
        await bench.store.put_state(PROXIES, name, beat.document())
    for name, at in [("lost", old), ("lost lately", NOW)]:
        await bench.store.put_state(PROXIES, name, Beat(name, "i", 1, old, old).document())
        await bench.store.put_state(LOST, name, Mark(name, "i", (), {}, at, "me").document())
    await bench.look()
    await bench.losses.forget()
    assert set(bench.store.kinds[PROXIES]) == {"ended lately", "silent", "me", "lost lately"}
    assert set(bench.store.kinds[LOST]) == {"lost lately"}
