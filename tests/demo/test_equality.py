"""The comparison must find every difference there can be; where there is none, it must find none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest
from bson import Binary, Decimal128, Int64

from demo.equality import Column, canonical, columns_of, compare, document_of, rows_of
from demo.errors import DemoError
from demo.shop import TABLES, make_tables
from devstack.postgres import PostgresServer

if TYPE_CHECKING:
    from demo.shop import Connection

COLUMNS = [
    Column("id", "bigint", True),
    Column("name", "text", False),
    Column("price", "numeric", False),
    Column("stock", "integer", False),
    Column("details", "jsonb", False),
    Column("changed", "timestamp with time zone", False),
]
ROW = [
    "7",
    "Product 7",
    "12.50",
    "3",
    '{"a": [1, 2.50, null]}',
    "2026-01-02 03:04:05.678901+00",
]
DOCUMENT: dict[str, Any] = {
    "_id": Int64(7),
    "name": "Product 7",
    "price": Decimal128("12.50"),
    "stock": 3,
    "details": {"a": [1, Decimal128("2.50"), None]},
    "changed": datetime(2026, 1, 2, 3, 4, 5, 678000, UTC),
    "_cw": {"v": Int64(99), "r": 0, "us": {"changed": 901}},
}


def test_a_row_that_equals_its_document() -> None:
    found = compare("products", COLUMNS, [ROW], [DOCUMENT])
    assert (found.equal, found.rows, found.documents, found.equal_values) == (True, 1, 1, 6)


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        (("name",), "Product 8", "name differs"),
        (("name",), None, "name differs"),
        (("price",), Decimal128("12.5"), "price differs"),
        (("price",), 12.5, "price differs"),
        (("stock",), Int64(3), "stock differs"),
        (("stock",), 3.0, "stock differs"),
        (("details", "a"), [1, None, Decimal128("2.50")], "details differs"),
        (("details", "a"), [True, Decimal128("2.50"), None], "details differs"),
        (("changed",), datetime(2026, 1, 2, 3, 4, 5, 677000, UTC), "changed differs"),
        (("_cw", "us", "changed"), 900, "_cw differs"),
        (("_cw", "flags"), {"price": "nan"}, "_cw differs"),
        (("extra",), 1, "extra is too many"),
    ],
)
def test_each_difference_is_found(path: tuple[str, ...], value: object, what: str) -> None:
    document = deepcopy(DOCUMENT)
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    found = compare("products", COLUMNS, [ROW], [document])
    assert found.differences == (f"products 7: {what}",)
    assert not found.equal
    assert found.equal_values == 5


def test_a_field_that_is_missing() -> None:
    document = {name: value for name, value in DOCUMENT.items() if name != "stock"}
    assert compare("products", COLUMNS, [ROW], [document]).differences == ("products 7: stock is missing",)


def test_rows_without_documents_and_documents_without_rows() -> None:
    found = compare("products", COLUMNS, [ROW], [])
    assert found.differences == ("products 7 has no document",)
    found = compare("products", COLUMNS, [], [DOCUMENT])
    assert found.differences == ("products: the document 7 has no row",)
    found = compare("products", COLUMNS, [ROW], [{**DOCUMENT, "_id": 7}])
    assert len(found.differences) == 2


def test_a_key_of_two_columns() -> None:
    columns = [Column("a", "bigint", True), Column("b", "uuid", True), Column("t", "text", False)]
    text = "00112233-4455-6677-8899-aabbccddeeff"
    uuid = Binary(UUID(text).bytes, 4)
    assert document_of(columns, ["1", text, None]) == {
        "_id": {"a": Int64(1), "b": uuid},
        "a": Int64(1),
        "b": uuid,
        "t": None,
        "_cw": {},
    }


def test_a_type_that_is_not_known_is_no_equality() -> None:
    with pytest.raises(DemoError, match="inet"):
        document_of([Column("a", "inet", True)], ["127.0.0.1"])


def test_canonical_values_keep_types_apart() -> None:
    values = [
        1,
        Int64(1),
        1.0,
        True,
        Decimal128("1"),
        Decimal128("1.0"),
        "1",
        Binary(b"1", 4),
        [1],
        {"1": 1},
        None,
    ]
    assert len({canonical(value) for value in values}) == len(values)


@pytest.fixture
async def connection(postgres: PostgresServer, database: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(postgres.dsn(database))
    try:
        await make_tables(connection)
        yield connection
    finally:
        await connection.close()


@pytest.mark.integration
async def test_every_type_of_the_shop_is_known(connection: Connection) -> None:
    await connection.execute("set timezone = 'Asia/Kolkata'")
    await connection.execute("insert into customers (email, name) values ('a@example.com', 'A')")
    await connection.execute(
        "insert into products (sku, name, price, stock, received, updated_at) "
        "values ('S', 'P', 1.50, 1, 1, '2026-01-02 03:04:05.678901Z')"
    )
    await connection.execute("insert into orders (customer_id) values (1)")
    await connection.execute("insert into order_items values (1, 1, 1, 1.50)")
    await connection.execute(
        "insert into payments (order_id, amount, details) values (1, 1.5, '{\"a\": 1.50}')"
    )
    await connection.execute("insert into visits (customer_id, page) values (1, '/')")
    keys = {}
    for table in TABLES:
        columns = await columns_of(connection, table)
        (row,) = await rows_of(connection, table, columns)
        document = document_of(columns, row)
        assert compare(table, columns, [row], [document]).equal
        keys[table] = [column.name for column in columns if column.key]
        if table == "products":
            assert document["updated_at"] == datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
            assert document["_cw"] == {"us": {"updated_at": 901}}
        if table == "payments":
            assert document["details"] == {"a": Decimal128("1.50")}
    assert keys["order_items"] == ["order_id", "product_id"]
    assert all(keys[table] == ["id"] for table in TABLES if table != "order_items")
