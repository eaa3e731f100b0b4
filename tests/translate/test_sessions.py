"""Settings of a session, binary parameters, limits, and documents that somebody else has changed."""

from __future__ import annotations

import struct
import uuid

import pytest

from proxy.translate.api import (
    ForeignDocument,
    Inexact,
    ReadError,
    ReadLimits,
    SessionSettings,
    TooMuch,
)
from tests.translate.world import World, int8

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "Europe/Berlin", "UTC"])
async def test_the_time_zone(world: World, zone: str) -> None:
    world.set("TimeZone", zone)
    for sql in (
        "SELECT joined, joined::date AS d, joined::timestamp AS t, date_trunc('day', joined) FROM customer ORDER BY id",
        "SELECT id FROM sale WHERE sold >= '2023-01-10' AND sold < '2023-01-12 06:00' ORDER BY id",
        "SELECT date_trunc('month', sold), count(*) FROM sale GROUP BY 1 ORDER BY 1",
        "SELECT extract(hour from sold), sold + interval '1 month 1 day', to_char(sold, 'YYYY-MM-DD HH24') FROM sale",
        "SELECT updated::timestamptz FROM book WHERE updated < '2019-06-01'",
        "SELECT id FROM sale WHERE sold::date = '2023-01-05' ORDER BY id",
    ):
        assert await world.same(sql) is not None


async def test_how_bytea_is_written(world: World) -> None:
    world.set("bytea_output", "escape")
    await world.same("SELECT id, y FROM vals")


@pytest.mark.parametrize(
    "session",
    [
        SessionSettings(date_style="SQL, DMY"),
        SessionSettings(interval_style="iso_8601"),
        SessionSettings(extra_float_digits=0),
        SessionSettings(time_zone="EST5EDT,M3.2.0,M11.1.0"),
    ],
    ids=str,
)
async def test_settings_that_cannot_be_followed(world: World, session: SessionSettings) -> None:
    plan = world.compile("SELECT ts, iv, f8, tz FROM vals")
    with pytest.raises(Inexact):
        await world.run(plan.bind((), (), session))


async def test_binary_parameters(world: World) -> None:
    await world.same("SELECT id FROM book WHERE id = $1", [int8(5)], binary=[0])
    await world.same(
        "SELECT id FROM book WHERE author_id = $1 AND price > $2", [struct.pack(">i", 8), "1"], binary=[0]
    )
    array = struct.pack(">iiIii", 1, 0, 23, 2, 1) + b"".join(struct.pack(">ii", 4, n) for n in (1, 8))
    await world.same("SELECT id FROM book WHERE author_id = ANY($1) ORDER BY id", [array], binary=[0])
    numeric = struct.pack(">hhHHhh", 2, 0, 0, 2, 12, 5000)
    await world.same("SELECT id, $1 + 1 FROM book WHERE price > $1 ORDER BY id", [numeric], binary=[0])
    await world.same("SELECT name FROM author WHERE name LIKE $1", [b"Ann%"], binary=[0])
    some = uuid.UUID("00000000-0000-0000-0000-000000000001").bytes
    await world.same("SELECT id FROM vals WHERE u = $1", [some], binary=[0])
    moment = struct.pack(">q", 0)
    await world.same("SELECT id FROM vals WHERE tz > $1 ORDER BY id", [moment], binary=[0])


async def test_types_of_parameters_that_are_given(world: World) -> None:
    await world.same("SELECT id FROM book WHERE id = $1", [5], [23])
    await world.same("SELECT id FROM book WHERE price = $1", ["3.13"], [701])
    await world.same("SELECT $1", ["x"], [1043])


async def test_parameters_that_are_none(world: World) -> None:
    plan = world.compile("SELECT id FROM book WHERE id = $1")
    with pytest.raises(ReadError) as caught:
        plan.bind([b"five"], (), SessionSettings())
    assert caught.value.sqlstate == "22P02"
    with pytest.raises(ReadError):
        plan.bind([], (), SessionSettings())
    assert await world.same("SELECT id FROM book WHERE id = $1", [None]) is not None


async def test_limits(world: World) -> None:
    plan = world.compile("SELECT id FROM book WHERE price > 1")
    for limits in (ReadLimits(max_rows=10), ReadLimits(max_bytes=100)):
        with pytest.raises(TooMuch):
            await plan.bind((), (), SessionSettings()).run(world.reader, limits)
    small = ReadLimits(max_rows=10)
    for sql in (
        "SELECT count(*) FROM book WHERE price > 1",
        "SELECT id, title FROM book ORDER BY published DESC, id LIMIT 5",
        "SELECT id FROM book WHERE id = 7",
        "SELECT b.id, a.name FROM book b JOIN author a ON a.id = b.author_id WHERE b.id = 7",
    ):
        result = await world.compile(sql).bind((), (), SessionSettings()).run(world.reader, small)
        assert result.rows


async def test_a_document_that_somebody_else_has_changed(world: World) -> None:
    client = world.store.link.client
    tags = client[world.database]["tag"]
    old = await tags.find_one({"_id": 3})
    assert old is not None
    try:
        await tags.update_one({"_id": 3}, {"$set": {"label": 7}})
        with pytest.raises(ForeignDocument, match="column label"):
            await world.run(world.compile("SELECT label FROM tag WHERE id = 3").bind((), (), world.session))
    finally:
        await tags.replace_one({"_id": 3}, old)


async def test_what_a_result_says_of_its_order(world: World) -> None:
    result = await world.same("SELECT status FROM sale ORDER BY status LIMIT 40")
    assert result is not None
    assert result.ties == (30, 10)
    assert (result.loose_head, result.loose_tail) == (False, True)
    result = await world.same("SELECT status FROM sale ORDER BY status LIMIT 30 OFFSET 10")
    assert result is not None
    assert (result.ties, result.loose_head, result.loose_tail) == ((20, 10), True, True)
    result = await world.same(
        "SELECT count(*) FROM (SELECT * FROM sale ORDER BY status LIMIT 5) x WHERE id > 5"
    )
    assert result is not None
    assert result.indeterminate == "a LIMIT within the query whose order is not total"
    plan = world.compile("SELECT id FROM sale WHERE sold > now() ORDER BY id")
    assert plan.order.ordered
    assert plan.order.volatile == {"now"}
