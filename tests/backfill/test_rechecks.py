"""Rechecks in every order of writes, images and looks: what only was on its way is never reported, damage always is."""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence
from typing import Any

import pytest

from proxy.backfill.compare import Kind
from proxy.backfill.crew import Crew
from proxy.backfill.digests import Expected, canonical
from proxy.backfill.passing import HeldUp
from proxy.backfill.patience import Patience
from proxy.backfill.rechecks import Decided, Rechecks
from proxy.backfill.report import Report
from proxy.mirror.tables import MirroredTable
from proxy.stores.model import ModelStore
from proxy.stores.protocol import Key, State, StoreUnavailable, Write
from tests.mirror.gap_world import Family, new_source


class World:
    """Rows, a store, and images on their way; something of the traffic happens whenever anybody looks."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.store = ModelStore()
        self.table: MirroredTable = Family(new_source()).mirrored("parent")
        self.namespace = self.table.mapping.namespace
        self.rows: dict[int, str] = {}
        self.clock = 1
        self.waiting: list[tuple[int, int, str | None]] = []
        self.busy: list[int] = []
        """Keys that are written all the time."""
        self.faults = 0
        self.passes = -1
        """How often the fleet may be waited for before a proxy holds everybody up; -1: any number."""

    @property
    def database(self) -> str:
        return "shop"

    def write(self, key: int, name: str | None, *, seen: bool = True) -> None:
        self.clock += 1
        if name is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = name
        if seen:
            self.waiting.append((self.clock, key, name))

    async def apply(self, up_to: int | None = None) -> None:
        """The images up to a version, or the oldest."""
        while self.waiting and (up_to is None or self.waiting[0][0] <= up_to):
            version, key, name = self.waiting.pop(0)
            document = None if name is None else {"_id": key, "name": name}
            await self.store.apply(self.namespace, [Write(Key(key, key), document, version)])
            if up_to is None:
                return

    async def traffic(self) -> None:
        if self.faults and self.chance.random() < 0.1:
            self.faults -= 1
            raise StoreUnavailable("away")
        for _ in range(self.chance.randrange(4)):
            if self.chance.random() < 0.5:
                await self.apply()
            elif self.busy:
                name = self.chance.choice([None, "a", "b", str(self.clock)])
                self.write(self.chance.choice(self.busy), name)

    # As Lookups and Member.

    async def rows_of(self, keys: Sequence[Key]) -> dict[Hashable, Expected]:
        await self.traffic()
        found = {
            key.token: Expected(key, canonical({"_id": key.value, "name": self.rows[key.value]}, {}))
            for key in keys
            if key.value in self.rows
        }
        await self.traffic()
        return found

    async def documents(self, ids: Sequence[Any]) -> list[bytes | None]:
        await self.traffic()
        found = []
        for value in ids:
            state = self.store.state_of(self.namespace, value)
            found.append(None if state.document is None else canonical(state.document, state.extra))
        await self.traffic()
        return found

    async def states(self, keys: Sequence[Key]) -> list[State]:
        await self.traffic()
        return await self.store.states(self.namespace, keys)

    async def position(self, database: str) -> int:
        await self.traffic()
        self.clock += 1
        return self.clock

    async def wait_passed(self, database: str, version: int) -> None:
        if not self.passes:
            raise HeldUp("proxy 7 is stuck")
        self.passes -= 1
        await self.traffic()
        await self.apply(up_to=version)

    async def refresh(self) -> None:
        return


class AsLookups:
    """`World.rows` is the table."""

    def __init__(self, world: World) -> None:
        self.database = world.database
        self.table = world.table
        self.rows = world.rows_of
        self.documents = world.documents
        self.states = world.states


async def decided(world: World, keys: Sequence[int]) -> tuple[Report, list[Decided]]:
    report = Report()
    found: list[Decided] = []

    async def settle(one: Decided) -> None:
        found.append(one)

    async with Crew(2) as crew:
        lookups: Any = AsLookups(world)
        patience = Patience(world.refresh)
        rechecks = Rechecks(lookups, world, report, settle, crew, patience, gather=0.0)
        await rechecks.suspect([Key(key, key) for key in keys])
        await rechecks.finish()
    return report, found


@pytest.mark.parametrize("seed", range(150))
async def test_traffic_alone_is_never_a_difference(seed: int) -> None:
    world = World(seed)
    world.busy = list(range(4))
    world.faults = seed % 3
    for key in range(8):
        world.write(key, "first")
    for _ in range(20):
        await world.traffic() if not world.faults else None
    report, found = await decided(world, range(8))
    assert found == []
    assert (report.transient, report.unsettled) == (8, 0)


@pytest.mark.parametrize("seed", range(100))
async def test_damage_is_always_found_and_told_as_what_it_is(seed: int) -> None:
    world = World(seed)
    world.busy = [100, 101]
    for key in (1, 2, 3, 4, 5, 100, 101):
        world.write(key, "first")
    await world.apply(up_to=world.clock)
    write = world.store._put
    write(world.namespace, Key(1, 1), State(world.clock, 0, {"_id": 1, "name": "by hand"}))
    del world.store._states[world.namespace][2]
    write(world.namespace, Key(50, 50), State(0, 0, {"_id": 50, "name": "added"}))
    world.write(3, "unseen", seen=False)
    world.write(4, None, seen=False)
    report, found = await decided(world, [1, 2, 3, 4, 5, 50, 100, 101])
    kinds = {
        one.key.value: one.difference.kind
        for part in found
        for one in part.lasting
        if one.difference is not None
    }
    assert kinds == {
        1: Kind.DIFFERENT,
        2: Kind.MISSING,
        3: Kind.DIFFERENT,
        4: Kind.EXTRA,
        50: Kind.EXTRA,
    }
    assert report.transient == 3


@pytest.mark.parametrize("seed", range(20))
async def test_what_a_proxy_may_still_hold_is_no_difference_and_not_equal_either(seed: int) -> None:
    world = World(seed)
    world.passes = 0
    for key in range(8):
        world.write(key, "first")
    report, found = await decided(world, range(8))
    assert (found, report.missing, report.differences) == ([], 0, 0)
    assert report.unsettled + report.transient == 8
    assert report.unsettled > 0
    assert report.held_up == "proxy 7 is stuck"
    assert not report.equal


async def test_damage_that_was_found_before_a_proxy_got_stuck_is_told() -> None:
    world = World(3)
    for key in (1, 2):
        world.write(key, "first")
    await world.apply(up_to=world.clock)
    del world.store._states[world.namespace][1]
    world.passes = 2
    report, found = await decided(world, [1, 2])
    assert [one.key.value for part in found for one in part.lasting] == [1]
    assert (report.unsettled, report.held_up) == (0, "")


async def test_a_row_that_no_document_can_hold() -> None:
    world = World(0)
    world.write(1, "first")

    class Impossible(AsLookups):
        def __init__(self, world: World) -> None:
            super().__init__(world)

            async def rows(keys: Sequence[Key]) -> dict[Hashable, Expected]:
                return {key.token: Expected(key, None, "why") for key in keys}

            self.rows = rows

    found: list[Decided] = []

    async def settle(one: Decided) -> None:
        found.append(one)

    async with Crew(1) as crew:
        lookups: Any = Impossible(world)
        rechecks = Rechecks(lookups, world, Report(), settle, crew, Patience(world.refresh), gather=0.0)
        await rechecks.suspect([Key(1, 1)])
        await rechecks.finish()
    [one] = found[0].lasting
    assert (one.difference, one.fault) == (None, "why")
