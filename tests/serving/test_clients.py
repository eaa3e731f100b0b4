"""Drivers whose reads are served: what they get is what PostgreSQL gives."""

from __future__ import annotations

from typing import Any

import asyncpg
import psycopg
import psycopg2
import pytest

from tests.serving.rig import ServingRig, run

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

READS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("select id, name, email, joined from customers where id = %s", (7,)),
    ("select * from orders where customer = %s order by id limit 5", (3,)),
    ("select id, total, weight, paid from orders where paid and total > %s order by total desc, id", (100,)),
    ("select count(*) from orders where customer = %s", (2,)),
    ("select o.id, c.name from orders o join customers c on c.id = o.customer where o.id = %s", (12,)),
    ("select * from lines where order_id = %s order by place", (4,)),
    ("select tags, placed from orders where id = %s", (9,)),
    ("select id from orders where id = %s", (100_000,)),
)


async def test_psycopg_gets_the_same_rows(rig: ServingRig) -> None:
    await rig.start()

    def ask() -> None:
        with rig.connect() as served, rig.direct() as plain:
            for _ in range(7):  # from the sixth time on it prepares them under names
                for text, values in READS:
                    for binary in (False, True):
                        one = served.cursor(binary=binary).execute(text, values)
                        other = plain.cursor(binary=binary).execute(text, values)
                        assert one.fetchall() == other.fetchall()
                        assert repr(one.description) == repr(other.description)

    await run(ask)
    found = await rig.reads()
    assert found["store"] > 100, found


async def test_psycopg2_gets_the_same_rows(rig: ServingRig) -> None:
    await rig.start()

    def ask() -> None:
        address = rig.proxies[0].address
        served = psycopg2.connect(
            host=address.host, port=address.port, dbname=rig.database, user=address.user
        )
        plain = psycopg2.connect(rig.source.dsn(rig.database))
        for text, values in READS:
            found = []
            for connection in (served, plain):
                with connection, connection.cursor() as cursor:  # each in a block of its own
                    cursor.execute(text, values)
                    found.append((cursor.fetchall(), cursor.description, cursor.statusmessage))
            assert found[0] == found[1]
        served.close()
        plain.close()

    await run(ask)
    found = await rig.reads()
    assert found["store"] >= len(READS), found


async def test_asyncpg_gets_the_same_rows(rig: ServingRig) -> None:
    await rig.start()
    address = rig.proxies[0].address
    served = await asyncpg.connect(
        host=address.host, port=address.port, database=rig.database, user=address.user
    )
    plain = await asyncpg.connect(rig.source.dsn(rig.database))
    for text, values in READS:
        for _ in range(3):
            theirs = await plain.fetch(text.replace("%s", "$1"), *values)
            assert await served.fetch(text.replace("%s", "$1"), *values) == theirs
    async with served.transaction(readonly=True):
        assert await served.fetchval("select name from customers where id = $1", 7) == "customer 7"
    await served.close()
    await plain.close()
    found = await rig.reads()
    assert found["store"] > len(READS), found


async def test_a_pipeline_gets_the_same_rows(rig: ServingRig) -> None:
    await rig.start()

    def ask() -> None:
        found = []
        for connect in (rig.connect, rig.direct):
            with connect(prepare_threshold=0) as connection:
                for text, values in READS:
                    connection.execute(text, values)
                with connection.pipeline():
                    cursors = [connection.execute(text, values) for text, values in READS * 3]
                    connection.execute("insert into elsewhere values (1, 'x') on conflict do nothing")
                    cursors += [connection.execute(text, values) for text, values in READS]
                    found.append([cursor.fetchall() for cursor in cursors])
        assert found[0] == found[1]

    await run(ask)
    found = await rig.reads()
    assert found["store"] >= len(READS), found


async def test_errors_are_postgresqls_own(rig: ServingRig) -> None:
    await rig.start()

    def ask() -> None:
        for text in (
            "select total / (id - id) from orders where id = 3",
            "select id::int2 * 30000::int2 from orders where id = 7",
            "select (select id from orders where customer = 3) from customers where id = 1",
            "select no_such_column from orders",
            "select * from orders where id = 'x'",
        ):
            found = []
            for connect in (rig.connect, rig.direct):
                with connect() as connection:
                    with pytest.raises(psycopg.Error) as caught:
                        connection.execute(text.encode())
                    diag = caught.value.diag
                    found.append((diag.sqlstate, diag.message_primary, diag.statement_position))
            assert found[0] == found[1]

    await run(ask)
