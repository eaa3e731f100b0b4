"""A small shop: what its clerks do, and the tables they do it in.

An ordinary asyncpg application: prepared statements, transactions, savepoints, row locks, cursors, pipelined
batches, COPY in both directions. Nothing here knows of a proxy. `demo.clerks` runs it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

CUSTOMERS = 500
PRODUCTS = 200
INITIAL_STOCK = 40

SCHEMA = """
create table customers (
    id bigint generated always as identity primary key,
    email text not null unique,
    name text not null,
    joined_at timestamptz not null default now()
);
create table products (
    id bigint generated always as identity primary key,
    sku text not null unique,
    name text not null,
    price numeric(10, 2) not null check (price > 0),
    stock integer not null check (stock >= 0),
    received bigint not null,
    updated_at timestamptz not null default now()
);
create table orders (
    id bigint generated always as identity primary key,
    customer_id bigint not null references customers,
    status text not null default 'placed' check (status in ('placed', 'paid', 'shipped', 'cancelled')),
    total numeric(12, 2) not null default 0,
    placed_at timestamptz not null default now()
);
create index on orders (customer_id);
create index on orders (id) where status = 'paid';
create table order_items (
    order_id bigint not null references orders,
    product_id bigint not null references products,
    quantity integer not null check (quantity > 0),
    price numeric(10, 2) not null,
    primary key (order_id, product_id)
);
create table payments (
    id uuid primary key default gen_random_uuid(),
    order_id bigint not null unique references orders,
    amount numeric(12, 2) not null,
    details jsonb not null,
    paid_at timestamptz not null default now()
);
create table visits (
    id bigint generated always as identity primary key,
    customer_id bigint not null,
    page text not null,
    seconds integer not null default 0,
    came_at timestamptz not null default now()
);
create index on visits (customer_id, came_at desc);
"""

TABLES = ("customers", "products", "orders", "order_items", "payments", "visits")
PAGES = ("/", "/offers", "/products", "/basket", "/account")


class SoldOut(Exception):
    """There is less in stock than was asked for."""


async def make_tables(connection: Connection) -> None:
    """As a migration does, before the shop is deployed."""
    await connection.execute(SCHEMA)


async def open_shop(connection: Connection, rng: random.Random) -> None:
    """Fill the tables: the customers come from elsewhere with their numbers, by COPY; products are entered."""
    await connection.copy_records_to_table(
        "customers",
        columns=["id", "email", "name"],
        records=[(n, f"customer{n}@example.com", f"Customer {n}") for n in range(1, CUSTOMERS + 1)],
    )
    await connection.execute("select setval('customers_id_seq', $1)", CUSTOMERS)
    async with connection.transaction():
        await connection.executemany(
            "insert into products (sku, name, price, stock, received) values ($1, $2, $3, $4, $5)",
            [
                (
                    f"SKU-{n:04}",
                    f"Product {n}",
                    Decimal(rng.randrange(99, 20000)) / 100,
                    INITIAL_STOCK,
                    INITIAL_STOCK,
                )
                for n in range(1, PRODUCTS + 1)
            ],
        )
    await connection.execute("analyze customers, products")


async def place_order(connection: Connection, customer: int, basket: Mapping[int, int]) -> int | None:
    """The new order's number, or None where nothing of `basket` (product: quantity) was to be had.

    Stock is taken in the order of product numbers, so that two orders never wait for each other in a circle.
    """
    async with connection.transaction():
        order: int = await connection.fetchval(
            "insert into orders (customer_id) values ($1) returning id", customer
        )
        items = []
        for product, quantity in sorted(basket.items()):
            try:
                async with connection.transaction():
                    items.append((order, product, quantity, await take(connection, product, quantity)))
            except SoldOut:
                continue
        await connection.executemany("insert into order_items values ($1, $2, $3, $4)", items)
        await connection.execute(
            """
            update orders set
                total = (select coalesce(sum(quantity * price), 0) from order_items where order_id = $1),
                status = case when $2 then 'placed' else 'cancelled' end
            where id = $1
            """,
            order,
            bool(items),
        )
        return order if items else None


async def take(connection: Connection, product: int, quantity: int) -> Decimal:
    """Out of stock and into an order; the price. Raises SoldOut."""
    price: Decimal | None = await connection.fetchval(
        """
        update products set stock = stock - $2, updated_at = now()
        where id = $1 and stock >= $2 returning price
        """,
        product,
        quantity,
    )
    if price is None:
        raise SoldOut(product)
    return price


async def pay(connection: Connection, order: int) -> bool:
    """False where the order cannot be paid any more."""
    async with connection.transaction():
        total: Decimal | None = await connection.fetchval(
            "select total from orders where id = $1 and status = 'placed' for update", order
        )
        if total is None:
            return False
        await connection.execute(
            "insert into payments (order_id, amount, details) values ($1, $2, $3)",
            order,
            total,
            json.dumps({"method": "card", "currency": "EUR", "attempts": 1}),
        )
        await connection.execute("update orders set status = 'paid' where id = $1", order)
        return True


async def cancel_order(connection: Connection, order: int) -> bool:
    """Put the goods back; False where the order is paid or cancelled already."""
    async with connection.transaction():
        cancelled = await connection.fetchval(
            "update orders set status = 'cancelled' where id = $1 and status = 'placed' returning id", order
        )
        if cancelled is None:
            return False
        items = await connection.fetch(
            "select product_id, quantity from order_items where order_id = $1 order by product_id", order
        )
        for item in items:
            await connection.execute(
                "update products set stock = stock + $2, updated_at = now() where id = $1",
                item["product_id"],
                item["quantity"],
            )
        return True


async def ship_next(connection: Connection) -> int | None:
    """The oldest paid order that no other clerk has in hand."""
    async with connection.transaction():
        order: int | None = await connection.fetchval(
            "select id from orders where status = 'paid' order by id limit 1 for update skip locked"
        )
        if order is not None:
            await connection.execute("update orders set status = 'shipped' where id = $1", order)
        return order


async def restock(connection: Connection, product: int) -> None:
    await connection.execute(
        "update products set stock = stock + $2, received = received + $2, updated_at = now() where id = $1",
        product,
        INITIAL_STOCK,
    )


async def browse(connection: Connection, text: str) -> list[asyncpg.Record]:
    """A page of the catalogue, and the first product on it."""
    page = await connection.fetch(
        """
        select id, sku, name, price, stock > 0 as available
        from products where name ilike $1 order by price, id limit 20
        """,
        f"%{text}%",
    )
    if page:
        await connection.fetchrow("select * from products where id = $1", page[0]["id"])
    return page


async def visit(connection: Connection, customer: int, page: str) -> int:
    """Somebody has come to a page; the number of the visit."""
    number: int = await connection.fetchval(
        "insert into visits (customer_id, page) values ($1, $2) returning id", customer, page
    )
    return number


async def stay(connection: Connection, visit: int, seconds: int) -> None:
    """The visitor is there still, or again."""
    await connection.execute("update visits set seconds = seconds + $2 where id = $1", visit, seconds)


async def forget_visit(connection: Connection, visit: int) -> None:
    """As the customer has asked for."""
    await connection.execute("delete from visits where id = $1", visit)


async def account(connection: Connection, customer: int) -> asyncpg.Record | None:
    """Who it is, and where they have been lately."""
    record = await connection.fetchrow(
        "select id, email, name, joined_at from customers where id = $1", customer
    )
    await connection.fetch(
        "select page, seconds, came_at from visits where customer_id = $1 order by came_at desc, id desc limit 5",
        customer,
    )
    return record


async def history(connection: Connection, customer: int) -> list[asyncpg.Record]:
    return await connection.fetch(
        """
        select o.id, o.status, o.total, o.placed_at, count(i.product_id) as items, p.paid_at
        from orders o left join order_items i on i.order_id = o.id left join payments p on p.order_id = o.id
        where o.customer_id = $1 group by o.id, p.paid_at order by o.id desc limit 10
        """,
        customer,
    )


async def bestsellers(connection: Connection) -> list[asyncpg.Record]:
    return await connection.fetch(
        """
        select p.sku, sum(i.quantity) as sold, sum(i.quantity * i.price) as turnover
        from order_items i join products p on p.id = i.product_id
        where i.order_id > (select coalesce(max(id), 0) - 200 from orders)
        group by p.sku order by turnover desc, p.sku limit 10
        """
    )


async def price_list(connection: Connection) -> int:
    """Written out by COPY; its length in bytes."""
    size = 0

    async def write(data: bytes) -> None:
        nonlocal size
        size += len(data)

    await connection.copy_from_query(
        "select sku, name, price from products order by sku", output=write, format="csv"
    )
    return size


async def count_customers(connection: Connection) -> int:
    """Read with a cursor, fifty at a time."""
    async with connection.transaction(readonly=True):
        return len(
            [row async for row in connection.cursor("select * from customers order by id", prefetch=50)]
        )
