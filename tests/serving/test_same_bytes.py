"""The same bytes to PostgreSQL and to a proxy whose tables are all served: the replies must be the same bytes.

Simple and extended protocol, text and binary, pipelines, blocks, errors, writes in between that make no difference the
second time. Nothing is masked: both sides are sessions of one database.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.wire.messages import TERMINATE_MESSAGE
from tests.serving.rig import ServingRig, run
from tests.support.conversation import FLUSH, SYNC, bind, close, describe, execute, parse
from tests.support.raw import Message, RawClient
from tests.support.shares import note_reads
from tests.support.transcript import query, startup_message

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

EXAMPLES = int(os.environ.get("CAUSEWAY_TEST_DIFFERENTIAL_EXAMPLES", "120"))

MADE = """
create table every_type (id int primary key, b bool, s int2, i int8, r float4, d float8, n numeric, m numeric(10, 3),
  t text, v varchar(20), c char(5), y bytea, da date, ti time, ts timestamp, tz timestamptz, iv interval, u uuid,
  j json, jb jsonb, ia int[], ta text[]);
"""
SEED = """
insert into every_type values
 (1, true, 7, 1234567890123, 1.5, 0.1, 123.4500, 1.5, 'text é', 'var', 'c', '\\x00ff10', '2024-02-29', '13:14:15.5',
  '2024-01-02 03:04:05.678901', '2024-01-02 03:04:05+02', '1 year 2 mons 3 days 04:05:06.7',
  'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, 2]}', '{"b": null, "a": 1.50}',
  '{1,NULL,3}', '{"x y","q\\"",NULL}'),
 (2, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
  null, null),
 (3, false, -32768, -9223372036854775808, -0.0, 'NaN', 'NaN', -0.001, '', '', '', '', '-infinity', '00:00', 'infinity',
  '-infinity', '-1 day', '00000000-0000-0000-0000-000000000000', '[]', '[]', '{}', '{}'),
 (4, true, 0, 0, 'Infinity', 1e300, 1e20, 0, E'a\\nb\\t\\\\', 'x', '     ', '\\x', '0001-01-01', '24:00',
  '1999-12-31 23:59:59',
  '1969-12-31 23:59:59.999999+00', '00:00:00.000001', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
  '"s"', '"s"', '{{1,2},{3,4}}', '{}')
"""

SIMPLE = (
    *(f"select * from every_type where id = {number}" for number in range(6)),
    "select * from every_type order by id",
    "select id, t from every_type where id in (1, 3, 9) order by id desc",
    "select count(*), max(id), min(i) from every_type",
    "select id, name from customers where id = 7",
    "select id, total from orders where customer = 3 order by id limit 5",
    "select o.id, c.name from orders o join customers c on c.id = o.customer where o.id = 12",
    "select customer, count(*), sum(total) from orders where customer < 4 group by customer order by customer",
    "select 1; select id from orders where id = 3",
    "select id from orders where id = 3 for update",
    "select 1 / (id - 3) from orders where id = 3",
    "select nothing from orders",
    "select id from orders where id = 'x'",
    "begin",
    "begin isolation level repeatable read",
    "commit",
    "rollback",
    "update orders set paid = true where id = 5",
    "select paid from orders where id = 5",
    "insert into elsewhere values (1, 'x') on conflict do nothing",
    "set timezone = 'Asia/Tokyo'",
    "set extra_float_digits = 0",
    "set bytea_output = 'escape'",
    "set datestyle = 'German'",
    "set intervalstyle = 'iso_8601'",
    "set search_path = pg_catalog, public",
    "reset all",
    "discard all",
    "prepare p as select id from orders where id = $1",
    "execute p(3)",
    "deallocate all",
    "show timezone",
    "explain (costs off) select id from orders where id = 3",
    "declare c cursor with hold for select id from orders order by id",
    "fetch 2 from c",
    "close c",
    "copy (select id from orders where id < 3 order by id) to stdout",
    "",
)
PREPARED = (
    "select * from every_type where id = $1",
    "select id, t, n, tz from every_type where id >= $1 order by id",
    "select name from customers where id = $1",
    "select id from orders where customer = $1 order by id",
    "select paid from orders where id = $1",
    "select $1::int + 1",
    "begin",
    "commit",
    "select * from gone where id = $1",
)

names = st.sampled_from(["", "s1", "s2"])
portals = st.sampled_from(["", "", "", "p1"])
formats = st.sampled_from([(), (0,), (1,)])
values = st.sampled_from([b"1", b"3", b"4", b"77", b"x"])
limits = st.sampled_from([0, 0, 0, 1, 3])


def whole(text: str, name: str, value: bytes, results: tuple[int, ...], limit: int) -> bytes:
    """What a driver sends for a statement it has not prepared."""
    given = () if "$1" not in text else (value,)
    return (
        parse(text, name)
        + bind(given, statement=name, results=results)
        + describe("P", "")
        + execute("", limit)
    )


pieces = st.one_of(
    st.builds(whole, st.sampled_from(PREPARED), st.just(""), values, formats, limits),
    st.builds(parse, st.sampled_from(PREPARED), names),
    st.builds(
        lambda value, portal, name, results: bind((value,), portal=portal, statement=name, results=results),
        *(values, portals, names, formats),
    ),
    st.builds(describe, st.just("P"), portals),
    st.builds(describe, st.just("S"), names),
    st.builds(execute, portals, limits),
    st.builds(execute, portals, limits),
    st.builds(close, st.sampled_from(["S", "P"]), names),
    st.just(FLUSH),
)
runs = st.builds(  # a named statement, prepared and then run some times
    lambda text, value, results: b"".join(
        [
            parse(text, "n") + SYNC,
            *[bind((value,), statement="n", results=results) + describe("P", "") + execute("", 0) + SYNC] * 2,
            close("S", "n") + SYNC,
        ]
    ),
    *(st.sampled_from((*PREPARED[:5], "update orders set paid = true where id = $1")), values, formats),
)
batches = st.lists(pieces, min_size=1, max_size=6).map(lambda parts: b"".join(parts) + SYNC)
turns = st.one_of(st.sampled_from(SIMPLE).map(query), st.sampled_from(SIMPLE[:13]).map(query), runs, batches)
conversations = st.lists(turns, min_size=1, max_size=8)


def replies(port: int, user: str, database: str, turns: list[bytes], *, waits: bool) -> list[Message]:
    """Everything that is said, by a client that waits for the end of each turn, or sends all at once."""
    with RawClient(("127.0.0.1", port)) as client:
        client.send(startup_message(user=user, database=database))
        client.until("Z")
        found: list[Message] = []
        if waits:
            for turn in turns:
                client.send(turn + SYNC)
                ends = turn.count(SYNC) + 1 if turn[:1] != b"Q" else 2
                for _ in range(ends):
                    found += client.until("Z")
        else:
            client.send(b"".join(turns) + SYNC)
        client.send(TERMINATE_MESSAGE)
        return found + list(client.rest())


async def test_the_replies_are_the_same_bytes(rig: ServingRig, request: pytest.FixtureRequest) -> None:
    with rig.direct() as direct:
        direct.execute(MADE)
    rig.rule({"every_type": {"force": True}})
    (proxy,) = await rig.start()

    def seed() -> None:
        with rig.connect() as client:
            client.execute(SEED.encode())
            client.execute("insert into elsewhere values (1, 'x')")
            client.execute("update orders set paid = true")  # what is written later changes nothing any more

    await run(seed)
    await rig.quiet()
    user = proxy.address.user

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(turns=conversations, waits=st.booleans())
    def same(turns: list[bytes], waits: bool) -> None:
        theirs = replies(rig.source.port, user, rig.database, turns, waits=waits)
        assert replies(proxy.port, user, rig.database, turns, waits=waits) == theirs

    await run(same)
    found = await rig.reads()
    note_reads(request.node, "random conversations, byte by byte", found)
    assert found["store"] > EXAMPLES // 4, found
