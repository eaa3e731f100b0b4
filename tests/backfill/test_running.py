"""`causeway backfill` as a process: killed and started again, shared, refused, and ended by a signal."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.run import Status
from tests.backfill.copy_world import CopyWorld, copy_world, kill, lines
from tests.mirroring.rig import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ROWS = 3000
TABLES = f"""
create table orders (id int primary key, note text);
insert into orders select i, 'note ' || i from generate_series(1, {ROWS}) i;
create table items (shop text, n int, price numeric, primary key (shop, n));
insert into items select 's' || i % 7, i, i / 100.0 from generate_series(1, 500) i;
"""
RULES = "tables:\n  orders: {phase: backfill}\n  items: {phase: backfill}\n"


@pytest.fixture
def world(postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path) -> Iterator[CopyWorld]:
    with copy_world(postgres, document_store, tmp_path, TABLES, RULES) as made:
        yield made


def test_all_tables_with_plain_lines(world: CopyWorld) -> None:
    told = world.finished("--all", "--offline")
    assert f"{world.database}.public.orders  done in" in told
    assert "3,000 rows read, 3,000 documents put in, 0 left as they were" in told
    assert world.ids("orders") == list(range(1, ROWS + 1))
    assert len(world.raw_ids("items")) == 500
    again = world.finished("orders", "--offline")
    assert "was copied already" in again
    assert "--again" in again


def test_json_lines(world: CopyWorld) -> None:
    told = lines(world.finished("orders", "items", "--offline", "--json"))
    ends = [one for one in told if one["event"] == "end"]
    assert [(one["status"], one["rows"], one["share"]) for one in ends] == [
        ("done", ROWS, 1.0),
        ("done", 500, 1.0),
    ]


async def test_killed_and_started_again_it_repeats_at_most_one_chunk_of_each_slot(world: CopyWorld) -> None:
    slots, chunk = 2, 50
    process = world.command(
        "orders", "--offline", "--rate", "1000", "--chunk-rows", str(chunk), "--concurrency", str(slots)
    )
    await eventually(lambda: world.has_copied("orders", 300), lambda: "nothing is copied")
    kill(process)
    left = world.run("orders")
    assert left.status is Status.RUNNING
    assert len(left.claims) <= slots
    told = await asyncio.to_thread(
        world.finished, "orders", "--offline", "--rate", "0", "--json", proxy_lost_after="2s"
    )
    run = world.run("orders")
    assert (run.number, run.status) == (1, Status.DONE)
    assert world.ids("orders") == list(range(1, ROWS + 1))
    assert run.totals.rows == ROWS
    # Every row was seeded or found: found again are at most those of the chunks under way.
    assert run.totals.stale <= slots * chunk
    assert lines(told)[-1]["status"] == "done"


async def test_processes_that_are_killed_at_random_lose_nothing(world: CopyWorld) -> None:
    generator = random.Random(4)
    arguments = ["orders", "--offline", "--rate", "1500", "--chunk-rows", "40", "--json"]
    running = [world.command(*arguments, proxy_lost_after="2s") for _ in range(2)]
    try:
        for _ in range(3):
            copied = world.rows_copied("orders")
            await eventually(
                lambda goal=copied + 200: world.has_copied("orders", min(goal, ROWS)),  # type: ignore[misc]
                lambda: "it does not go on",
            )
            victim = generator.randrange(2)
            kill(running[victim])
            running[victim] = world.command(*arguments, proxy_lost_after="2s")
        for process in running:
            out, err = await asyncio.to_thread(process.communicate, timeout=60)
            assert process.returncode == 0, out + err
    finally:
        for process in running:
            process.kill()
            process.communicate()
    run = world.run("orders")
    assert run.status is Status.DONE
    assert run.totals.rows == ROWS
    assert world.ids("orders") == list(range(1, ROWS + 1))


async def test_a_signal_ends_it_after_the_chunk(world: CopyWorld) -> None:
    process = world.command("orders", "--offline", "--rate", "500", "--chunk-rows", "20")
    await eventually(lambda: world.has_copied("orders", 40), lambda: "nothing is copied")
    process.send_signal(signal.SIGTERM)
    out, err = await asyncio.to_thread(process.communicate, timeout=20)
    assert process.returncode == 1, out + err
    assert "goes on with it" in out
    run = world.run("orders")
    assert (run.status, run.claims, dict(run.workers)) == (Status.RUNNING, (), {})


async def test_pause_set_resume_and_cancel_from_outside(world: CopyWorld) -> None:
    process = world.command("orders", "--offline", "--rate", "400", "--chunk-rows", "20")
    try:
        await eventually(lambda: world.has_copied("orders", 40), lambda: "nothing is copied")
        told = await asyncio.to_thread(world.finished, "pause", "orders", "--reason", "lunch")
        assert "paused: lunch" in told
        await eventually(lambda: not world.run("orders").claims, lambda: "a chunk is under way")
        assert "lunch" in await asyncio.to_thread(world.finished, "status")
        await asyncio.to_thread(
            world.finished, "set", f"{world.database}:public.orders", "--rate", "300", "--max-lag", "5s"
        )
        tuning = world.run("orders").tuning
        assert (tuning.rate, tuning.max_lag_seconds, tuning.chunk_rows) == (300.0, 5.0, 20)
        before = world.rows_copied("orders")
        await asyncio.to_thread(world.finished, "resume", "orders")
        await eventually(lambda: world.has_copied("orders", before + 20), lambda: "it does not go on")
        await asyncio.to_thread(world.finished, "cancel", "orders")
        out, err = await asyncio.to_thread(process.communicate, timeout=20)
        assert process.returncode == 1, out + err
        assert "cancelled" in out
    finally:
        process.kill()
        process.communicate()


def test_what_is_not_there_is_said(world: CopyWorld) -> None:
    assert "no rule is about table public.nothing" in world.finished("nothing", "--offline", code=1)
    assert "there is no backfill of orders" in world.finished("pause", "orders", code=1)
    assert "name tables, or give --all" in world.finished("--offline", code=2)
    assert "no proxy mirrors" in world.finished("orders", code=1)


def beat(world: CopyWorld, proxy: str, tables: list[Any], **more: Any) -> None:
    """A heartbeat as a proxy writes it."""
    now = datetime.now(UTC)
    value = {
        "incarnation": f"{proxy}-1", "number": 7, "started": now, "at": now, "group": "", "version": "0.1",
        "rules": "", "tables": tables, "queued": 0, "gaps": [], "passed": [], "clean": False,
        **more,
    }  # fmt: skip
    world.client["_causeway"]["proxies"].replace_one({"_id": proxy}, {"value": value}, upsert=True)


def test_it_is_refused_while_a_proxy_does_not_mirror_the_table_and_says_which(world: CopyWorld) -> None:
    orders = [world.database, "public", "orders", "backfill", "strict"]
    beat(world, "aaaaaaaa1111", [orders])
    beat(world, "bbbbbbbb2222", [])
    beat(world, "cccccccc3333", [], role="verify")
    told = world.finished("orders", code=1)
    assert "proxy bbbbbbbb (version 0.1, last heard of" in told
    assert "does not mirror" in told
    assert "aaaaaaaa" not in told
    assert "cccccccc" not in told
    assert world.documents("orders") == []


async def test_it_waits_for_transactions_that_began_before_the_table_was_mirrored(world: CopyWorld) -> None:
    import psycopg

    orders = [world.database, "public", "orders", "backfill", "strict"]
    with psycopg.connect(world.given["control_dsn"]) as connection:
        connection.execute("insert into orders values (0, 'unseen')")
        beat(world, "aaaaaaaa1111", [orders])
        process = world.command("orders", proxy_lost_after="60s")
        try:
            await asyncio.sleep(2.0)
            number = 8
            while process.poll() is None and number < 60:
                beat(world, "aaaaaaaa1111", [orders], number=number)
                number += 1
                await asyncio.sleep(0.2)
                if number == 20:
                    assert world.documents("orders") == []
                    connection.commit()
            out, err = await asyncio.to_thread(process.communicate, timeout=20)
            assert process.returncode == 0, out + err
        finally:
            process.kill()
            process.communicate()
    assert 0 in world.ids("orders")


async def test_a_proxy_that_turns_up_without_the_table_pauses_the_run(world: CopyWorld) -> None:
    process = world.command("orders", "--offline", "--rate", "400", "--chunk-rows", "20")
    try:
        await eventually(lambda: world.has_copied("orders", 40), lambda: "nothing is copied")
        beat(world, "bbbbbbbb2222", [])
        await eventually(lambda: world.run("orders").held, lambda: "it goes on")
        run = world.run("orders")
        assert run.status is Status.PAUSED
        assert "bbbbbbbb" in run.reason
        assert [gap["cause"] for gap in world.gaps()] == ["unobserved"]
        beat(world, "bbbbbbbb2222", [], number=8, clean=True)
        await eventually(lambda: not world.run("orders").held, lambda: "it does not go on")
        await asyncio.to_thread(world.finished, "set", "orders", "--rate", "0")
        out, err = await asyncio.to_thread(process.communicate, timeout=30)
        assert process.returncode == 0, out + err
        assert "paused: proxy bbbbbbbb" in out
        assert "going on" in out
    finally:
        process.kill()
        process.communicate()
    assert world.ids("orders") == list(range(1, ROWS + 1))
