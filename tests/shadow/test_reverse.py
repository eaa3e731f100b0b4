"""Reads that the store has served, compared with what PostgreSQL says: the other way round."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from proxy.backfill.lookups import Side
from proxy.catalog.source import SourceDatabase, SourceUnavailable
from proxy.mirror.tables import MirroredTable
from proxy.names import TableName
from proxy.serve.engine import ServeEngine
from proxy.serve.port import Declined, Read, Served, ServeLimits
from proxy.shadow.candidates import Candidate
from proxy.shadow.engine import Case, Engine
from proxy.shadow.ledger import Mismatch
from proxy.shadow.outcomes import Done, Outcome
from proxy.shadow.plans import ShadowPlans
from proxy.shadow.reader import StoreReader
from proxy.shadow.sample import SampledRead
from proxy.shadow.source import ReadSource, SourceFailed
from proxy.stores.protocol import Store, StoreUnavailable
from proxy.translate.api import SessionSettings
from tests.shadow.made import sampled
from tests.shadow.test_engine import A, B, C, World, raising, rows, table_of, turns
from tests.translate.conftest import Made, made_world, world
from tests.translate.world import World as Real

__all__ = ["made_world", "world"]

SERVED = sampled(
    "SELECT id, note FROM orders", [(b"1", b"a"), (b"1", b"b")], served=True, ties=(2,), seconds=0.25
)


async def test_what_postgres_says_too_is_a_match_without_asking_the_store() -> None:
    made = World(raising(AssertionError("the store was asked")), rows(B, A))
    done = await made.run(SERVED)
    assert (done.outcome, made.asked) == (Outcome.MATCH, 1)
    assert done.store_seconds == 0.25
    assert done.source_seconds is not None
    assert done.source_seconds < 0.25


async def test_an_order_that_is_fixed_must_be_kept() -> None:
    made = World(rows(B, A), rows(B, A))
    done = await made.run(replace(SERVED, ties=(1, 1)))
    assert done.outcome is Outcome.TRANSIENT  # the store says it rightly by now


async def test_what_has_changed_since_is_transient() -> None:
    done = await World(rows(A, C), rows(A, C)).run(SERVED)
    assert (done.outcome, done.reason) == (Outcome.TRANSIENT, "")


async def test_what_lasts_is_a_mismatch_and_kept() -> None:
    made = World(rows(A, B), rows(A, C))
    done = await made.run(SERVED)
    assert (done.outcome, done.reason) == (Outcome.MISMATCH, "rows")
    assert [one.columns for one in made.kept] == [("note",)]


async def test_a_row_that_is_gone_is_found() -> None:
    made = World(rows(A, B), rows(A))
    assert (await made.run(SERVED)).outcome is Outcome.MISMATCH


async def test_ddl_in_between_is_looked_at_again() -> None:
    made = World(rows(A, B), rows(A, B))
    made.described = (("id", 20), ("note", 25))
    assert isinstance(await made.engine.first(SERVED), Case)


async def test_rules_accept_differences() -> None:
    made = World(rows(A, B), rows(A, C), table=table_of(ignore={"table": True}))
    assert (await made.run(SERVED)).outcome is Outcome.IGNORED
    made = World(rows(A, B), rows(A, C), table=table_of(ignore={"columns": ["note"]}))
    assert (await made.run(SERVED)).outcome is Outcome.IGNORED


async def test_what_cannot_be_asked_of_postgres() -> None:
    made = World(rows(A, B), rows(A, B), volatile=frozenset({"user"}))
    done = await made.run(SERVED)
    assert (done.outcome, made.asked) == (Outcome.SKIPPED, 0)
    done = await World(rows(A, B), raising(SourceFailed("PostgreSQL could not be reached"))).run(SERVED)
    assert (done.outcome, done.reason) == (Outcome.ERROR, "PostgreSQL could not be reached")
    torn = replace(SERVED, rows=SERVED.rows[:-1])
    assert (await World(rows(A, B), rows(A, B)).run(torn)).outcome is Outcome.ERROR


async def test_answers_that_change_while_they_are_looked_at() -> None:
    made = World(rows(A, B), turns([A], [A, B]))
    assert (await made.run(SERVED)).outcome is Outcome.TRANSIENT


class Around(Side):
    """Nobody writes here: everything has been passed."""

    def __init__(self, store: Store, real: Real, dsn: str) -> None:
        self.store = store
        self._real = real
        self._source = SourceDatabase(dsn, real.database)
        self.kept: list[Mismatch] = []

    async def wait_passed(self, database: str, version: int) -> None:
        pass

    async def open_gap(self, database: str, tables: Sequence[str]) -> str:
        return ""

    async def record(self, mismatch: Mismatch) -> bool:
        self.kept.append(mismatch)
        return True

    def table(self, name: TableName) -> MirroredTable:
        found = self._real.book.named(name.database or "", name.schema, name.name)
        if found is None:
            raise StoreUnavailable("not mirrored")
        return found

    def source(self, database: str) -> SourceDatabase:
        if database != self._real.database:
            raise SourceUnavailable(database, "not here")
        return self._source

    async def refresh(self, database: str) -> None:
        pass

    async def close(self) -> None:
        await self._source.close()


class Both:
    """What serves reads of a real store, and what compares all of them with a real PostgreSQL."""

    def __init__(self, real: Real, made: Made) -> None:
        self.real = real
        link = real.store.link
        self.around = Around(real.store, real, made.dsn)
        self.source = ReadSource(made.dsn)
        self.serving = ServeEngine(link, self, self, dice=lambda: 0.0)
        self.serving.use(real.book)
        self.comparing = Engine(
            ShadowPlans(real.book),
            StoreReader(link),
            self.source,
            self.around,
            self.around,  # type: ignore[arg-type]
        )
        self.reads: list[SampledRead] = []

    def closed(self, database: str, table: str) -> str:
        return ""

    def admit(self, database: str, found: Candidate) -> bool:
        return True

    def submit(self, read: SampledRead, found: Candidate) -> None:
        self.reads.append(read)

    async def close(self) -> None:
        await self.serving.stop()
        await self.source.close()
        await self.around.close()

    async def done(
        self, text: str, parameters: tuple[bytes | None, ...] = (), code: int = 0, **settings: Any
    ) -> Done:
        """A read is served, and then compared."""
        told: asyncio.Future[Served | Declined] = asyncio.get_running_loop().create_future()
        read = Read(
            self.real.database,
            text,
            (),
            parameters,
            (),
            (code,),
            ("public",),
            SessionSettings(**settings),
            "postgres",
            ("public.book",),
            ServeLimits(5.0, 1000, 1 << 20, reverse_shadow=1.0),
        )
        self.serving.serve(read, told.set_result)
        found = await told
        assert isinstance(found, Served), found
        await asyncio.sleep(0)
        first = await self.comparing.first(self.reads.pop())
        return await self.comparing.again(first) if isinstance(first, Case) else first


@pytest.fixture
async def both(world: Real, made_world: Made) -> AsyncIterator[Both]:
    found = Both(world, made_world)
    yield found
    await found.close()


READS: list[tuple[str, tuple[bytes | None, ...]]] = [
    ("SELECT * FROM book WHERE id = $1", (b"7",)),
    ("SELECT id, published, updated, price FROM book ORDER BY published, id", ()),
    ("SELECT array_agg(published ORDER BY id) FROM book WHERE id < 5", ()),
    ("SELECT in_print, count(*) FROM book GROUP BY in_print ORDER BY in_print", ()),
    ("SELECT b.id, a.name, a.born FROM book b LEFT JOIN author a ON a.id = b.author_id", ()),
    ("SELECT b, i2, i4, i8, f4, f8, n, n2, t, v, c, d, tm, ts, tz, iv, u FROM vals WHERE id < 5", ()),
    ("SELECT y, j, jb, e, dom, ai, at FROM vals WHERE id < 11", ()),
]


@pytest.mark.integration
@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
@pytest.mark.parametrize(("text", "parameters"), READS)
async def test_served_reads_match_in_any_format_and_zone(
    both: Both, text: str, parameters: tuple[bytes | None, ...], code: int, zone: str
) -> None:
    done = await both.done(text, parameters, code, time_zone=zone, bytea_output="escape")
    assert (done.outcome, done.reason) == (Outcome.MATCH, "")


@pytest.mark.integration
async def test_a_wrong_document_that_was_served_is_found(both: Both) -> None:
    table = both.real.book.named(both.real.database, "public", "book")
    assert table is not None
    namespace = table.mapping.namespace
    collection = both.real.store.link.client[namespace.database][namespace.collection]
    text = "SELECT id, title FROM book WHERE id = $1"
    assert (await both.done(text, (b"11",))).outcome is Outcome.MATCH
    before = await collection.find_one({"_id": 11})
    assert before is not None
    await collection.update_one({"_id": 11}, {"$set": {"title": "planted"}})
    try:
        done = await both.done(text, (b"11",))
    finally:
        await collection.update_one({"_id": 11}, {"$set": {"title": before["title"]}})
    assert (done.outcome, done.reason) == (Outcome.MISMATCH, "rows")
    (entry,) = both.around.kept
    assert entry.columns == ("title",)
    assert entry.keys[0].key == ("11",)
