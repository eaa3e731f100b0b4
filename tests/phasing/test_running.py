"""`causeway phase` on a store in memory: what is written, waited for and reported."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from proxy.fleet.beats import Beat, TableFact
from proxy.fleet.losses import PROXIES
from proxy.fleet.switches import KIND, Switch, Switched
from proxy.mirror.effects import TableId
from proxy.phases import Phase
from proxy.phasing.choosing import choose
from proxy.phasing.fleet import OWN, Observer
from proxy.phasing.running import Outcome, Result, carry_out
from proxy.phasing.view import describe, render
from proxy.stores.model import ModelStore
from tests.fleet.test_beats import beat
from tests.phasing.test_view import shown

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ORDERS = TableId("public", "orders")
NAME = "shop.public.orders"


class World:
    def __init__(self, path: Path) -> None:
        self.store = ModelStore()
        self.file = path / "rules.yaml"
        self.said: list[str] = []
        self.phase("backfill")

    def phase(self, phase: str) -> None:
        self.file.write_text(f"database: shop\ntables:\n  orders: {{phase: {phase}}}  # ours\n")

    async def has(self, *beats: Beat) -> None:
        for one in beats:
            await self.store.put_state(PROXIES, one.proxy, one.document())

    async def run(
        self,
        phase: Phase = Phase.DARK_READ,
        *,
        dry_run: bool = False,
        timeout: float = 5.0,
        observed: bool = True,
        then: Callable[[str], None] = lambda digest: None,
    ) -> Result:
        choice = choose(self.file, "orders", phase, max_size=1 << 20)

        def say(text: str) -> None:
            self.said.append(text)
            then(choice.after.digest)

        observer = Observer(self.store, "7") if observed else None
        return await carry_out(
            choice, phase, observer, dry_run=dry_run, timeout=timeout, silent_after=60.0, say=say
        )


def told(phase: str, rules: str, *, proxy: str = "proxy1", number: int = 1, **more: object) -> Beat:
    made = beat(
        proxy, number, rules=rules, tables=(TableFact("shop", ORDERS, phase, "strict"),),
        passed=MappingProxyType({"shop": 1}),
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


async def test_a_dry_run_writes_nothing_and_shows_the_gates(tmp_path: Path) -> None:
    world = World(tmp_path)
    before = world.file.read_text()
    await world.has(told("backfill", "old"))
    result = await world.run(dry_run=True)
    assert result.outcome is Outcome.DRY_RUN
    assert world.file.read_text() == before
    assert [(one.gate.value, one.open) for _, one in result.gates] == [("history", False), ("gaps", True)]
    text = shown(render(result))
    assert "(not written)" in text
    assert "its history has not been copied; run `causeway backfill public.orders`" in text
    assert describe(result)["gates"][0]["open"] is False


async def test_it_waits_until_every_live_proxy_has_the_table_there(tmp_path: Path) -> None:
    world = World(tmp_path)
    gone, elsewhere = told("backfill", "old", proxy="gone", clean=True), told("x", "y", proxy="z", source="8")
    await world.has(told("backfill", "old"), told("backfill", "old", proxy="proxy2"), gone, elsewhere)
    steps: list[asyncio.Task[None]] = []

    def follows(digest: str) -> None:
        if "waiting for proxy1, proxy2" in world.said[-1]:
            steps.append(asyncio.create_task(world.has(told("dark_read", digest, number=2))))
        elif "1 of 2 proxies have the rules; waiting for proxy2" in world.said[-1]:
            two = told("dark_read", digest, proxy="proxy2", number=2)
            steps.append(asyncio.create_task(world.has(two)))

    result = await world.run(then=follows)
    assert result.outcome is Outcome.THERE
    assert world.file.read_text() == "database: shop\ntables:\n  orders: {phase: dark_read}  # ours\n"
    assert world.said[0].endswith("rules.yaml:3: orders: {phase: dark_read}  # ours")
    assert [(one.proxy, one.effective) for one in result.followers] == [
        ("proxy1", Phase.DARK_READ),
        ("proxy2", Phase.DARK_READ),
    ]
    assert "every live proxy has the table in dark_read" in shown(render(result))


async def test_a_proxy_that_does_not_follow_is_named(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.has(told("backfill", "old"))
    result = await world.run(timeout=0.0)
    assert result.outcome is Outcome.LATE
    (one,) = describe(result)["proxies"]
    assert (one["proxy"], one["taken"], one["requested"], one["effective"]) == (
        "proxy1",
        False,
        None,
        "backfill",
    )
    assert "not every proxy had the rules in time" in shown(render(result))


async def test_without_proxies_or_a_store_the_file_is_all_there_is(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert (await world.run()).outcome is Outcome.NO_PROXY
    world.phase("backfill")
    result = await world.run(observed=False)
    assert result.outcome is Outcome.NO_STORE
    assert "dark_read" in world.file.read_text()
    again = await world.run(observed=False)
    assert not again.choice.edit.changed
    assert "(as it was)" in shown(render(again))


async def test_a_table_that_fell_back_is_told_otherwise(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.phase("primary_switch")
    back = Switch(Switched.ROLLED_BACK, "digest", NOW, "proxy1", "mirror lag 40.0 s > 30s")
    await world.store.swap_state(KIND, NAME, 0, back.document())
    result = await world.run(Phase.PRIMARY_SWITCH, dry_run=True)
    assert "rolled back by itself" in shown(render(result))
    assert not result.let_again
    result = await world.run(Phase.PRIMARY_SWITCH)
    assert not result.choice.edit.changed
    assert [str(name) for name in result.let_again] == [NAME]
    document = await world.store.state(KIND, NAME)
    assert document is not None
    assert (document["state"], document["by"], document["revision"]) == ("gated", OWN, 2)
    assert "it had fallen back by itself" in shown(render(result))
    assert not (await world.run(Phase.PRIMARY_SWITCH)).let_again
