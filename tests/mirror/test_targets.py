"""What the mirror knows of a relation, and that it notices when that changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from proxy.mirror.effects import TableId
from proxy.mirror.lanes import Lanes
from proxy.mirror.meters import Meters
from proxy.mirror.port import MirrorLimits
from proxy.mirror.targets import Targets
from proxy.phases import Phase
from tests.mirror.world import (
    ACCOUNTS,
    ACCOUNTS_ID,
    DATABASE,
    FAST,
    NOTES_ID,
    OTHER,
    RULES,
    STRICT,
    World,
    relation,
    snapshot,
)
from tests.rulefiles.texts import rules


def oid(number: int) -> bytes:
    return number.to_bytes(4)


def targets(world: World) -> Targets:
    meters = Meters(asyncio.get_running_loop().time)
    lanes = Lanes(world.store, MirrorLimits(), world.gaps, meters, lambda held: None)
    return Targets(world.tables, world, lanes, meters)


async def test_mirrored_tables_by_oid_and_name() -> None:
    found = targets(World())
    accounts = found.by_oid(DATABASE, oid(STRICT))
    assert accounts is not None
    assert (accounts.table, accounts.strict) == (ACCOUNTS_ID, True)
    assert accounts.lane is not None
    assert accounts.lane.namespace == ACCOUNTS
    notes = found.by_id(DATABASE, NOTES_ID)
    assert notes is not None
    assert (notes.oid, notes.strict) == (FAST, False)
    assert found.by_oid(DATABASE, oid(OTHER)) is None
    assert found.by_oid("elsewhere", oid(STRICT)) is None
    assert found.by_id(DATABASE, TableId("public", "others")) is None
    assert sorted(one.table.name for one in found.all(DATABASE)) == ["accounts", "notes"]
    assert found.mirrored(DATABASE)(ACCOUNTS_ID)
    assert not found.mirrored(DATABASE)(TableId("public", "others"))


async def test_partitions_count_to_their_root() -> None:
    world = World()
    root = replace(relation(STRICT, "accounts"), kind="p", children=(FAST,))
    part = replace(relation(FAST, "accounts_1"), root=STRICT)
    world.snapshot = snapshot(root, part)
    found = targets(world)
    target = found.by_oid(DATABASE, oid(FAST))
    assert target is not None
    assert (target.table, target.oid) == (ACCOUNTS_ID, FAST)
    assert target.lane is found.by_oid(DATABASE, oid(STRICT)).lane  # type: ignore[union-attr]


async def test_another_book_is_noticed() -> None:
    world = World()
    found = targets(world)
    assert found.by_oid(DATABASE, oid(STRICT)).strict  # type: ignore[union-attr]
    world.rules = rules(RULES.replace("strict", "fast"), last_built=Phase.DUAL_WRITE)
    assert not found.by_oid(DATABASE, oid(STRICT)).strict  # type: ignore[union-attr]
    world.snapshot = snapshot(replace(relation(STRICT, "accounts"), primary_key=(), unique_keys=()))
    held_back = found.by_oid(DATABASE, oid(STRICT))
    assert held_back is not None
    assert held_back.lane is None
    assert "primary key" in held_back.held_back
    assert not found.mirrored(DATABASE)(ACCOUNTS_ID)


async def test_what_is_not_known_is_strict_if_anything_is_until_it_was_looked_up() -> None:
    world = World()
    found = targets(world)
    assert not found.settled(DATABASE, oid(99))
    assert found.unknown_is_strict(DATABASE, oid(99))
    assert not found.unknown_is_strict(DATABASE, oid(OTHER))
    found.looked(DATABASE, oid(99))
    assert found.settled(DATABASE, oid(99))
    assert not found.unknown_is_strict(DATABASE, oid(99))
    world.snapshot = snapshot(relation(STRICT, "accounts"), generation=2)
    assert found.by_oid(DATABASE, oid(99)) is None
    assert not found.settled(DATABASE, oid(99))
    world.snapshot = None
    assert not found.settled(DATABASE, oid(OTHER))


async def test_without_strict_tables_nothing_unknown_is_strict() -> None:
    world = World()
    world.rules = rules(RULES.replace("strict", "fast"), last_built=Phase.DUAL_WRITE)
    assert not targets(world).unknown_is_strict(DATABASE, oid(99))
