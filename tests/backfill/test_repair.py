"""Repairs: what must be known before one is made is known, whatever happens after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from proxy.backfill.repair import Repairer
from proxy.stores.protocol import Key, Repair, StoreUnavailable
from tests.mirror.gap_world import DATABASE, Family, MemorySource, MemoryStore, ids, new_source, write_of


class Killed(Exception):
    """The process has gone."""


class Store(MemoryStore):
    """Remembers what it was told, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.killed_at = ""

    def _note(self, what: str) -> None:
        self.told.append(what)
        if what == self.killed_at:
            raise Killed

    async def repair(self, namespace: Any, repairs: Any) -> Any:
        self._note("repair")
        return await super().repair(namespace, repairs)

    async def open_gap(self, gap: Any) -> None:
        await super().open_gap(gap)
        self._note(f"gap {gap.table} {gap.cause}")

    async def put_state(self, kind: str, name: str, value: Any) -> None:
        await super().put_state(kind, name, value)
        self._note(f"{kind} {value['version']}")


class World:
    """As a member of the fleet, with what `Lookups` gives."""

    proxy = "me"

    def __init__(self, table: str = "child") -> None:
        self.store = Store()
        self.source: MemorySource = new_source()
        self.family = Family(self.source)
        self.book = self.family.book
        self.table = self.family.mirrored(table)
        self.database = DATABASE
        self.held: list[int] = []
        self.is_lost = False

    @contextmanager
    def holding(self, database: str, version: int) -> Iterator[None]:
        self.held.append(version)
        self.store.told.append(f"hold {version}")
        yield
        self.store.told.append("let go")

    absences = 0

    def lost_since(self, absences: int) -> bool:
        return self.is_lost or self.absences != absences

    async def captured(self, name: str, oid: int, row: tuple[int | str | None, ...]) -> None:
        version = self.source.write(oid, row[0], row)
        table = self.family.mirrored(name)
        await self.store.apply(table.mapping.namespace, [write_of(table, row, version)])

    async def states(self, keys: list[Key]) -> Any:
        return await self.store.states(self.table.mapping.namespace, keys)

    def repairer(self, max_rows: int = 100) -> Repairer:
        lookups: Any = self
        fellow: Any = self
        return Repairer(lookups, fellow, max_rows)


async def test_that_rows_were_read_again_is_told_before_also_where_nothing_differs() -> None:
    world = World()
    await world.captured("child", 200, (1, 5, "a"))
    outcome = await world.repairer().keys([Key(1, 1), Key(9, 9)], 77)
    assert (outcome.repaired, world.store.told) == (0, ["hold 77", "rereads 77", "let go"])


async def test_what_a_repair_leads_to_is_in_the_ledger_before_it() -> None:
    world = World()
    await world.captured("child", 200, (7, 1, "c"))
    await world.captured("leaf", 300, (9, 7))
    world.source.write(200, 7, None)
    outcome = await world.repairer().keys([Key(7, 7)], 77)
    assert outcome.repaired == 1
    assert world.store.told == ["hold 77", "rereads 77", "gap public.leaf cascade", "repair", "let go"]
    [gap] = world.store.ledger.values()
    assert gap.rows == {"columns": ["child_id"], "values": [["7"]]}


@pytest.mark.parametrize("moment", ["gap public.leaf cascade", "rereads 77", "repair"])
async def test_killed_at_any_moment_it_is_done_again_with_the_same_result(moment: str) -> None:
    world = World()
    await world.captured("child", 200, (7, 1, "c"))
    world.source.write(200, 7, None)
    world.store.killed_at = moment
    with pytest.raises(Killed):
        await world.repairer().keys([Key(7, 7)], 77)
    world.store.killed_at = ""
    await world.repairer().keys([Key(7, 7)], 78)
    assert ids(world.store, world.table) == {}
    assert len(world.store.ledger) == 1


@pytest.mark.parametrize(("most", "scope"), [(5, "rows"), (4, "table")])
async def test_too_many_rows_hold_for_their_table(most: int, scope: str) -> None:
    world = World()
    for key in range(5):
        await world.captured("child", 200, (key, 1, "c"))
        world.source.write(200, key, None)
    await world.repairer(max_rows=most).keys([Key(key, key) for key in range(5)], 77)
    [gap] = world.store.ledger.values()
    assert gap.scope == scope


async def test_a_row_that_the_store_refuses_is_a_gap() -> None:
    world = World()
    world.source.write(200, 7, (7, 1, "c"))
    world.store.poison.add(7)
    outcome = await world.repairer().keys([Key(7, 7)], 77)
    assert [unseen.cause.value for unseen in outcome.poisoned] == ["poison"]
    assert world.store.told[-2:] == ["gap public.child poison", "let go"]


async def test_being_given_up_meanwhile_is_remembered() -> None:
    world = World()
    repairer = world.repairer()
    await repairer.keys([Key(1, 1)], 77)
    assert not repairer.lost
    world.is_lost = True
    await repairer.keys([Key(1, 1)], 77)
    world.is_lost = False
    assert repairer.lost


async def test_an_absence_that_is_over_counts_too() -> None:
    world = World()
    await world.captured("child", 200, (7, 1, "c"))
    world.source.write(200, 7, (7, 1, "d"))
    repairer = world.repairer()
    repair = world.store.repair

    async def away_for_a_while(namespace: Any, repairs: Any) -> Any:
        world.absences += 1
        return await repair(namespace, repairs)

    world.store.repair = away_for_a_while  # type: ignore[method-assign]
    await repairer.keys([Key(7, 7)], 77)
    assert repairer.lost


async def test_documents_of_no_key_are_removed_if_nobody_was_faster() -> None:
    world = World()
    namespace = world.table.mapping.namespace
    [nothing] = await world.store.states(namespace, [Key("x", "x")])
    await MemoryStore.repair(world.store, namespace, [Repair(Key("x", "x"), nothing, {"_id": "x"})])
    await world.repairer().remove(["x", "not there"])
    assert ids(world.store, world.table) == {}


async def test_a_store_that_is_away_leaves_nothing_held() -> None:
    world = World()
    world.store.away = True
    with pytest.raises(StoreUnavailable):
        await world.repairer().keys([Key(1, 1)], 77)
