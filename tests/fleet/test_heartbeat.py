"""Heartbeats of several proxies on one store in memory, and what they conclude from them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.catalog.source import SourceUnavailable
from proxy.fleet.beats import TableFact
from proxy.fleet.heartbeat import Facts, Heartbeat, HeartbeatLimits
from proxy.fleet.returns import leave_reread
from proxy.mirror.effects import TableId
from proxy.mirror.gap import GapLimits
from proxy.mirror.gapfile import GapFile
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.unclean import Lifetime
from tests.fleet.test_beats import beat
from tests.mirror.gap_world import MemoryStore

FAST, STRICT = TableId("public", "fast"), TableId("public", "strict")
FACTS = (
    TableFact("shop", FAST, "dual_write", "fast"),
    TableFact("shop", STRICT, "dual_write", "strict"),
)
LIMITS = HeartbeatLimits(heartbeat_interval=0.01, proxy_lost_after=60.0, retry_backoff_max=0.02)


class Source:
    def __init__(self) -> None:
        self.version = 100
        self.away = False

    async def position(self, database: str) -> int:
        if self.away:
            raise SourceUnavailable(database, "away")
        return self.version


class Fleet:
    """What the proxies of a test share."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.source = Source()
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)


class Proxy:
    def __init__(self, fleet: Fleet, path: Path | None = None, *, boot_id: str = "boot") -> None:
        self.fleet = fleet
        self.oldest: int | None = None
        """The oldest version it holds."""
        self.tables: tuple[TableFact, ...] = FACTS
        self.databases: tuple[str, ...] = ("shop",)
        self.system = ""
        file = None if path is None else GapFile(path)
        self.lifetime = Lifetime(file, fsync=False, boot_id=boot_id)
        self.keeper = GapKeeper(
            fleet.store, file, GapLimits(), proxy=self.lifetime.proxy, clock=self.clock, now=fleet.now
        )
        self.lifetime.begin(self.keeper)
        self.heartbeat = Heartbeat(
            fleet.store,
            fleet.source,
            self.keeper,
            self.lifetime,
            lambda: Facts(
                "1.0", "digest", self.tables, self.databases, 3, source=self.system, everywhere=(FAST,)
            ),
            [self],
            LIMITS,
            clock=self.clock,
            now=fleet.now,
        )

    def clock(self) -> float:
        return self.fleet.seconds

    def watermark(self, database: str) -> int | None:
        return self.oldest

    @property
    def passed(self) -> int:
        (one,) = self.fleet.store.kinds["proxies"][self.heartbeat.proxy]["passed"]
        return int(one[1])

    async def turn(self, seconds: float = 0.0) -> None:
        """One beat, and a look at the others, after so many seconds."""
        self.fleet.seconds += seconds
        self.heartbeat._looked = float("-inf")
        await self.heartbeat._try(self.heartbeat._turn)
        task = self.heartbeat._coming_back
        if task is not None:
            await asyncio.wait([task], timeout=0.05)


def lost_tables(fleet: Fleet) -> list[str]:
    return sorted(entry.table for entry in fleet.store.ledger.values() if entry.cause == "unclean_end")


async def test_a_proxy_says_how_far_it_has_come() -> None:
    fleet = Fleet()
    proxy = Proxy(fleet)
    await proxy.heartbeat.start()
    assert proxy.passed == 100
    proxy.oldest = 90
    await proxy.turn()
    assert proxy.passed == 89, "it has taken over what another process has left"
    fleet.source.version = 200
    proxy.oldest = 150
    await proxy.turn()
    assert proxy.passed == 149
    proxy.oldest = None
    fleet.source.away = True
    await proxy.turn()
    assert proxy.passed == 149, "without a position nothing new is known"
    fleet.source.away = False
    await proxy.turn()
    assert proxy.passed == 200
    document = fleet.store.kinds["proxies"][proxy.heartbeat.proxy]
    assert (document["version"], document["rules"], document["queued"], document["clean"]) == (
        "1.0",
        "digest",
        3,
        False,
    )
    assert document["number"] == 5


async def test_waiting_for_the_fleet() -> None:
    fleet = Fleet()
    one, two = Proxy(fleet), Proxy(fleet)
    await one.heartbeat.start()
    two.oldest = 50
    await two.heartbeat.start()
    waiting = asyncio.create_task(one.heartbeat.wait_passed("shop", 100))
    await asyncio.sleep(0.03)
    assert not waiting.done()
    two.oldest = None
    await two.turn()
    await asyncio.wait_for(waiting, 5)


async def test_waiting_for_oneself() -> None:
    fleet = Fleet()
    proxy = Proxy(fleet)
    await proxy.heartbeat.start()
    proxy.oldest = 100
    waiting = asyncio.create_task(proxy.heartbeat.wait_passed("shop", 100))
    await asyncio.sleep(0.03)
    assert not waiting.done()
    proxy.oldest = 101
    await asyncio.wait_for(waiting, 5)


async def test_a_silent_proxy_is_declared_lost_and_not_waited_for() -> None:
    fleet = Fleet()
    alive, dead = Proxy(fleet), Proxy(fleet)
    dead.oldest = 50
    await dead.heartbeat.start()
    await alive.heartbeat.start()
    await alive.turn(59.0)
    assert lost_tables(fleet) == []
    await alive.turn(1.0)
    assert lost_tables(fleet) == ["public.fast", "public.strict"]
    assert list(fleet.store.kinds["lost"]) == [dead.heartbeat.proxy]
    await asyncio.wait_for(alive.heartbeat.wait_passed("shop", 100), 5)
    await alive.turn(100.0)
    assert {entry.count for entry in fleet.store.ledger.values()} == {1}, "it is lost once"


async def test_what_is_mirrored_everywhere_is_told_beside_all_databases_that_are_known() -> None:
    fleet = Fleet()
    proxy = Proxy(fleet)
    await proxy.heartbeat.start()
    assert fleet.store.kinds["proxies"][proxy.heartbeat.proxy]["everywhere"] == [["public", "fast"]]
    proxy.databases = ("shop", "blog")
    await proxy.heartbeat._beat()
    assert fleet.store.kinds["proxies"][proxy.heartbeat.proxy]["everywhere"] == [], "one has come since"
    await proxy.turn()
    assert fleet.store.kinds["proxies"][proxy.heartbeat.proxy]["everywhere"] == [["public", "fast"]]


@pytest.mark.parametrize(("attentive", "size", "wait"), [(False, 1, 10.0), (True, 2, 0.01), (True, 45, 0.02)])
async def test_how_often_the_others_are_looked_at(attentive: bool, size: int, wait: float) -> None:
    fleet = Fleet()
    proxy = Proxy(fleet)
    for number in range(size):
        await fleet.store.put_state("proxies", str(number), beat(str(number)).document())
    await proxy.heartbeat.start()
    proxy.heartbeat.attentive = attentive
    looked = proxy.heartbeat._looked
    fleet.seconds += wait - 0.001
    await proxy.heartbeat._turn()
    expected = looked if size != 2 else fleet.seconds
    assert proxy.heartbeat._looked == expected
    fleet.seconds += 0.002
    await proxy.heartbeat._turn()
    assert proxy.heartbeat._looked == fleet.seconds


async def test_a_proxy_of_another_server_is_neither_waited_for_nor_missed() -> None:
    fleet = Fleet()
    here, elsewhere = Proxy(fleet), Proxy(fleet)
    here.system, elsewhere.system = "1", "2"
    elsewhere.oldest = 50
    await elsewhere.heartbeat.start()
    await here.heartbeat.start()
    await asyncio.wait_for(here.heartbeat.wait_passed("shop", 100), 5)
    await here.turn(61.0)
    await here.turn(61.0)
    assert lost_tables(fleet) == []
    assert fleet.store.kinds.get("lost", {}) == {}
    assert fleet.store.kinds["proxies"][here.heartbeat.proxy]["source"] == "1"


async def test_absences_are_counted_whether_or_not_anybody_has_looked_meanwhile() -> None:
    fleet = Fleet()
    alive, cut_off = Proxy(fleet), Proxy(fleet)
    await cut_off.heartbeat.start()
    await alive.heartbeat.start()
    await cut_off.turn(29.0)
    assert (cut_off.heartbeat.absent, cut_off.heartbeat.absences) == (False, 0)
    fleet.seconds += 30.0
    assert cut_off.heartbeat.absent
    await cut_off.turn()
    assert (cut_off.heartbeat.absent, cut_off.heartbeat.absences) == (False, 1)
    cut_off.oldest = 90
    await alive.turn()
    await alive.turn(60.0)
    assert cut_off.heartbeat.proxy in fleet.store.kinds["lost"]
    await cut_off.turn()
    assert cut_off.heartbeat.absences >= 2
    before = cut_off.heartbeat.absences
    await cut_off.turn(1.0)
    assert (cut_off.heartbeat.absent, cut_off.heartbeat.absences) == (False, before)


async def test_a_proxy_that_ended_cleanly_is_not_missed() -> None:
    fleet = Fleet()
    alive, ended = Proxy(fleet), Proxy(fleet)
    await ended.heartbeat.start()
    await alive.heartbeat.start()
    await ended.heartbeat.stop()
    await alive.turn(1.0)
    await alive.turn(100.0)
    assert lost_tables(fleet) == []
    await asyncio.wait_for(alive.heartbeat.wait_passed("shop", 10**9), 5)
    await alive.turn(8 * 86400.0)
    assert ended.heartbeat.proxy not in fleet.store.kinds["proxies"], "it is forgotten after a while"


async def test_a_proxy_that_still_holds_something_does_not_end_cleanly(tmp_path: Path) -> None:
    fleet = Fleet()
    alive, ended = Proxy(fleet), Proxy(fleet, tmp_path / "gaps")
    await ended.heartbeat.start()
    await alive.heartbeat.start()
    ended.oldest = 70
    await ended.heartbeat.stop()
    await alive.turn(1.0)
    await alive.turn(100.0)
    assert lost_tables(fleet) == ["public.fast", "public.strict"]
    again = Proxy(fleet, tmp_path / "gaps")
    assert [table for _, table, _ in again.keeper.counts()] == ["public.fast"]


async def test_the_same_process_comes_back_and_has_lost_nothing() -> None:
    fleet = Fleet()
    alive, cut_off = Proxy(fleet), Proxy(fleet)
    await cut_off.heartbeat.start()
    await alive.heartbeat.start()
    cut_off.oldest = 90
    await alive.turn(60.0)
    assert len(lost_tables(fleet)) == 2
    await cut_off.turn(1.0)
    assert len(lost_tables(fleet)) == 2, "what it held is not in the store yet"
    assert fleet.store.kinds["lost"] == {}, "but it is waited for again"
    cut_off.oldest = None
    await cut_off.turn(1.0)
    assert lost_tables(fleet) == []


async def test_a_killed_process_comes_back_with_its_spool(tmp_path: Path) -> None:
    fleet = Fleet()
    alive, killed = Proxy(fleet), Proxy(fleet, tmp_path / "gaps")
    await killed.heartbeat.start()
    await alive.heartbeat.start()
    await alive.turn(60.0)
    back = Proxy(fleet, tmp_path / "gaps")
    await back.heartbeat.start()
    await back.keeper.flush()
    await back.turn(1.0)
    assert lost_tables(fleet) == ["public.fast"], "what was in memory only is lost"


async def test_a_machine_that_went_down_brings_no_spool_back(tmp_path: Path) -> None:
    fleet = Fleet()
    alive, killed = Proxy(fleet), Proxy(fleet, tmp_path / "gaps")
    await killed.heartbeat.start()
    await alive.heartbeat.start()
    await alive.turn(60.0)
    back = Proxy(fleet, tmp_path / "gaps", boot_id="another")
    await back.heartbeat.start()
    await back.turn(1.0)
    await back.keeper.flush()
    assert lost_tables(fleet) == ["public.fast", "public.strict"]


async def test_a_successor_says_no_more_than_its_predecessor_until_its_siblings_have_spoken(
    tmp_path: Path,
) -> None:
    """A sibling has taken over the spool of a process that was killed, and has not said so yet."""
    fleet = Fleet()
    sibling, killed = Proxy(fleet, tmp_path / "gaps-0"), Proxy(fleet, tmp_path / "gaps-1")
    stranger = Proxy(fleet)
    killed.oldest = 51
    for proxy in (sibling, killed, stranger):
        await proxy.heartbeat.start()
    assert (sibling.passed, killed.passed) == (100, 50)
    sibling.oldest = 51
    back = Proxy(fleet, tmp_path / "gaps-1")
    await back.heartbeat.start()
    for _ in range(3):
        assert back.passed == 50
        await back.turn()
    await sibling.turn()
    await back.turn()
    assert (sibling.passed, back.passed) == (50, 50)
    await sibling.turn()
    await back.turn()
    await back.turn()
    assert (sibling.passed, back.passed) == (50, 100)


async def test_a_database_that_only_the_spool_knows_is_told_of(tmp_path: Path) -> None:
    fleet = Fleet()
    killed = Proxy(fleet, tmp_path / "gaps")
    killed.oldest = 51
    await killed.heartbeat.start()
    back = Proxy(fleet, tmp_path / "gaps")
    back.databases = ()
    back.oldest = 60
    await back.heartbeat.start()
    assert back.passed == 59
    back.oldest = None
    await back.turn()
    assert fleet.store.kinds["proxies"][back.heartbeat.proxy]["passed"] == []


async def test_without_a_position_nothing_is_claimed() -> None:
    fleet = Fleet()
    fleet.source.away = True
    proxy = Proxy(fleet)
    await proxy.heartbeat.start()
    assert proxy.passed == 0


async def test_a_spool_that_a_sibling_has_taken_over_is_waited_for(tmp_path: Path) -> None:
    fleet = Fleet()
    alive = Proxy(fleet)
    sibling, killed = Proxy(fleet, tmp_path / "gaps-0"), Proxy(fleet, tmp_path / "gaps-1")
    for proxy in (sibling, killed, alive):
        await proxy.heartbeat.start()
    await sibling.turn(59.0)
    await alive.turn(1.0)
    await sibling.turn()
    assert list(fleet.store.kinds["lost"]) == [killed.heartbeat.proxy]
    sibling.oldest = 51
    await sibling.turn()
    back = Proxy(fleet, tmp_path / "gaps-1")
    await back.heartbeat.start()
    await back.keeper.flush()
    await back.turn(1.0)
    assert lost_tables(fleet) == ["public.fast", "public.strict"]
    sibling.oldest = None
    await sibling.turn()
    await back.turn(1.0)
    assert lost_tables(fleet) == ["public.fast"]


async def test_rows_read_again_meanwhile_may_have_been_overwritten() -> None:
    fleet = Fleet()
    alive, cut_off = Proxy(fleet), Proxy(fleet)
    await cut_off.heartbeat.start()
    await alive.heartbeat.start()
    await alive.turn(60.0)
    await leave_reread(fleet.store, alive.heartbeat.proxy, "shop", FAST, 100)
    await leave_reread(fleet.store, alive.heartbeat.proxy, "shop", STRICT, 101)
    await leave_reread(fleet.store, cut_off.heartbeat.proxy, "shop", FAST, 500)
    fleet.source.version = 300
    await cut_off.turn(1.0)
    assert lost_tables(fleet) == ["public.strict"], "it had passed 100 before"


async def test_one_that_mirrors_before_the_fleet_knows_of_it_checks_what_it_has_overtaken() -> None:
    fleet = Fleet()
    alive, late = Proxy(fleet), Proxy(fleet)
    await alive.heartbeat.start()
    fleet.store.away = True
    await late.heartbeat.start()
    fleet.store.away = False
    fleet.source.version = 200
    await leave_reread(fleet.store, alive.heartbeat.proxy, "shop", FAST, 150)
    await leave_reread(fleet.store, alive.heartbeat.proxy, "shop", STRICT, 100)
    await late.turn(1.0)
    await late.keeper.flush()
    assert lost_tables(fleet) == ["public.fast"]


async def test_one_that_registers_at_once_has_overtaken_nobody() -> None:
    fleet = Fleet()
    await leave_reread(fleet.store, "alive", "shop", FAST, 10**9)
    proxy = Proxy(fleet)
    await proxy.heartbeat.start()
    await proxy.turn()
    await proxy.keeper.flush()
    assert lost_tables(fleet) == []


async def test_run_beats_and_survives_a_store_that_goes_away() -> None:
    fleet = Fleet()
    proxy = Proxy(fleet)
    await proxy.heartbeat.start()
    task = asyncio.create_task(proxy.heartbeat.run())
    document = fleet.store.kinds["proxies"]

    async def beats(count: int) -> None:
        async with asyncio.timeout(5):
            while document[proxy.heartbeat.proxy]["number"] < count:  # noqa: ASYNC110 - it ends in another task
                await asyncio.sleep(0.005)

    try:
        await beats(3)
        fleet.store.away = True
        await asyncio.sleep(0.03)
        fleet.store.away = False
        await beats(document[proxy.heartbeat.proxy]["number"] + 3)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_tables_are_noted_before_they_are_captured(tmp_path: Path) -> None:
    fleet = Fleet()
    proxy = Proxy(fleet, tmp_path / "gaps")
    proxy.tables = ()
    await proxy.heartbeat.start()
    proxy.tables = FACTS
    proxy.heartbeat.tables_changed()
    again = Proxy(fleet, tmp_path / "gaps")
    assert [table for _, table, _ in again.keeper.counts()] == ["public.fast"]


async def test_a_table_that_is_not_mirrored_any_more_is_a_gap() -> None:
    proxy = Proxy(Fleet())
    await proxy.heartbeat.start()
    proxy.heartbeat.tables_changed()
    assert proxy.keeper.counts() == {}
    proxy.tables = FACTS[:1]
    proxy.heartbeat.tables_changed()
    proxy.heartbeat.tables_changed()
    assert proxy.keeper.counts() == {("shop", "public.strict", "unobserved"): 1}
    proxy.tables = FACTS
    proxy.heartbeat.tables_changed()
    assert proxy.keeper.counts() == {("shop", "public.strict", "unobserved"): 1}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for the fleet look often enough for a test."""
    monkeypatch.setattr("proxy.fleet.heartbeat.FIRST_PAUSE", 0.001)
