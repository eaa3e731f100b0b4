"""Comparisons of real tables with real collections: any damage is found, told as what it is, and repaired; nothing else
is touched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.compare import Difference, Kind
from proxy.backfill.member import Member, open_member
from proxy.backfill.report import Report, Scope
from proxy.backfill.verify import Options, Progress, Verify
from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.mirror.gap import entry_of, gap_id
from proxy.mirror.gapfile import StoredGap
from tests.backfill.verify_world import TABLES, World, made_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def world(postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path) -> Iterator[World]:
    with made_world(postgres, document_store, tmp_path) as made:
        yield made


def told(report: Report) -> dict[Any, Difference]:
    return {repr(one.identifier): one.difference for one in report.found}


async def test_empty_collections_miss_every_row_and_are_filled(world: World) -> None:
    first = await world.verify()
    assert set(first) == set(TABLES)
    for table, report in first.items():
        rows = int(world.run(f"select count(*) from {table}"))
        assert (report.rows, report.missing, report.differences) == (rows, rows, rows)
        assert report.equal == (rows == 0)
    for report in (await world.verify(repair=True)).values():
        assert (report.repaired, report.left) == (report.missing, 0)
    for table, report in (await world.verify()).items():
        assert (report.differences, report.transient, report.unequal) == (0, 0, 0), table
        assert report.documents == report.rows == len(world.documents(table))


async def test_documents_deleted_changed_and_added_by_hand(world: World) -> None:
    await world.fill("items", "cells")
    items, cells = world.collection("items"), world.collection("cells")
    before = world.documents("items")
    items.delete_many({"_id": {"$in": [1, 250, 500]}})
    items.update_one({"_id": 7}, {"$set": {"label": "by hand"}})
    items.update_one({"_id": 8}, {"$set": {"price": 2.0}})
    items.update_one({"_id": 9}, {"$unset": {"data": 1}, "$set": {"label": 9}})
    items.update_one({"_id": 10}, {"$set": {"strange": 1}})
    items.update_one({"_id": 11}, {"$set": {"_cw.us.at": 5}})
    items.update_one({"_id": 12}, {"$unset": {"_cw.us": 1}})
    items.update_one({"_id": 13}, {"$set": {"_cw.flags": {"price": "nan"}}})
    items.replace_one({"_id": 14}, {"label": "replaced"})
    items.insert_many([{"_id": 9999, "label": "added"}, {"_id": -1, "_cw": {"v": Int64(5), "r": 0}}])
    cells.delete_one({"x": 1, "y": "y1"})
    cells.update_one({"x": 2, "y": "y2"}, {"$set": {"x": 3}})
    cells.insert_one({"_id": {"x": 1, "y": "none"}, "x": 1, "y": "none", "n": 1})
    damaged = world.documents("items")

    found = await world.verify("items", "cells")
    assert world.documents("items") == damaged
    report = found["items"]
    assert (report.missing, report.extra, report.different, report.foreign) == (3, 2, 8, 0)
    differ = {
        identifier: (one.columns, one.fields)
        for identifier, one in told(report).items()
        if one.columns or one.fields
    }
    assert differ == {
        "7": (("name",), ()),
        "8": (("price",), ()),
        "9": (("name", "data"), ()),
        "10": ((), ("strange",)),
        "11": (("at",), ()),
        "12": (("at", "changed"), ()),
        "13": (("price",), ()),
        "14": (("name", "price", "at", "data", "changed"), ("_cw",)),
    }
    assert {key for key, one in told(report).items() if one.kind is Kind.MISSING} == {"1", "250", "500"}
    assert {key for key, one in told(report).items() if one.kind is Kind.EXTRA} == {"9999", "-1"}
    report = found["cells"]
    assert (report.missing, report.extra, report.different) == (1, 1, 1)
    assert report.columns == {"x": 1}

    found = await world.verify("items", "cells", repair=True)
    assert (found["items"].repaired, found["items"].left) == (13, 0)
    assert (found["cells"].repaired, found["cells"].left) == (3, 0)
    after = world.documents("items")
    touched = {"1", "250", "500", *differ}
    assert set(after) == set(before)
    for identifier, document in after.items():
        if identifier in touched:
            assert {**document, "_cw": 0} == {**before[identifier], "_cw": 0}
            assert document["_cw"]["us"] == before[identifier]["_cw"]["us"]
        else:
            assert document == before[identifier], "nothing else is touched, its version and repairs included"
    for report in (await world.verify("items", "cells")).values():
        assert report.differences == 0


@pytest.mark.parametrize(
    ("table", "identifier"),
    [
        ("words", "nowhere"),
        ("moments", None),
        ("sums", Decimal128("7.25")),
        ("smalls", 999),
        ("smalls", 5000),
        ("empty", 1),
    ],
)
async def test_documents_of_rows_that_are_not_there(world: World, table: str, identifier: Any) -> None:
    await world.fill(table)
    if identifier is None:
        identifier = {"t": datetime(2030, 1, 1, tzinfo=UTC), "us": 7}
    world.collection(table).insert_one({"_id": identifier})
    [report] = (await world.verify(table)).values()
    assert (report.extra, report.foreign, report.left) == (1, 0, 1)
    [report] = (await world.verify(table, repair=True)).values()
    assert (report.repaired, report.left) == (1, 0)
    assert world.collection(table).find_one({"_id": identifier}) is None


FOREIGN = [
    ("items", ObjectId("65f0c0ffee0123456789abcd")),
    ("items", "text"),
    ("items", 2**40),
    ("items", 1.5),
    ("cells", 1),
    ("cells", {"x": 1}),
    ("cells", {"y": "y1", "x": 1}),
    ("tokens", "text"),
    ("moments", 5),
]


@pytest.mark.parametrize(("table", "identifier"), FOREIGN, ids=repr)
async def test_documents_whose_id_is_no_key(world: World, table: str, identifier: Any) -> None:
    await world.fill(table)
    world.collection(table).insert_one({"_id": identifier, "whose": "somebody's"})
    [report] = (await world.verify(table, repair=True)).values()
    assert (report.extra, report.foreign, report.removed, report.left) == (1, 1, 0, 1)
    assert world.collection(table).find_one({"_id": identifier}) is not None
    [report] = (await world.verify(table, repair=True, remove_foreign=True)).values()
    assert (report.extra, report.removed, report.left) == (1, 1, 0)
    assert world.collection(table).find_one({"_id": identifier}) is None


async def test_documents_of_another_key_that_causeway_made_are_its_own_to_remove(world: World) -> None:
    await world.fill("smalls")
    world.collection("smalls").insert_one({"_id": "old key", "_cw": {"v": Int64(3), "r": 0}})
    [report] = (await world.verify("smalls", repair=True)).values()
    assert (report.foreign, report.removed, report.left) == (1, 1, 0)


async def test_numbers_of_another_type_are_the_same_key(world: World) -> None:
    """The store finds 5 and Decimal128("5") under one key; the document is the row's, but not right."""
    await world.fill("smalls")
    smalls = world.collection("smalls")
    smalls.delete_one({"_id": 5})
    smalls.insert_one({"_id": Decimal128("5")})
    [report] = (await world.verify("smalls", repair=True)).values()
    assert told(report)["5"].kind is Kind.DIFFERENT
    assert (report.different, report.repaired, report.left) == (1, 1, 0)
    found = smalls.find_one({"_id": 5})
    assert found is not None
    assert type(found["_id"]) is int


async def test_fields_in_another_order_are_equal(world: World) -> None:
    await world.fill("items")
    items = world.collection("items")
    document = items.find_one({"_id": 5})
    assert document is not None
    items.replace_one({"_id": 5}, {name: document[name] for name in reversed(document)})
    [report] = (await world.verify("items")).values()
    assert (report.differences, report.transient) == (0, 0)


async def test_some_rows_only(world: World) -> None:
    await world.fill("items")
    world.collection("items").delete_many({"_id": {"$in": [10, 400]}})
    world.collection("items").insert_one({"_id": 9999})
    [report] = (await world.verify("items", scope=Scope(where="t.id < 100 -- and no more"))).values()
    assert (report.rows, report.missing, report.extra, report.documents) == (99, 1, 0, 0)
    since = "2026-01-15 00:00:00+00"
    [report] = (await world.verify("items", scope=Scope(since=since))).values()
    assert report.rows == int(world.run(f"select count(*) from items where changed >= '{since}'"))
    assert (report.missing, report.documents) == (1, 0)
    [report] = (await world.verify("items", scope=Scope(sample=0.0))).values()
    assert (report.rows, report.documents) == (0, 0)
    [report] = (await world.verify("items", scope=Scope(sample=0.5), chunk_rows=10)).values()
    assert 0 < report.rows < 500


async def test_a_repair_of_some_rows_repairs_them_alone(world: World) -> None:
    await world.fill("items")
    world.collection("items").delete_many({"_id": {"$in": [10, 400]}})
    [report] = (await world.verify("items", scope=Scope(where="id < 100"), repair=True)).values()
    assert (report.missing, report.repaired, report.left) == (1, 1, 0)
    assert world.collection("items").find_one({"_id": 400}) is None


async def test_a_row_that_no_document_can_hold(world: World) -> None:
    world.run("insert into items (id, price) values (5000, repeat('7', 40)::numeric)")
    [report] = (await world.verify("items", repair=True)).values()
    assert (report.impossible, report.left) == (1, 1)
    [gap] = world.client["_causeway"]["gaps"].find({"database": world.database})
    assert (gap["cause"], gap["rows"]["values"]) == ("poison", [["5000"]])


async def test_no_more_differences_are_kept_than_asked_for(world: World) -> None:
    async with open_member(world.settings, "verify") as member:
        [table] = member.tables(["items"])
        progress = Progress(report=Report(limit=5))
        report = await Verify(member, table.name, Options(gather=0.0), progress).run()
    assert (report.missing, len(report.found)) == (500, 5)
    assert progress.estimate >= 0
    assert progress.phase == ""


async def test_the_rate_is_kept(world: World) -> None:
    began = time.monotonic()
    await world.verify("smalls", rate=25.0)
    assert 1.0 <= time.monotonic() - began < 30.0


async def open_gap(world: World, member: Member) -> str:
    unseen = Unseen(Cause.TRIGGER, TableId("public", "smalls"))
    now = datetime.now(UTC)
    state = StoredGap(gap_id(world.database, unseen), world.database, unseen, "", 5, 1, now, now, False)
    await member.store.open_gap(entry_of(state, "p"))
    return state.id


async def open_ones(world: World, member: Member) -> list[str]:
    return [gap.id for gap in await member.store.gaps(database=world.database)]


async def test_a_gap_that_is_seen_again_meanwhile_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_member(world.settings, "verify") as member:
        gap = await open_gap(world, member)
        wait = member.wait_passed

        async def seen_again(database: str, version: int) -> None:
            await open_gap(world, member)
            await wait(database, version)

        with monkeypatch.context() as patch:
            patch.setattr(member, "wait_passed", seen_again)
            report = (await world.verify("smalls", member=member, repair=True))["smalls"]
        assert (report.left, report.gaps_closed) == (0, 0)
        assert await open_ones(world, member) == [gap]
        report = (await world.verify("smalls", member=member, repair=True))["smalls"]
        assert (report.gaps_closed, await open_ones(world, member)) == (1, [])


async def test_one_whom_the_fleet_has_given_up_closes_no_gap(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_member(world.settings, "verify") as member:
        gap = await open_gap(world, member)
        with monkeypatch.context() as patch:
            patch.setattr(member, "lost_since", lambda absences: True)
            report = (await world.verify("smalls", member=member, repair=True))["smalls"]
        assert (report.left, report.gaps_closed) == (0, 0)
        assert await open_ones(world, member) == [gap]
        assert await member.store.close_gap(gap, up_to=datetime.now(UTC))


async def test_proxies_that_were_given_up_are_told_before_the_fleet_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    async with open_member(world.settings, "verify") as member:
        put, wait = member.store.put_state, member.wait_passed

        async def told(kind: str, name: str, value: Any) -> None:
            order.append(kind)
            await put(kind, name, value)

        async def waited(database: str, version: int) -> None:
            order.append("wait")
            await wait(database, version)

        with monkeypatch.context() as patch:
            patch.setattr(member.store, "put_state", told)
            patch.setattr(member, "wait_passed", waited)
            await world.verify("empty", member=member, repair=True)
    assert [one for one in order if one != "proxies"][:2] == ["rereads", "wait"]
