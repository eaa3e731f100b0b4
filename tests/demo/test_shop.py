"""The shop against PostgreSQL itself: what the demo takes for an ordinary application must be right without a proxy."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import asyncpg
import pytest

from demo import shop
from demo.audit import audit_shop
from demo.clerks import Report
from devstack.postgres import PostgresServer

if TYPE_CHECKING:
    from demo.shop import Connection

pytestmark = pytest.mark.integration


@pytest.fixture
async def connection(postgres: PostgresServer, database: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(postgres.dsn(database))
    try:
        await shop.make_tables(connection)
        await shop.open_shop(connection, random.Random(1))
        yield connection
    finally:
        await connection.close()


async def stock(connection: Connection, product: int) -> int:
    return int(await connection.fetchval("select stock from products where id = $1", product))


async def test_an_order_takes_from_stock_and_is_paid_once_and_shipped(connection: Connection) -> None:
    order = await shop.place_order(connection, 1, {3: 2, 4: 1})
    assert order is not None
    assert await stock(connection, 3) == shop.INITIAL_STOCK - 2
    assert await shop.ship_next(connection) is None
    assert await shop.pay(connection, order)
    assert not await shop.pay(connection, order)
    assert not await shop.cancel_order(connection, order)
    assert await shop.ship_next(connection) == order
    assert [row["status"] for row in await shop.history(connection, 1)] == ["shipped"]
    assert await audit_shop(connection, Report(orders=1, payments=1)) == []


async def test_what_is_sold_out_is_left_out(connection: Connection) -> None:
    await connection.execute("update products set stock = 1, received = 1 where id = 3")
    order = await shop.place_order(connection, 1, {3: 2, 4: 1})
    items = await connection.fetch("select product_id, quantity from order_items where order_id = $1", order)
    assert [tuple(item) for item in items] == [(4, 1)]
    assert await stock(connection, 3) == 1
    assert await shop.place_order(connection, 1, {3: 2}) is None
    assert await audit_shop(connection, Report(orders=1)) == []


async def test_a_cancelled_order_gives_back(connection: Connection) -> None:
    order = await shop.place_order(connection, 1, {3: 2, 4: 1})
    assert order is not None
    assert await shop.cancel_order(connection, order)
    assert not await shop.cancel_order(connection, order)
    assert not await shop.pay(connection, order)
    assert await stock(connection, 3) == shop.INITIAL_STOCK
    await shop.restock(connection, 3)
    assert await stock(connection, 3) == 2 * shop.INITIAL_STOCK
    assert await audit_shop(connection, Report(orders=1)) == []


async def test_reads(connection: Connection) -> None:
    await shop.place_order(connection, 1, {3: 2, 4: 1})
    page = await shop.browse(connection, "Product 3")
    assert "SKU-0003" in [row["sku"] for row in page]
    assert {row["sku"] for row in await shop.bestsellers(connection)} == {"SKU-0003", "SKU-0004"}
    assert await shop.price_list(connection) > shop.PRODUCTS * len("SKU-0001,Product 1,1.00\n")
    assert await shop.count_customers(connection) == shop.CUSTOMERS
