"""Re-reads, heartbeats and the mirror's writes of several proxies, interleaved in every way hypothesis can think of.

The real Rereader, GapKeeper and Heartbeat run on a store and a source in memory. Between any two steps of one of
them all others may take any number of steps: there is no event loop, the test resumes the coroutines itself.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Generator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.fleet.heartbeat import Facts, Heartbeat, HeartbeatLimits
from proxy.mirror.effects import Cause, Rows, TableId, Unseen
from proxy.mirror.gap import GapLimits
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.rereads import Rereader
from proxy.mirror.unclean import Lifetime
from proxy.stores.protocol import Write
from tests.mirror.gap_world import DATABASE, Family, MemoryStore, Row, ids, new_source, write_of

CHILD = TableId("public", "child")
PROXIES = 3
LONGEST = 3000
"""Steps in which everything must have come to rest."""


class Turn:
    def __await__(self) -> Generator[None, None, None]:
        yield


async def gate(*_: object) -> None:
    await Turn()


def step(coroutine: Coroutine[Any, Any, None]) -> bool:
    """Whether it has ended."""
    try:
        waiting = coroutine.send(None)
    except StopIteration:
        return True
    assert waiting is None, "it waits for something only an event loop can bring about"
    return False


class Proxy:
    """One proxy: what it has captured and not applied, its gaps, its heartbeat."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.flying: list[tuple[int, Write]] = []
        """(floor, image): PostgreSQL has committed, the proxy has not read the reply yet."""
        self.queue: list[Write] = []
        self.unrecorded: list[Unseen] = []
        self.latest = 0
        clock = itertools.count(step=1000)
        limits = GapLimits(reread_linger=0.0)
        self.keeper = GapKeeper(
            world.store, None, limits, proxy="", clock=lambda: float(next(clock)), now=_now
        )
        lifetime = Lifetime(None, fsync=False, boot_id="")
        self.heartbeat = Heartbeat(
            world.store,
            self,
            self.keeper,
            lifetime,
            lambda: Facts("", "", (), (DATABASE,), 0),
            [self],
            HeartbeatLimits(),
            clock=lambda: 0.0,
        )
        self.rereader = Rereader(
            world.store,
            self.keeper,
            world.family,
            self.heartbeat.wait_passed,
            limits,
            proxy=lifetime.proxy,
        )
        self.heartbeat.add_holder(self.rereader)
        self.beating: Coroutine[Any, Any, None] = self.heartbeat.run()
        self.reading: Coroutine[Any, Any, None] | None = None

    async def position(self, database: str) -> int:
        position = await self.world.source.insert_position()
        self.latest = max(self.latest, position)
        return position

    def watermark(self, database: str) -> int | None:
        held = [floor for floor, _ in self.flying] + [write.version for write in self.queue]
        return min(held, default=None)

    def capture(self, key: int, row: Row | None) -> None:
        floor = self.latest
        version = self.world.source.write(200, key, row)
        write = write_of(self.world.child, row or (key, None, None), version)
        self.flying.append((floor, write if row else Write(write.key, None, version)))

    def arrive(self) -> None:
        if self.flying:
            _, write = self.flying.pop(0)
            self.latest = max(self.latest, write.version)
            self.queue.append(write)

    def apply(self, which: int) -> None:
        if self.queue:
            write = self.queue[which % len(self.queue)]
            applying = self.world.store.apply(self.world.child.mapping.namespace, [write])
            while not step(applying):  # type: ignore[arg-type]
                pass
            self.queue.remove(write)

    def record(self) -> None:
        if self.unrecorded:
            self.keeper.record(DATABASE, self.unrecorded.pop(0), self.latest)

    def beat(self) -> None:
        assert not step(self.beating)

    def read(self) -> None:
        if self.reading is None and self.keeper.databases():
            self.reading = self.rereader.round(DATABASE)
        if self.reading is not None and step(self.reading):
            self.reading = None

    def close(self) -> None:
        self.beating.close()
        if self.reading is not None:
            self.reading.close()


class World:
    def __init__(self) -> None:
        self.store = MemoryStore(gate)
        self.source = new_source(gate)
        self.family = Family(self.source, mirrored=("parent", "child"))
        self.child = self.family.mirrored("child")
        self.names = itertools.count()
        self.proxies = [Proxy(self) for _ in range(PROXIES)]
        for proxy in self.proxies:
            starting = proxy.heartbeat.start(patience=None)
            while not step(starting):
                pass

    def row(self, key: int, parent: int | None) -> Row:
        return (key, parent, f"n{next(self.names)}")

    def act(self, action: tuple[Any, ...]) -> None:
        verb, who, *what = action
        proxy = self.proxies[who]
        match verb, *what:
            case "write", key, parent:
                proxy.capture(key, self.row(key, parent))
            case "delete", key:
                if key in self.source.tables[200]:
                    proxy.capture(key, None)
            case "unseen", key, parent:
                self.source.write(200, key, self.row(key, parent))
                proxy.unrecorded.append(Unseen(Cause.COPY, CHILD, Rows(("id",), ((str(key),),))))
            case "cascade", parent, nulls:
                for key, row in list(self.source.tables[200].items()):
                    if row[1] == parent:
                        self.source.write(200, key, (key, None, row[2]) if nulls else None)
                rows = Rows(("parent_id",), ((str(parent),),))
                proxy.unrecorded.append(Unseen(Cause.CASCADE, CHILD, rows))
            case "apply", which:
                proxy.apply(which)
            case "arrive" | "record" | "beat" | "read" as name, times:
                for _ in range(times):
                    getattr(proxy, name)()

    def settle(self) -> None:
        """Everything that is under way comes to its end."""
        for proxy in self.proxies:
            while proxy.flying:
                proxy.arrive()
            while proxy.unrecorded:
                proxy.record()
            while proxy.queue:
                proxy.apply(0)
        for _ in range(LONGEST):
            if all(proxy.reading is None and not proxy.keeper.databases() for proxy in self.proxies):
                return
            for proxy in self.proxies:
                proxy.beat()
                proxy.read()
        raise AssertionError("gaps stay open")

    def check(self) -> None:
        rows = self.source.tables[200]
        expected = {key: {"_id": key, "parent_id": row[1], "name": row[2]} for key, row in rows.items()}
        assert ids(self.store, self.child) == expected

    def close(self) -> None:
        for proxy in self.proxies:
            proxy.close()


def _now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


who = st.integers(0, PROXIES - 1)
key = st.integers(1, 2)
parent = st.sampled_from([1, 2])
times = st.integers(1, 8)
actions = st.one_of(
    st.tuples(st.just("write"), who, key, parent),
    st.tuples(st.just("delete"), who, key),
    st.tuples(st.just("unseen"), who, key, parent),
    st.tuples(st.just("cascade"), who, parent, st.booleans()),
    st.tuples(st.just("apply"), who, st.integers(0, 3)),
    st.tuples(st.sampled_from(["arrive", "record"]), who, st.integers(1, 2)),
    st.tuples(st.sampled_from(["beat", "read", "read"]), who, times),
)
OVERTAKEN = [("write", 1, 1, 1), ("arrive", 1, 1), ("unseen", 0, 1, 2), ("record", 0, 1), ("read", 0, 60)]
"""An image of proxy 1 waits in its queue while proxy 0 reads again what was written after it."""


def play(history: list[tuple[Any, ...]]) -> None:
    with patch.object(asyncio, "sleep", gate), patch.object(asyncio, "current_task", lambda: None):
        world = World()
        try:
            for action in history:
                world.act(action)
            world.settle()
            world.check()
        finally:
            world.close()


@given(st.lists(actions, max_size=60))
@example(OVERTAKEN)
@settings(max_examples=200)
def test_whatever_happens_documents_become_what_the_rows_are(history: list[tuple[Any, ...]]) -> None:
    play(history)


def cut_re_read(cut: int) -> list[tuple[Any, ...]]:
    """Proxy 0 has read a row and is about to write it; a cascade deletes it, and proxy 1 finds no document."""
    between = [("cascade", 1, 1, False), ("record", 1, 1)]
    meanwhile = [("beat", 0, 4), ("beat", 2, 4), ("read", 1, 4)] * 20
    before = [("beat", 1, 1), ("beat", 2, 1), ("read", 0, 1)] * cut
    return [("unseen", 0, 1, 1), ("record", 0, 1), *before, *between, *meanwhile]


def cut_beat(cut: int) -> list[tuple[Any, ...]]:
    """Proxy 1 is about to say how far it has come when it captures a write that is overtaken at once."""
    between = [("write", 1, 1, 1), ("arrive", 1, 1), ("unseen", 0, 1, 2), ("record", 0, 1)]
    return [("beat", 1, cut), *between, *[("beat", 1, 1), ("beat", 2, 4), ("read", 0, 4)] * 20]


def still_flying(cut: int) -> list[tuple[Any, ...]]:
    """PostgreSQL has committed what proxy 1 has not heard of yet."""
    between = [("beat", 1, cut), ("unseen", 0, 1, 2), ("record", 0, 1)]
    return [("write", 1, 1, 1), *between, *[("beat", 1, 4), ("beat", 2, 4), ("read", 0, 4)] * 20]


CUTS = range(1, 40)


@pytest.mark.parametrize("history", [cut_re_read, cut_beat, still_flying])
def test_wherever_one_is_cut_off_by_the_others(history: Callable[[int], list[tuple[Any, ...]]]) -> None:
    for cut in CUTS:
        play(history(cut))


def breaks(history: Callable[[int], list[tuple[Any, ...]]]) -> bool:
    """Whether documents differ from rows wherever one was cut off."""
    for cut in CUTS:
        try:
            play(history(cut))
        except AssertionError:
            return True
    return False


# Each part of the rule is needed: without it one of the histories above ends badly.


def test_a_re_read_must_hold_what_it_rests_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rereader, "watermark", lambda self, database: None)
    assert breaks(cut_re_read)


def test_the_position_must_be_noted_before_the_holders_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def other_way_round(self: Heartbeat) -> None:
        marks = [holder.watermark(DATABASE) for holder in self._holders]
        passed = min([await self.position(DATABASE), *(mark - 1 for mark in marks if mark is not None)])
        self._passed[DATABASE] = max(passed, self._passed.get(DATABASE, 0))

    monkeypatch.setattr(Heartbeat, "_sample", other_way_round)
    assert breaks(cut_beat)


def test_statements_under_way_must_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_queue(self: Proxy, database: str) -> int | None:
        return min((write.version for write in self.queue), default=None)

    monkeypatch.setattr(Proxy, "watermark", of_queue)
    assert breaks(still_flying)


def test_without_waiting_an_older_image_would_overwrite_a_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the rule guards against does happen without it, so that the test above would see it."""

    async def at_once(self: Heartbeat, database: str, version: int) -> None:
        await gate()

    monkeypatch.setattr(Heartbeat, "wait_passed", at_once)
    with pytest.raises(AssertionError):
        play(OVERTAKEN)


def test_a_queue_that_is_only_waited_for_at_home_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    async def alone(self: Heartbeat, database: str, version: int) -> None:
        while not self.has_passed(database, version):
            await gate()

    monkeypatch.setattr(Heartbeat, "wait_passed", alone)
    with pytest.raises(AssertionError):
        play(OVERTAKEN)
