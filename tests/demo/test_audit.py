"""The books must not balance where something is wrong with them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import asyncpg
import pytest

from demo import shop
from demo.audit import audit_pgbench, audit_shop
from demo.clerks import Report
from demo.pgbench import Pgbench
from devstack.postgres import PostgresServer

if TYPE_CHECKING:
    from demo.shop import Connection

pytestmark = pytest.mark.integration


@pytest.fixture
async def connection(postgres: PostgresServer, database: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(postgres.dsn(database))
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ("update orders set total = total + 1", "1 orders whose total"),
        ("update products set stock = stock - 1 where id = 9", "1 products whose stock"),
        ("delete from payments", "1 orders whose payment"),
        ("update orders set status = 'placed'", "1 orders whose payment"),
        ("delete from payments", "told of 1 payments, PostgreSQL holds 0"),
        ("delete from order_items", "told of 1 orders, PostgreSQL holds 0"),
    ],
)
async def test_damage_to_the_shop_is_found(connection: Connection, damage: str, complaint: str) -> None:
    await shop.make_tables(connection)
    await shop.open_shop(connection, random.Random(1))
    order = await shop.place_order(connection, 1, {3: 2})
    assert order is not None
    assert await shop.pay(connection, order)
    told = Report(orders=1, payments=1)
    assert await audit_shop(connection, told) == []
    await connection.execute(damage)
    assert complaint in "; ".join(await audit_shop(connection, told))


async def test_damage_to_pgbench_is_found(
    connection: Connection, postgres: PostgresServer, database: str
) -> None:
    await Pgbench(postgres.pg_bin, postgres.dsn(database)).fill(1, lambda _: None)
    assert await audit_pgbench(connection, 0) == []
    assert await audit_pgbench(connection, 1) == ["pgbench was told of 1 transactions, PostgreSQL holds 0"]
    await connection.execute("update pgbench_tellers set tbalance = 5 where tid = 1")
    assert await audit_pgbench(connection, 0) == ["accounts hold 0, tellers 5, branches 0, the history 0"]
