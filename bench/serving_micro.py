"""Served reads by themselves: the engine against the driver asking for the same documents, in one event loop.

Run as `python -m bench.serving_micro URI ROUNDS READS`: prints a JSON object, seconds of processor time per read. No
session, socket or PostgreSQL is in it: what is measured is what a served read costs beyond the driver's own work.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import process_time
from typing import Any

import uvloop
from bson import Decimal128, Int64
from pymongo.asynchronous.database import AsyncDatabase

from proxy.catalog.language import Language, Traits
from proxy.catalog.model import Attribute, Relation, Snapshot
from proxy.mirror.tables import Surroundings, TableBook
from proxy.phases import Phase
from proxy.rulefiles.compile import RuleText, compile_rules
from proxy.serve.engine import ServeEngine
from proxy.serve.port import Declined, Read, Served, ServeLimits
from proxy.stores.bson_form import OPTIONS
from proxy.stores.mongo import open_store
from proxy.translate.api import SessionSettings

CUSTOMERS, ORDERS = 200, 5000
LISTED = 20
"""Rows of a list."""

_INT4, _INT8, _TEXT, _NUMERIC, _BOOL = 23, 20, 25, 1700, 16
_LIMITS = ServeLimits(timeout=10.0, max_rows=1000, max_bytes=4 << 20)
_PATH = ("public",)

Once = Callable[[int], Awaitable[int]]
"""One read of a key; the number of its rows."""


@dataclass(frozen=True)
class Shape:
    """A read, and what the driver asks for the same."""

    text: str
    driver: Callable[[AsyncDatabase[dict[str, Any]], int], Awaitable[int]]


async def _key(database: AsyncDatabase[dict[str, Any]], number: int) -> int:
    found = await database["orders"].find_one({"_id": number})
    return found is not None


async def _list(database: AsyncDatabase[dict[str, Any]], number: int) -> int:
    found = database["orders"].find({"customer": number % CUSTOMERS}, sort=[("_id", 1)], limit=LISTED)
    return len(await found.to_list())


async def _join(database: AsyncDatabase[dict[str, Any]], number: int) -> int:
    orders = await database["orders"].find({"customer": number % CUSTOMERS}).to_list()
    wanted = list({order["customer"] for order in orders})
    customers = await database["customers"].find({"_id": {"$in": wanted}}).to_list()
    names = {customer["_id"]: customer["name"] for customer in customers}
    return len([(order["_id"], names[order["customer"]]) for order in orders])


SHAPES: Mapping[str, Shape] = {
    "key": Shape("SELECT * FROM orders WHERE id = $1", _key),
    "list": Shape(f"SELECT * FROM orders WHERE customer = $1 ORDER BY id LIMIT {LISTED}", _list),
    "join": Shape(
        "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer WHERE o.customer = $1",
        _join,
    ),
}


def _relation(oid: int, name: str, *columns: tuple[str, int]) -> Relation:
    attributes = tuple(
        Attribute(number, column, type_oid, -1, number == 1, False, collation="C", traits=_C)
        for number, (column, type_oid) in enumerate(columns, 1)
    )
    return Relation(oid, "public", name, "r", "p", attributes, ("id",), (("id",),))


_C = Traits(True, True, "c")


def book(database: str) -> TableBook:
    """Two tables, in the phase that serves."""
    relations = (
        _relation(
            16384,
            "orders",
            ("id", _INT4),
            ("customer", _INT4),
            ("total", _NUMERIC),
            ("paid", _BOOL),
            ("note", _TEXT),
        ),
        _relation(16385, "customers", ("id", _INT4), ("name", _TEXT), ("balance", _INT8)),
    )
    snapshot = Snapshot(
        database=database,
        generation=1,
        system_identifier="1",
        server_version=150000,
        timeline=1,
        wal_level="replica",
        relations={relation.oid: relation for relation in relations},
        types={},
        by_name={relation.name: (relation.oid,) for relation in relations},
        language=Language("UTF8", _C),
    )
    text = "tables: {orders: {phase: primary_switch, force: true}, customers: {phase: primary_switch, force: true}}"
    rules = compile_rules([RuleText("rules.yaml", text.encode())], last_built=Phase.PRIMARY_SWITCH)
    return TableBook(rules, {database: snapshot}, Surroundings(True, True, True))


async def fill(database: AsyncDatabase[dict[str, Any]]) -> None:
    """The documents of both tables, as the mirror writes them."""
    version = {"v": Int64(1), "r": 0}
    await database["customers"].insert_many(
        {"_id": number, "name": f"customer {number}", "balance": Int64(number), "_cw": version}
        for number in range(CUSTOMERS)
    )
    await database["orders"].insert_many(
        {
            "_id": number,
            "customer": number % CUSTOMERS,
            "total": Decimal128(f"{number}.50"),
            "paid": number % 3 == 0,
            "note": f"a note of some length for order {number}",
            "_cw": version,
        }
        for number in range(ORDERS)
    )
    await database["orders"].create_index([("customer", 1), ("_id", 1)])


class _Open:
    """No gap and no lag."""

    def closed(self, database: str, table: str) -> str:
        return ""


def served(engine: ServeEngine, database: str, text: str) -> Once:
    """Through the engine, as a session does: asked for every read whether it may, the result as bytes."""
    tables = ("public.customers", "public.orders")
    settings = SessionSettings()

    async def once(number: int) -> int:
        parameter = b"%d" % (number % CUSTOMERS)
        reason = engine.supported(database, text, (), _PATH) or engine.open(database, tables)
        assert not reason, reason
        read = Read(database, text, (), (parameter,), (0,), (), _PATH, settings, "ann", tables, _LIMITS)
        told: asyncio.Future[Served | Declined] = asyncio.get_running_loop().create_future()
        engine.serve(read, told.set_result)
        found = await told
        assert isinstance(found, Served), found
        return int(found.tag.split()[1])

    return once


async def _measured(once: Once, reads: int) -> float:
    """Seconds of processor time of one, one after the other."""
    began = process_time()
    for number in range(reads):
        assert await once(number)
    return (process_time() - began) / reads


async def measured(uri: str, rounds: int, reads: int) -> dict[str, dict[str, list[float]]]:
    """By shape: the driver's and the engine's times of each round, in turns."""
    store = open_store(uri)
    name = f"causeway_bench_{os.getpid()}"
    client = store.link.client
    database = client.get_database(name, codec_options=OPTIONS)
    engine = ServeEngine(store.link, _Open())
    engine.use(book(name))
    found: dict[str, dict[str, list[float]]] = {}
    try:
        await fill(database)
        for shape, read in SHAPES.items():
            racing: dict[str, Once] = {
                "driver": lambda number, read=read: read.driver(database, number % CUSTOMERS),  # type: ignore[misc]
                "engine": served(engine, name, read.text),
            }
            times = found[shape] = {contender: [] for contender in racing}
            for once in racing.values():
                await _measured(once, max(1, reads // 10))
            for _ in range(rounds):
                for contender, once in racing.items():
                    times[contender].append(await _measured(once, reads))
    finally:
        await client.drop_database(name)
        await engine.stop()
        await store.close()
    return found


def main() -> int:
    uri, rounds, reads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(uvloop.run(measured(uri, rounds, reads))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
