"""Images that the catalogue as it is known does not explain wait for a newer one, and delay nobody."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.mirror.effects import Cause, Unseen
from proxy.sql.model import Verb
from tests.mirror.test_mirror import running
from tests.mirror.world import (
    ACCOUNTS,
    ACCOUNTS_ID,
    DATABASE,
    FAST,
    INT8,
    NOTES,
    NOTES_ID,
    OTHER,
    STRICT,
    TEXT,
    World,
    field,
    image,
    insert,
    relation,
    row,
    secured,
    snapshot,
    until,
    write,
)

WIDER = snapshot(
    relation(STRICT, "accounts", ("id", INT8), ("name", TEXT), ("age", INT8)),
    relation(FAST, "notes"),
    generation=2,
)
AGE = field(INT8, struct.pack(">q", 36))


async def test_a_new_column_is_looked_up_while_others_go_on() -> None:
    world = World()
    world.catalogue_error = "the source is away"
    async with running(world) as mirror:
        write(mirror, image(Verb.INSERT, 100, *row(1, "ada"), AGE), insert(2, "b", 110), insert(3, "c", 120))
        await until(lambda: len(world.store.rows()) == 2)
        assert not await mirror.drain(0.05)
        world.next_snapshot, world.catalogue_error = WIDER, None
        assert await mirror.drain(5)
    assert {"_id": 1, "name": "ada", "age": 36} in world.store.documents(ACCOUNTS)
    assert world.gaps.recorded == []


async def test_a_row_of_a_former_shape_is_still_read() -> None:
    world = World()
    world.former[STRICT] = (relation(STRICT, "accounts").attributes,)
    world.snapshot = WIDER
    async with running(world) as mirror:
        write(mirror, insert(1, "before the column", 100))
        assert await mirror.drain(5)
    assert world.store.rows() == {1: "before the column"}
    assert world.looks == 0


async def test_a_row_of_no_known_shape_is_a_gap() -> None:
    world = World()
    async with running(world) as mirror:
        write(mirror, image(Verb.INSERT, 100, AGE, AGE, AGE), insert(1, "a", 110))
        assert await mirror.drain(5)
    assert world.store.rows() == {1: "a"}
    assert world.gaps.causes() == [("undecodable", "accounts")]
    assert world.looks == 1


async def test_a_catalogue_that_stays_away_makes_gaps_of_what_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("proxy.mirror.intake.CATALOGUE_PATIENCE", 0.05)
    monkeypatch.setattr("proxy.mirror.intake.CATALOGUE_RETRY", 0.01)
    world = World()
    world.catalogue_error = "the source is away"
    async with running(world) as mirror:
        write(mirror, insert(1, "a", 100, oid=99_000))
        write(mirror, image(Verb.INSERT, 110, AGE))
        assert await mirror.drain(5)
    assert world.gaps.causes() == [("undecodable", "accounts"), ("undecodable", "notes")]


async def test_what_a_dead_process_left_waits_for_the_first_catalogue(tmp_path: Path) -> None:
    world = World()
    world.store.down()
    mirror = world.mirror(tmp_path)
    await mirror.start()
    mirror.committed(await secured(mirror, insert(1, "a", 100), insert(5, "x", 105, oid=OTHER)))
    write(mirror, insert(2, "b", 110, oid=FAST))
    assert await mirror.stop()
    world.store.failure = None
    world.snapshot, world.next_snapshot = None, snapshot()
    async with running(world, tmp_path) as mirror:
        assert await mirror.drain(5)
    assert world.store.rows() == {1: "a"}
    assert world.store.rows(NOTES) == {2: "b"}
    assert world.gaps.recorded == []


async def test_a_table_that_is_held_back_meanwhile_is_a_gap() -> None:
    world = World()
    broken = relation(STRICT, "accounts")
    async with running(world) as mirror:
        tx = write(mirror, insert(1, "a", 100), insert(2, "b", 110, oid=FAST), commit=False)
        world.snapshot = snapshot(
            replace(broken, primary_key=(), unique_keys=()), relation(FAST, "notes"), generation=2
        )
        mirror.committed(tx)
        assert await mirror.drain(5)
    assert world.store.rows(NOTES) == {2: "b"}
    assert world.gaps.causes() == [("undecodable", "accounts")]
    ((_, unseen, _),) = world.gaps.recorded
    assert "no primary key" in unseen.detail


async def test_many_transactions_are_decoded_in_turns_that_let_others_in() -> None:
    world = World()
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += mirror.depth > 0

    async with running(world) as mirror:
        for n in range(3000):
            write(mirror, insert(n, "x", 100 + n))
        watcher = asyncio.create_task(watch())
        assert await mirror.drain(20)
        watcher.cancel()
    assert len(world.store.rows()) == 3000
    assert turns > 20


async def test_a_decoder_that_breaks_makes_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> object:
        raise RuntimeError("a bug")

    world = World()
    async with running(world) as mirror:
        with monkeypatch.context() as patched:
            patched.setattr("proxy.mirror.decode.parse_image", broken)
            write(mirror, insert(1, "a", 100), Unseen(Cause.CTE, NOTES_ID))
            assert await mirror.drain(5)
        write(mirror, insert(2, "b", 110))
        assert await mirror.drain(5)
        assert mirror.watermark(DATABASE) is None
    assert world.store.rows() == {2: "b"}
    assert world.gaps.causes() == [("undecodable", "accounts"), ("undecodable", "notes")]
    assert ACCOUNTS_ID in {unseen.table for _, unseen, _ in world.gaps.recorded}
