"""Two mirrors on one source and one store: contended transactions, doubts, an outage; then every row is a document."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.catalog.book import CatalogueBook, ruled_tables
from proxy.catalog.limits import CatalogueLimits
from proxy.mirror.effects import Image
from proxy.mirror.mirror import Mirror
from proxy.mirror.port import MirrorLimits
from proxy.mirror.tables import Surroundings, TableBook
from proxy.phases import Phase
from proxy.sql.model import Verb
from proxy.stores.mongo import MongoStore, open_store
from tests.mirror.world import Gaps
from tests.rulefiles.texts import rules

pytestmark = pytest.mark.integration

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

RULES = rules("tables: {items: {phase: dual_write}}", last_built=Phase.DUAL_WRITE)
IMAGE = (
    "RETURNING pg_catalog.record_send(ROW(items.tableoid, pg_catalog.pg_current_wal_insert_lsn(),"
    " pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), pg_catalog.pg_current_xact_id(),"
    " NULL::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.bytea, items.*)) AS image"
)
KEYS = 12


class Proxy:
    """A catalogue and a mirror, as one process has them."""

    def __init__(self, dsn: str, store: MongoStore, spool: Path, gaps: Gaps) -> None:
        self.book = CatalogueBook(
            dsn, lambda database: ruled_tables(RULES, database), CatalogueLimits(interval=30.0)
        )
        self._tables: TableBook | None = None
        self.book.subscribe(self._changed)
        self._changed("", None, None)
        limits = MirrorLimits(retry_backoff_max=0.1, store_timeout=5.0)
        self.mirror = Mirror(store, self.tables, self.book, gaps, limits, spool=spool)

    def tables(self) -> TableBook:
        assert self._tables is not None
        return self._tables

    def _changed(self, database: str, old: object, new: object) -> None:
        snapshots = {
            name: snapshot
            for name in self.book.databases
            if (snapshot := self.book.current(name)) is not None
        }
        self._tables = TableBook(
            RULES, snapshots, Surroundings(True, True, True), last_built=Phase.DUAL_WRITE
        )


@asynccontextmanager
async def proxies(
    dsn: str, database: str, uri: str, spool: Path, count: int
) -> AsyncIterator[tuple[list[Proxy], Gaps]]:
    gaps = Gaps()
    store = open_store(f"{uri}{'&' if '?' in uri else '?'}serverMonitoringMode=poll", timeout=5.0)
    made = [Proxy(dsn, store, spool, gaps) for _ in range(count)]
    try:
        for proxy in made:
            await proxy.book.ensure(database)
            await proxy.mirror.start()
        yield made, gaps
    finally:
        for proxy in made:
            await proxy.mirror.stop()
            await proxy.book.stop()
        await store.close()


def statement(chance: random.Random) -> tuple[Verb, str, list[Any]]:
    key, value = chance.randrange(KEYS), chance.randrange(10**6)
    match chance.randrange(5):
        case 0:
            return Verb.DELETE, "DELETE FROM items WHERE id = $1", [key]
        case 1 | 2:
            text = "INSERT INTO items VALUES ($1, $2, now()) ON CONFLICT (id) DO UPDATE SET value = excluded.value"
            return Verb.INSERT, text, [key, value]
        case _:
            return Verb.UPDATE, "UPDATE items SET value = value + $2 WHERE id IN ($1, $1 + 1)", [key, value]


async def session(mirror: Mirror, dsn: str, database: str, seed: int, turns: int) -> None:
    """What a session does with a mirror, with asyncpg in its place."""
    chance = random.Random(seed)
    connection: Connection = await asyncpg.connect(dsn)
    for _ in range(turns):
        tx = mirror.begin(database)
        block = connection.transaction()
        await block.start()
        try:
            for _ in range(chance.randrange(1, 4)):
                verb, text, arguments = statement(chance)
                if chance.random() < 0.2:
                    inner = connection.transaction()
                    await inner.start()
                    tx.savepoint("s")
                    tx.add(
                        [
                            Image(verb, r["image"])
                            for r in await connection.fetch(f"{text} {IMAGE}", *arguments)
                        ]
                    )
                    await inner.rollback()
                    tx.rollback_to("s")
                    tx.release("s")
                if chance.random() < 0.1:
                    mirror.spill(tx)
                rows = await connection.fetch(f"{text} {IMAGE}", *arguments)
                tx.add([Image(verb, row["image"]) for row in rows])
        except asyncpg.DeadlockDetectedError:
            await block.rollback()
            mirror.aborted(tx)
            continue
        if chance.random() < 0.15:
            await block.rollback()
            mirror.aborted(tx)
            continue
        await until_called(functools.partial(mirror.secure, tx))
        fate = chance.random()
        if fate < 0.1:  # the connection is lost, and the COMMIT may or may not have been carried out
            if fate < 0.05:
                await block.commit()
            connection.terminate()
            mirror.doubtful(tx)
            connection = await asyncpg.connect(dsn)
            continue
        await block.commit()
        mirror.committed(tx)
    await connection.close()


async def until_called(begin: Callable[[Callable[[], None]], bool]) -> None:
    done = asyncio.Event()
    if not begin(done.set):
        await done.wait()


@pytest.mark.timeout(300)
async def test_every_row_is_a_document(
    postgres: PostgresServer, database: str, document_store: DocumentStore, tmp_path: Path
) -> None:
    dsn = postgres.dsn(database)
    admin: Connection = await asyncpg.connect(dsn)
    await admin.execute("CREATE TABLE items (id int PRIMARY KEY, value bigint, at timestamptz DEFAULT now())")
    async with proxies(dsn, database, document_store.uri, tmp_path, 2) as (made, gaps):
        await asyncio.gather(*(session(made[seed % 2].mirror, dsn, database, seed, 60) for seed in range(6)))
        for proxy in made:
            assert await proxy.mirror.drain(60)
            assert proxy.mirror.watermark(database) is None
        rows = {row["id"]: row["value"] for row in await admin.fetch("SELECT id, value FROM items")}
        client = made[0].mirror._lanes._store._link.client  # type: ignore[attr-defined]
        documents = {
            document["_id"]: document["value"] async for document in client[database]["items"].find()
        }
        assert documents == rows
        assert gaps.recorded == []
        meters = made[0].mirror.meters.snapshot()
        assert meters["store"] == "ok"
        assert meters["tables"][0]["applied"] > 0
    await admin.close()
    assert list(tmp_path.glob("*.spool*")) == []
