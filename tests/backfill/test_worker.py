"""One table is copied whole, by one process or several, whatever comes between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.controlling import change
from proxy.backfill.gate import Refused
from proxy.backfill.member import open_member
from proxy.backfill.moves import cancel, pause, resume, tune
from proxy.backfill.run import Counts, Mode, Status
from proxy.stores.bson_form import Encoded
from proxy.stores.protocol import Key, StoreUnavailable, Write
from tests.backfill.copy_world import OFFLINE, CopyWorld, copy_world
from tests.mirroring.rig import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

TABLES = """
create table orders (id int primary key, note text, changed timestamptz default now());
insert into orders select i * 3, 'note ' || i from generate_series(1, 1000) i;
"""
NOW = datetime.now(UTC)
RULES = "tables:\n  orders: {phase: backfill, last_modified: changed}\n"


@pytest.fixture
def world(postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path) -> Iterator[CopyWorld]:
    with copy_world(postgres, document_store, tmp_path, TABLES, RULES) as made:
        yield made


async def test_a_table_is_copied(world: CopyWorld) -> None:
    run = await world.backfill("orders")
    assert run.status is Status.DONE
    assert world.ids("orders") == list(range(3, 3003, 3))
    assert run.totals == Counts(1000, 1000, 1000, 0, 0, run.totals.bytes, 1)
    [document] = world.client[world.database]["orders"].find({"_id": 3})
    assert document["note"] == "note 1"
    assert (document["_cw"]["v"], document["_cw"]["r"]) == (0, 0)
    assert world.run("orders").status is Status.DONE
    assert world.run("orders").workers == {}


async def test_nothing_fresher_is_overwritten_and_nothing_deleted_comes_back(world: CopyWorld) -> None:
    async with open_member(world.settings(), "backfill") as member:
        namespace = member.table(world.name("orders")).mapping.namespace
        fresh = Write(Key(3, 3), {"_id": 3, "note": "fresher"}, 100)
        await member.store.apply(namespace, [fresh, Write(Key(6, 6), None, 101)])
        run = await world.worker(member, "orders").work()
    assert (run.totals.seeded, run.totals.stale) == (998, 2)
    [document] = world.client[world.database]["orders"].find({"_id": 3})
    assert document["note"] == "fresher"
    assert world.ids("orders") == [3, *range(9, 3003, 3)]


async def test_several_processes_share_one_run(world: CopyWorld) -> None:
    wanted = replace(OFFLINE, tuning={"chunk_rows": 17, "concurrency": 3})
    runs = await asyncio.gather(*(world.backfill("orders", wanted) for _ in range(3)))
    assert {run.status for run in runs} == {Status.DONE}
    assert {run.number for run in runs} == {1}
    run = world.run("orders")
    assert (run.totals.rows, run.totals.seeded, run.totals.chunks) == (1000, 1000, 59)
    assert world.ids("orders") == list(range(3, 3003, 3))


async def test_a_table_that_is_copied_is_copied_again_only_when_asked(world: CopyWorld) -> None:
    await world.backfill("orders")
    assert (await world.backfill("orders")).number == 1
    run = await world.backfill("orders", replace(OFFLINE, again=True))
    assert (run.number, run.totals.seeded, run.totals.stale) == (2, 0, 1000)


async def test_an_empty_table(world: CopyWorld) -> None:
    world.sql("truncate orders")
    run = await world.backfill("orders")
    assert (run.status, run.totals) == (Status.DONE, Counts())


async def test_stopped_it_ends_after_the_chunk_and_goes_on_later(world: CopyWorld) -> None:
    stop = asyncio.Event()
    slow = replace(OFFLINE, tuning={"chunk_rows": 10, "rate": 200.0, "concurrency": 1})
    async with open_member(world.settings(), "backfill") as member:
        worker = world.worker(member, "orders", slow, stop=stop)
        work = asyncio.create_task(worker.work())
        await eventually(lambda: world.has_copied("orders", 50), lambda: "nothing is copied")
        stop.set()
        run = await work
    assert run.status is Status.RUNNING
    assert run.claims == ()
    assert run.workers == {}
    assert 0 < run.totals.rows < 1000
    fast = replace(OFFLINE, tuning={"rate": 0.0, "chunk_rows": 100})
    after = await world.backfill("orders", fast)
    assert (after.number, after.status) == (1, Status.DONE)
    assert (after.totals.rows, after.totals.seeded) == (1000, 1000)


async def test_pause_resume_and_cancel(world: CopyWorld) -> None:
    slow = replace(OFFLINE, tuning={"chunk_rows": 10, "rate": 400.0, "concurrency": 1})
    async with open_member(world.settings(), "backfill") as member:
        work = asyncio.create_task(world.worker(member, "orders", slow).work())
        await eventually(lambda: world.has_copied("orders", 20), lambda: "nothing is copied")
        [run] = await change(member.store, [world.run("orders")], lambda run: pause(run, "lunch", NOW))
        assert run.status is Status.PAUSED
        await eventually(lambda: not world.run("orders").claims, lambda: "a chunk is still under way")
        before = world.run("orders").totals
        await asyncio.sleep(0.5)  # many chunks long
        assert world.run("orders").totals == before
        await change(member.store, [run], lambda run: resume(run, NOW))
        await eventually(lambda: world.has_copied("orders", before.rows + 20), lambda: "it does not go on")
        await change(member.store, [run], lambda run: cancel(run, NOW))
        assert (await work).status is Status.CANCELLED
    assert len(world.ids("orders")) < 1000
    again = await world.backfill("orders")
    assert (again.number, again.status) == (2, Status.DONE)
    assert world.ids("orders") == list(range(3, 3003, 3))


async def test_it_is_retuned_while_it_runs(world: CopyWorld) -> None:
    slow = replace(OFFLINE, tuning={"chunk_rows": 5, "rate": 10.0, "concurrency": 1})
    async with open_member(world.settings(), "backfill") as member:
        work = asyncio.create_task(world.worker(member, "orders", slow).work())
        await eventually(lambda: "rate" in world.throttled("orders"), lambda: "not held back")
        await change(
            member.store,
            [world.run("orders")],
            lambda run: tune(run, rate=0.0, chunk_rows=200, concurrency=4),
        )
        async with asyncio.timeout(20):  # a hundred seconds at the old rate
            assert (await work).status is Status.DONE


async def test_the_rate_is_that_of_all_workers_together(world: CopyWorld) -> None:
    wanted = replace(OFFLINE, tuning={"rate": 500.0})
    began = time.monotonic()
    await asyncio.gather(*(world.backfill("orders", wanted) for _ in range(2)))
    assert time.monotonic() - began > 1.0


async def test_rows_that_no_document_can_hold_are_gaps_before_the_chunk_is_done(world: CopyWorld) -> None:
    world.sql(
        "alter table orders add big numeric; update orders set big = 10::numeric ^ 7000 where id in (3, 9)"
    )
    run = await world.backfill("orders")
    assert run.status is Status.DONE
    assert (run.totals.seeded, run.totals.poisoned) == (998, 2)
    [gap] = world.gaps()
    assert gap["cause"] == "poison"
    assert gap["rows"] == {"columns": ["id"], "values": [["3"], ["9"]]}
    assert gap["scope"] == "rows"


async def test_ddl_while_it_runs(world: CopyWorld) -> None:
    slow = replace(OFFLINE, tuning={"chunk_rows": 50, "rate": 400.0, "concurrency": 1})
    async with open_member(world.settings(), "backfill") as member:
        work = asyncio.create_task(world.worker(member, "orders", slow).work())
        await eventually(lambda: world.has_copied("orders", 50), lambda: "nothing is copied")
        world.sql("alter table orders add more text default 'x', drop note")
        assert (await work).status is Status.DONE
    assert world.ids("orders") == list(range(3, 3003, 3))
    assert world.client[world.database]["orders"].find_one({"_id": 3000})["more"] == "x"  # type: ignore[index]


async def test_a_table_made_anew_fails_the_run_with_what_to_do(world: CopyWorld) -> None:
    slow = replace(OFFLINE, tuning={"chunk_rows": 50, "rate": 400.0, "concurrency": 1})
    async with open_member(world.settings(), "backfill") as member:
        work = asyncio.create_task(world.worker(member, "orders", slow).work())
        await eventually(lambda: world.has_copied("orders", 50), lambda: "nothing is copied")
        world.sql("drop table orders;" + TABLES)
        await member.refresh(world.database)
        run = await work
    assert run.status is Status.FAILED
    assert "made anew" in run.reason
    with pytest.raises(Refused, match="cancel"):
        await world.backfill("orders")


async def test_since_copies_what_has_changed_and_refresh_overwrites_it(world: CopyWorld) -> None:
    world.sql("update orders set changed = '2024-01-01', note = 'old' where id <= 30")
    wanted = replace(OFFLINE, since="2025-01-01", tuning={"chunk_rows": 100})
    run = await world.backfill("orders", wanted)
    assert (run.totals.rows, run.totals.keys) == (990, 1000)
    assert world.ids("orders") == list(range(33, 3003, 3))
    world.sql("update orders set changed = '2030-01-01', note = 'newer' where id in (3, 300)")
    run = await world.backfill("orders", replace(OFFLINE, since="2029-01-01"))
    assert (run.totals.rows, run.totals.seeded) == (2, 1)
    assert world.client[world.database]["orders"].find_one({"_id": 300})["note"] == "note 100"  # type: ignore[index]
    run = await world.backfill("orders", replace(OFFLINE, since="2029-01-01", mode=Mode.REFRESH))
    assert (run.totals.rows, run.totals.seeded, run.totals.stale) == (2, 1, 1)
    [document] = world.client[world.database]["orders"].find({"_id": 300})
    assert document["note"] == "newer"
    assert (document["_cw"]["v"], document["_cw"]["r"]) == (0, 1)


async def test_refresh_does_not_bring_back_what_is_fresher(world: CopyWorld) -> None:
    async with open_member(world.settings(), "backfill") as member:
        namespace = member.table(world.name("orders")).mapping.namespace
        await member.store.apply(namespace, [Write(Key(3, 3), {"_id": 3, "note": "damaged"}, 100)])
        run = await world.worker(member, "orders", replace(OFFLINE, mode=Mode.REFRESH)).work()
    assert (run.status, run.totals.seeded) == (Status.DONE, 1000)
    [document] = world.client[world.database]["orders"].find({"_id": 3})
    assert document["note"] == "note 1"
    assert (document["_cw"]["v"], document["_cw"]["r"]) == (100, 1)


async def test_a_refresh_that_a_proxy_holds_up_fails_with_its_name_and_goes_on_later(
    world: CopyWorld,
) -> None:
    wanted = replace(OFFLINE, mode=Mode.REFRESH)
    async with open_member(world.settings(), "verify") as stuck:
        with stuck.holding(world.database, 1):
            await stuck.heartbeat._try(stuck.heartbeat._turn)  # now the fleet knows
            run = await world.backfill("orders", wanted, fleet_timeout="1s")
        assert run.status is Status.FAILED
        assert f"a running `verify`, {stuck.proxy[:8]}" in run.reason
        assert world.documents("orders") == []
        run = await world.backfill("orders", wanted)
    assert (run.number, run.status, run.totals.seeded) == (1, Status.DONE, 1000)


async def test_what_cannot_be_gone_on_with_is_refused(world: CopyWorld) -> None:
    slow = replace(OFFLINE, tuning={"chunk_rows": 10, "rate": 100.0})
    stop = asyncio.Event()
    async with open_member(world.settings(), "backfill") as member:
        work = asyncio.create_task(world.worker(member, "orders", slow, stop=stop).work())
        await eventually(lambda: world.has_copied("orders", 10), lambda: "nothing is copied")
        stop.set()
        await work
    with pytest.raises(Refused, match="is not finished"):
        await world.backfill("orders", replace(OFFLINE, mode=Mode.REFRESH))


async def test_a_run_that_cannot_succeed_fails_with_its_reason_and_goes_on_later(world: CopyWorld) -> None:
    wanted = replace(OFFLINE, tuning={"query": "select id from orders", "query_limit": 1.0})
    run = await world.backfill("orders", wanted)
    assert run.status is Status.FAILED
    assert "one row of one number" in run.reason
    run = await world.backfill("orders", replace(OFFLINE, tuning={"query": ""}))
    assert (run.number, run.status) == (1, Status.DONE)


async def test_a_process_that_was_given_up_reads_its_chunk_again_by_way_of_repair(world: CopyWorld) -> None:
    async with open_member(world.settings(), "backfill") as member:
        absences: list[bool] = []
        repaired = 0
        lost, repair = member.lost, member.store.repair

        async def counted(*arguments: Any) -> Any:
            nonlocal repaired
            repaired += len(arguments[1])
            return await repair(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(member, "lost", lambda: absences.pop(0) if absences else lost())
            patch.setattr(member.store, "repair", counted)
            seeds = member.store.seed

            async def stale(namespace: Any, writes: Any) -> Any:
                """As if the rows had been read before somebody changed them."""
                absences[:] = [True, True, False]
                keys = [one.id if isinstance(one, Encoded) else one.key.value for one in writes]
                return await seeds(namespace, [Write(Key(key, key), {"note": "stale"}, 0) for key in keys])

            patch.setattr(member.store, "seed", stale)
            run = await world.worker(member, "orders").work()
    assert run.status is Status.DONE
    assert repaired == 1000
    assert {document["note"] for document in world.documents("orders")} == {
        f"note {n}" for n in range(1, 1001)
    }


async def test_told_to_end_while_it_waits_for_others_it_ends(world: CopyWorld) -> None:
    stop = asyncio.Event()
    with psycopg.connect(world.given["control_dsn"]) as connection:
        connection.execute("select 1")  # a transaction that does not end
        async with open_member(world.settings(), "backfill") as member:
            work = asyncio.create_task(world.worker(member, "orders", stop=stop).work())
            await asyncio.sleep(0.5)
            assert not work.done()
            stop.set()
            with pytest.raises(Refused, match="before it began"):
                await work
    assert world.documents("orders") == []


async def test_source_and_store_that_are_away_are_waited_for(world: CopyWorld) -> None:
    told: list[str] = []
    async with open_member(world.settings(), "backfill") as member:
        seed, failures = member.store.seed, 3

        async def seldom(namespace: Any, writes: Any) -> Any:
            nonlocal failures
            if failures:
                failures -= 1
                raise StoreUnavailable("away")
            return await seed(namespace, writes)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(member.store, "seed", seldom)
            worker = world.worker(member, "orders", told=told)
            run = await worker.work()
    assert (run.status, run.totals.rows) == (Status.DONE, 1000)
    assert worker.repeated == 3
    assert any("trying again" in line and "away" in line for line in told)
