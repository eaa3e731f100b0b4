"""Comparisons while applications write through two proxies.

Nothing is reported that is only on its way; every damage is found, and repaired once and for all.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from bson import ObjectId

from proxy.backfill.compare import Kind
from proxy.backfill.member import open_member
from proxy.backfill.report import Report
from proxy.backfill.verify import Options, Progress, Verify
from proxy.config import Settings
from proxy.names import TableName
from tests.mirroring.conftest import on_newest
from tests.mirroring.drivers import connected
from tests.mirroring.rig import MirrorProxy, Rig, eventually
from tests.mirroring.schema import NAMED

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

ROWS = 400
"""Of `items` that no traffic touches."""
HOT = 10
"""Rows that are written all the time."""
FIRST_BUSY = 100_000
"""Keys from here on belong to the traffic."""
SQL = f"""
insert into items (id, name, qty) select n, 'still ' || n, n from generate_series(1000, {1000 + ROWS - 1}) n;
insert into items (id, name) select {FIRST_BUSY} + n, 'hot' from generate_series(1, {HOT}) n;
"""


def settings_of(proxy: MirrorProxy) -> Settings:
    return Settings.model_validate(proxy.settings)


async def compared(rig: Rig, **options: Any) -> Report:
    """Of `items`."""
    async with open_member(settings_of(rig.proxies[0]), "verify") as member:
        name = TableName("public", "items", rig.database)
        given = Options(**{"chunk_rows": 50, "gather": 0.2, **options})
        return await Verify(member, name, given, Progress(report=Report(limit=1000))).run()


@asynccontextmanager
async def traffic(proxies: list[MirrorProxy]) -> AsyncIterator[list[int]]:
    """Writers to hot rows and to rows that come and go; how many statements each has done so far."""
    done = [0, 0, 0, 0]
    stop = asyncio.Event()

    async def write(number: int) -> None:
        chance = random.Random(number)
        async with connected(proxies[number % len(proxies)].address, "simple") as client:
            while not stop.is_set():
                hot, other = (
                    FIRST_BUSY + chance.randint(1, HOT),
                    FIRST_BUSY + 1000 * (number + 1) + chance.randint(0, 30),
                )
                await client.run(f"update items set qty = qty + 1 where id = {hot}")
                await client.run(
                    f"insert into items (id, name) values ({other}, 'comes')"
                    " on conflict (id) do update set qty = items.qty + 1"
                )
                if chance.random() < 0.5:
                    await client.run(f"delete from items where id = {other}")
                done[number] += 1

    writers = [asyncio.create_task(write(number)) for number in range(len(done))]
    try:
        yield done
    finally:
        stop.set()
        await asyncio.gather(*writers)


async def prepared(rig: Rig) -> list[MirrorProxy]:
    proxies = await rig.started(2)
    async with connected(proxies[0].address, "simple") as client:
        for statement in SQL.split(";"):
            if statement.strip():
                await client.run(statement)
    await rig.agree()
    return proxies


def marks(rig: Rig) -> dict[int, Any]:
    """(v, r) of every document without traffic."""
    found = rig.client[rig.database]["items"].find({"_id": {"$lt": FIRST_BUSY, "$type": "int"}})
    return {document["_id"]: document["_cw"] for document in found if "_cw" in document}


@on_newest
async def test_under_live_traffic_only_damage_is_found_and_it_is_repaired(rig: Rig) -> None:
    proxies = await prepared(rig)
    items = rig.client[rig.database]["items"]
    before = marks(rig)
    async with traffic(proxies) as done:
        report = await compared(rig)
        assert (report.differences, report.unsettled, report.left) == (0, 0, 0), report
        assert min(done) > 0

        deleted, changed = [1000, 1111, 1399], [1001, 1222, 1398]
        items.delete_many({"_id": {"$in": deleted}})
        items.update_many({"_id": {"$in": changed}}, {"$set": {"qty": -1}, "$inc": {"qty2": 1}})
        items.update_one({"_id": 1003}, {"$set": {"name": 3}})
        items.insert_many([{"_id": 50_000, "name": "added"}, {"_id": 50_001, "_cw": {"v": 0, "r": 0}}])
        stranger = ObjectId()
        items.insert_one({"_id": stranger})

        report = await compared(rig)
        assert (report.missing, report.extra, report.different, report.foreign) == (3, 3, 4, 1), report
        expected: dict[Any, Kind] = dict.fromkeys(deleted, Kind.MISSING)
        expected |= dict.fromkeys([*changed, 1003], Kind.DIFFERENT)
        expected |= dict.fromkeys([50_000, 50_001, stranger], Kind.EXTRA)
        assert {one.identifier: one.difference.kind for one in report.found} == expected
        report = await compared(rig, repair=True, remove_foreign=True)
        assert (report.repaired, report.removed, report.left) == (9, 1, 0), report
        report = await compared(rig)
        assert (report.differences, report.left) == (0, 0), report
    await rig.agree()
    touched = {*deleted, *changed, 1003}
    after = marks(rig)
    assert set(after) == set(before)
    for key, mark in after.items():
        if key not in touched:
            assert mark == before[key], "what was right is left alone"
        elif key not in deleted:
            assert (mark["v"], mark["r"]) == (before[key]["v"], before[key]["r"] + 1)


@on_newest
async def test_what_nobody_saw_is_found_and_repaired_while_the_same_rows_are_written(rig: Rig) -> None:
    """Writers that go around the proxies, to hot rows as well: the next image, or the repair, puts them right."""
    proxies = await prepared(rig)
    async with traffic(proxies):
        with psycopg.connect(rig.source.dsn(rig.database), autocommit=True) as unseen:
            unseen.execute("update items set note = 'unseen' where id between 1000 and 1009")
            unseen.execute("delete from items where id = 1010")
            unseen.execute("insert into items (id, name) values (60000, 'unseen')")
            unseen.execute(
                f"update items set note = 'unseen' where id > {FIRST_BUSY} and id <= {FIRST_BUSY + HOT}"
            )
        report = await compared(rig, repair=True)
        assert report.left == 0, report
        assert (report.missing, report.extra) == (1, 1)
        assert report.different >= 10
    await rig.agree()


@on_newest
async def test_gaps_of_whole_tables_are_closed_under_traffic(rig: Rig) -> None:
    proxies = await prepared(rig)
    async with connected(proxies[0].address, "simple") as client:
        await client.run(
            "with seen as (update items set note = 'cte' where id between 1000 and 1019 returning id) select 1"
        )

    def whole_tables() -> set[str]:
        return {gap["table"] for gap in rig.gaps() if gap["rows"] is None}

    await eventually(lambda: "public.items" in whole_tables(), lambda: f"no gap is open: {rig.gaps()}")
    async with traffic(proxies):
        report = await compared(rig)
        assert (report.different, report.gaps_closed) == (20, 0), report
        report = await compared(rig, repair=True)
        assert (report.different, report.repaired, report.left) == (20, 20, 0), report
        assert report.gaps_closed >= 1
    assert "public.items" not in whole_tables()


@on_newest
async def test_what_the_rules_ask_for_is_compared_by_one_proxy(rig: Rig) -> None:
    """And what differs is repaired, where they say so."""
    with psycopg.connect(rig.source.dsn(rig.database), autocommit=True) as unseen:
        unseen.execute("insert into items (id, name) select n, 'before' from generate_series(1, 50) n")
    asked = {"every": "1h", "repair": True}
    rig.rules([NAMED["items"]], verify=asked)
    proxies = [rig.proxy() for _ in range(2)]
    await asyncio.gather(*(proxy.start() for proxy in proxies))
    state: dict[str, Any] = {}

    def over() -> bool:
        for found in rig.client["_causeway"]["verify"].find({"_id": f"{rig.database}.public.items"}):
            state.update(found["value"])
        return state.get("ended") is not None

    await eventually(over, lambda: f"not compared: {state}")
    assert (state["outcome"], state["scheduled"], state["numbers"]["repaired"]) == ("equal", True, 50)
    assert rig.client[rig.database]["items"].count_documents({}) == 50
    begun = [one for proxy in proxies for one in proxy.events() if one.get("event") == "verify_begins"]
    assert len(begun) == 1
