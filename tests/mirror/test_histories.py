"""Random histories of one process after another, with crashes, outages and full memory: documents are as rows are."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from proxy.mirror.effects import Effect
from proxy.mirror.mirror import Mirror
from tests.mirror.test_securing import crash
from tests.mirror.world import DATABASE, FAST, NOTES, STRICT, World, delete, insert, secured, until, update

KEYS = 6


class History:
    """A source that never fails, as far as it is needed: rows, the versions they got, what committed."""

    def __init__(self, chance: random.Random, spool: Path) -> None:
        self.chance = chance
        self.spool = spool
        self.world = World()
        self.lsn = 0
        self.xid = 0
        self.rows: dict[int, str] = {}
        """What committed of the strict table."""
        self.notes: dict[int, str] = {}
        """Of the fast table, while no crash has taken any of it."""

    def effects(self) -> tuple[list[Effect], dict[int, str | None], dict[int, str | None]]:
        """Of one transaction, and what it makes of the rows of both tables."""
        self.xid += 1
        effects: list[Effect] = []
        changed: tuple[dict[int, str | None], dict[int, str | None]] = ({}, {})
        for _ in range(self.chance.randrange(1, 5)):
            self.lsn += 10
            which = self.chance.randrange(2)
            oid, key = (STRICT, FAST)[which], self.chance.randrange(KEYS)
            if self.chance.random() < 0.3:
                effects.append(delete(key, self.lsn, oid=oid, xid=self.xid))
                changed[which][key] = None
            else:
                kind = self.chance.choice((insert, update))
                effects.append(kind(key, f"v{self.lsn}", self.lsn, oid=oid, xid=self.xid))
                changed[which][key] = f"v{self.lsn}"
        return effects, *changed

    def happened(self, rows: dict[int, str | None], notes: dict[int, str | None]) -> None:
        self.world.fake_source.statuses[self.xid] = "committed"
        for mine, changed in ((self.rows, rows), (self.notes, notes)):
            for key, value in changed.items():
                if value is None:
                    mine.pop(key, None)
                else:
                    mine[key] = value

    async def transaction(self, mirror: Mirror) -> None:
        effects, rows, notes = self.effects()
        fate = self.chance.choice(
            ("commit", "commit", "commit", "abort", "doubt", "doubt and abort", "prepare")
        )
        self.world.fake_source.statuses[self.xid] = "aborted" if "abort" in fate else "in progress"
        if self.chance.random() < 0.2:
            tx = mirror.begin(DATABASE)
            tx.add(effects[:1])
            tx.savepoint("s")
            self.lsn += 10
            key = self.chance.randrange(KEYS)
            tx.add([insert(key, "rolled back", self.lsn, oid=oid, xid=self.xid) for oid in (STRICT, FAST)])
            mirror.spill(tx)
            tx.rollback_to("s")
            tx.add(effects[1:])
            done = asyncio.Event()
            if not mirror.secure(tx, done.set):
                await done.wait()
        else:
            tx = await secured(mirror, *effects)
        if fate == "abort":
            mirror.aborted(tx)
        elif fate == "doubt and abort":
            mirror.doubtful(tx)
        elif fate == "prepare":
            mirror.prepared(tx, f"trip {self.xid}")
            self.happened(rows, notes)
            if self.chance.random() < 0.5:
                mirror.settle_prepared(f"trip {self.xid}")
        else:
            self.happened(rows, notes)
            (mirror.committed if fate == "commit" else mirror.doubtful)(tx)


@pytest.mark.parametrize("seed", range(12))
async def test_what_committed_is_there_whatever_happened(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.mirror.resolver.ASK_RARELY", 0.05)
    chance = random.Random(seed)
    history = History(chance, tmp_path)
    world = history.world
    fsync = seed % 4 == 3
    crashed = False
    for _ in range(4):
        mirror = world.mirror(tmp_path, mirror_memory=chance.choice((3_000, 64 << 20)), spool_fsync=fsync)
        await mirror.start()
        for _ in range(chance.randrange(5, 30)):
            if chance.random() < 0.1:
                world.store.down()
                world.store.half = chance.random() < 0.5
            elif chance.random() < 0.2:
                world.store.failure = None
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() * 0.01)
            await history.transaction(mirror)
        if chance.random() < 0.5:
            await crash(mirror)
            crashed = True
        else:
            assert await mirror.stop()
    world.store.failure = None
    mirror = world.mirror(tmp_path)
    await mirror.start()
    await until(lambda: mirror.depth == 0 and mirror.watermark(DATABASE) is None, timeout=20)
    assert await mirror.stop()
    assert world.store.rows() == history.rows
    if not crashed:
        assert world.store.rows(NOTES) == history.notes
    assert world.gaps.recorded == []
    assert list(tmp_path.glob("*.spool*")) == []
