"""Re-reads, the ledger and heartbeats with a real PostgreSQL and a real document store."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.catalog.model import Snapshot
from proxy.catalog.source import SourceDatabase
from proxy.documents.records import parse_image
from proxy.fleet.beats import TableFact
from proxy.fleet.heartbeat import Facts, Heartbeat, HeartbeatLimits
from proxy.mirror.cascades import followed_columns, following
from proxy.mirror.effects import Cause, Rows, TableId, Unseen
from proxy.mirror.gap import GapLimits
from proxy.mirror.gapfile import GapFile
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.rereads import Rereader
from proxy.mirror.tables import MirroredTable, Surroundings, TableBook
from proxy.mirror.unclean import Lifetime
from proxy.phases import Phase
from proxy.sql.model import Verb
from proxy.stores.mongo import MongoStore, open_store
from proxy.stores.protocol import GapEntry, Write
from tests.documents.made import rules_of
from tests.support.fleet import forget_fleet

pytestmark = pytest.mark.integration

SCHEMA = """
CREATE TABLE customer (id int PRIMARY KEY, name text);
CREATE TABLE "Order" (
    id bigint, day timestamptz, customer_id int REFERENCES customer ON DELETE CASCADE ON UPDATE CASCADE,
    note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (id);
CREATE TABLE order_low PARTITION OF "Order" FOR VALUES FROM (0) TO (100);
CREATE TABLE order_high (note text, customer_id int, day timestamptz NOT NULL, id bigint NOT NULL);
ALTER TABLE "Order" ATTACH PARTITION order_high FOR VALUES FROM (100) TO (10000);
CREATE TABLE item (
    id uuid PRIMARY KEY, order_id bigint, day timestamptz, price numeric,
    FOREIGN KEY (order_id, day) REFERENCES "Order" ON DELETE CASCADE);
CREATE TABLE tree (id int PRIMARY KEY, above int REFERENCES tree ON DELETE CASCADE, kind text DEFAULT 'leaf');
CREATE TABLE note (id text PRIMARY KEY, tree_id int REFERENCES tree ON DELETE SET NULL);
"""
TABLES = ["customer", "Order", "item", "tree", "note"]


class Place:
    """One proxy that mirrors all tables of one database, as far as re-reads need one."""

    def __init__(
        self, server: PostgresServer, database: str, store: MongoStore, snapshot: Snapshot, path: Path
    ) -> None:
        self.server = server
        self.database = database
        self.store = store
        self.known = snapshot
        self.origin = SourceDatabase(server.dsn(), database)
        self.oldest: int | None = None
        rules = rules_of({f'"{name}"': {"phase": "dual_write"} for name in TABLES})
        self.book = TableBook(
            rules,
            {database: snapshot},
            Surroundings(store=True, spool=True, control_dsn=True),
            last_built=Phase.DUAL_WRITE,
        )
        self.file = GapFile(path / f"gaps-{uuid.uuid4().hex[:8]}")
        self.lifetime = Lifetime(self.file, fsync=False, boot_id="boot")
        limits = GapLimits(ledger_after=0.2, reread_linger=0.01, ledger_poll=0.2)
        self.keeper = GapKeeper(store, self.file, limits, proxy=self.lifetime.proxy)
        self.lifetime.begin(self.keeper)
        facts = tuple(
            TableFact(database, table.relation.id, "dual_write", "strict") for table in self.book.mirrored()
        )
        self.heartbeat = Heartbeat(
            store,
            self,
            self.keeper,
            self.lifetime,
            lambda: Facts("1", "d", facts, (database,), 0),
            [self],
            HeartbeatLimits(heartbeat_interval=0.05, proxy_lost_after=60.0),
        )
        self.rereader = Rereader(
            store, self.keeper, self, self.heartbeat.wait_passed, limits, proxy=self.lifetime.proxy
        )
        self.heartbeat.add_holder(self.rereader)
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self.heartbeat.start()
        self.tasks = [
            asyncio.create_task(work()) for work in (self.heartbeat.run, self.keeper.run, self.rereader.run)
        ]

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.origin.close()
        self.file.close()

    # What heartbeat and rereader ask.

    def watermark(self, database: str) -> int | None:
        return self.oldest

    async def position(self, database: str) -> int:
        return await self.origin.insert_position()

    def table(self, database: str, table: TableId) -> MirroredTable | None:
        return self.book.named(database, table.schema, table.name)

    def ruled(self, database: str, table: TableId) -> bool:
        return True

    def snapshot(self, database: str) -> Snapshot | None:
        return self.known

    def source(self, database: str) -> SourceDatabase:
        return self.origin

    def refresh_soon(self, database: str) -> None:
        raise AssertionError("the catalogue does not change here")

    # What a test does.

    def run(self, sql: str) -> str:
        return self.server.psql(sql, self.database)

    def mirrored(self, name: str) -> MirroredTable:
        found = self.book.named(self.database, "public", name)
        assert found is not None, self.book.ruled
        return found

    async def mirror_all(self) -> None:
        """Every row is where its image would have brought it."""
        version = await self.origin.insert_position()
        for name in TABLES:
            table = self.mirrored(name)
            writes = [Write(key, document, version, extra) for key, document, extra in await self.rows(name)]
            if writes:
                await self.store.apply(table.mapping.namespace, writes)

    async def rows(self, name: str):  # type: ignore[no-untyped-def]
        table = self.mirrored(name)
        keys = self.run(
            f'SELECT json_agg(t) FROM (SELECT {", ".join(table.mapping.key_columns)} FROM "{name}") t'
        )
        values = [[str(value) for value in row.values()] for row in json.loads(keys or "null") or []]
        found = []
        for record in await self.origin.rows(
            table.relation, table.mapping.key_columns, values, types=self.known.types, limit=1000
        ):
            header, oids, fields = parse_image(record)
            mapping = table.mapping_of(oids, relation=header.relation)
            assert mapping is not None
            found.append((mapping.key(fields), *mapping.document(fields)))
        return found

    async def equal(self) -> None:
        """Every collection holds exactly what its table holds."""
        for name in TABLES:
            table = self.mirrored(name)
            expected = {repr(key.token): (document, extra) for key, document, extra in await self.rows(name)}
            ids = await self.store.find_keys(table.mapping.namespace, [{}], 1000)
            keys = [table.mapping.key_of_id(one) for one in ids]
            states = await self.store.states(table.mapping.namespace, keys)
            texts = {
                repr(key.token): table.mapping.decode(state.document or {}, state.extra)
                for key, state in zip(keys, states, strict=True)
            }
            wanted = {token: table.mapping.decode(*pair) for token, pair in expected.items()}
            assert texts == wanted, name

    def saw(
        self, name: str, columns: Sequence[str], *values: Sequence[str], cause: Cause = Cause.COPY
    ) -> None:
        rows = Rows(tuple(columns), tuple(tuple(value) for value in values))
        self.keeper.record(self.database, Unseen(cause, TableId("public", name), rows), 0)

    def deleted(self, name: str, **old: str) -> None:
        """As if the image of a deleted row had been decoded."""
        oid = self.mirrored(name).relation.oid
        assert set(followed_columns(self.known, oid, Verb.DELETE)) <= set(old)
        for unseen in following(
            self.known,
            oid,
            Verb.DELETE,
            old,
            None,
            lambda table: self.table(self.database, table) is not None,
        ):
            self.keeper.record(self.database, unseen, 0)

    async def settled(self) -> None:
        async with asyncio.timeout(30):
            while self.keeper.databases():  # noqa: ASYNC110 - it ends in other tasks
                await asyncio.sleep(0.02)

    async def ledger(self) -> list[GapEntry]:
        return await self.store.gaps(database=self.database)


@pytest.fixture
async def place(
    postgres: PostgresServer, database: str, document_store: DocumentStore, tmp_path: Path
) -> AsyncIterator[Place]:
    uri = document_store.uri
    forget_fleet(uri)
    store = open_store(f"{uri}{'&' if '?' in uri else '?'}serverMonitoringMode=poll")
    postgres.psql(SCHEMA, database)
    source = SourceDatabase(postgres.dsn(), database)
    snapshot = (await source.snapshot([TableId("public", name) for name in TABLES])).snapshot
    await source.close()
    place = Place(postgres, database, store, snapshot, tmp_path)
    await place.start()
    yield place
    await place.stop()
    await store.delete_state("proxies", place.lifetime.proxy)
    for name in await store.get_state("rereads"):
        if database in name:
            await store.delete_state("rereads", name)
    left = await store.gaps(database=database)
    for entry in left:
        await store.close_gap(entry.id, up_to=entry.last_seen)
    await store.close()
    assert left == []


async def test_copied_rows_become_documents(place: Place) -> None:
    place.run(
        "INSERT INTO customer VALUES (1, 'a'), (2, 'ü');"
        "INSERT INTO \"Order\" VALUES (7, '2026-01-01 10:00:00.123456+00', 1, 'low'),"
        " (700, '2026-01-02 10:00:00.5+00', 2, 'high')"
    )
    place.saw("customer", ["id"], ["1"], ["2"], ["3"])
    place.saw(
        "Order", ["id", "day"], ["7", "2026-01-01 10:00:00.123456+00"], ["700", "2026-01-02 10:00:00.5+00"]
    )
    await place.settled()
    await place.equal()
    assert await place.ledger() == []


async def test_cascades_are_followed_to_the_end(place: Place) -> None:
    place.run(
        "INSERT INTO customer SELECT n, 'c' || n FROM generate_series(1, 5) n;"
        "INSERT INTO \"Order\" SELECT n * 20, '2026-01-01 10:00:00.123456+00', n % 5 + 1, 'x'"
        " FROM generate_series(1, 40) n;"
        'INSERT INTO item SELECT gen_random_uuid(), id, day, id / 7.0 FROM "Order", generate_series(1, 2)'
    )
    await place.mirror_all()
    await place.equal()
    place.run('DELETE FROM customer WHERE id = 3; DELETE FROM "Order" WHERE id = 20')
    await place.store.apply(
        place.mirrored("customer").mapping.namespace,
        [Write(place.mirrored("customer").mapping.key_of_text(["3"]), None, await place.position(""))],
    )
    place.deleted("customer", id="3")
    place.saw("Order", ["id"], ["20"], cause=Cause.CTE)
    await place.settled()
    await place.equal()
    assert place.rereader.rows_repaired == 8 + 16 + 1 + 2
    assert await place.ledger() == []


async def test_a_changed_key_takes_its_children_along(place: Place) -> None:
    place.run(
        "INSERT INTO customer VALUES (1, 'a');"
        "INSERT INTO \"Order\" VALUES (7, '2026-01-01', 1, 'x'), (8, '2026-01-01', 1, 'x')"
    )
    await place.mirror_all()
    place.run("UPDATE customer SET id = 2 WHERE id = 1")
    place.saw("customer", ["id"], ["1"], ["2"], cause=Cause.KEY_CHANGE)
    place.saw("Order", ["customer_id"], ["1"], cause=Cause.CASCADE)
    await place.settled()
    await place.equal()


async def test_a_tree_falls_from_its_root(place: Place) -> None:
    place.run(
        "INSERT INTO tree SELECT n, nullif(n / 2, 0) FROM generate_series(1, 63) n;"
        "INSERT INTO note SELECT 'n' || n, n FROM generate_series(1, 63) n"
    )
    await place.mirror_all()
    place.run("DELETE FROM tree WHERE id = 2")
    place.saw("tree", ["id"], ["2"], cause=Cause.FUNCTION)
    await place.settled()
    await place.equal()
    assert place.run("SELECT count(*) FROM note WHERE tree_id IS NULL") == "31"


async def test_other_proxies_are_waited_for_and_the_ledger_says_so(place: Place, tmp_path: Path) -> None:
    """One proxy still holds an older image when another reads the row again."""
    other = Place(place.server, place.database, place.store, place.known, tmp_path)
    other.oldest = await other.position("")
    await other.start()
    try:
        place.run("INSERT INTO customer VALUES (1, 'old')")
        image = await other.position("")
        place.run("UPDATE customer SET name = 'new'")
        place.saw("customer", ["id"], ["1"], cause=Cause.TRIGGER)
        async with asyncio.timeout(20):
            while not await place.ledger():  # noqa: ASYNC110 - it begins in another task
                await asyncio.sleep(0.05)
        (entry,) = await place.ledger()
        assert (entry.cause, entry.scope, entry.count) == ("trigger", "rows", 1)
        assert place.rereader.rows_repaired == 0
        mapping = place.mirrored("customer").mapping
        key = mapping.key_of_text(["1"])
        await other.store.apply(mapping.namespace, [Write(key, {"_id": 1, "name": "old"}, image)])
        other.oldest = None
        await place.settled()
        await place.equal()
        assert await place.ledger() == []
        (state,) = await place.store.states(mapping.namespace, [key])
        assert (state.version, state.repairs) == (image, 1)
    finally:
        await other.stop()
        await place.store.delete_state("proxies", other.lifetime.proxy)


async def test_what_a_killed_proxy_has_left_is_read_by_the_next(place: Place, tmp_path: Path) -> None:
    place.oldest = 0
    place.run("INSERT INTO customer VALUES (1, 'a')")
    place.saw("customer", ["id"], ["1"])
    for task in place.tasks:
        task.cancel()
    await asyncio.gather(*place.tasks, return_exceptions=True)
    file = GapFile(tmp_path / "copy")
    for gap in place.file.gaps():
        file.put(gap)
    place.keeper._file = None
    assert [gap.unseen.cause for gap in file.gaps()] == [Cause.COPY]
    place.file.close()
    place.file = file
    place.keeper = GapKeeper(place.store, file, GapLimits(reread_linger=0.01), proxy=place.lifetime.proxy)
    place.oldest = None
    place.rereader = Rereader(
        place.store, place.keeper, place, place.heartbeat.wait_passed, GapLimits(), proxy="again"
    )
    await place.start()
    await place.settled()
    await place.equal()
