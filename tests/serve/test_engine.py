"""Reads served by a real store, compared with what PostgreSQL sends for them; and everything that is declined."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import pq

from proxy.admin.serving import ServingReport
from proxy.mirror.tables import TableBook
from proxy.serve import reasons
from proxy.serve.breaker import Breaker, BreakerLimits
from proxy.serve.engine import ServeEngine, first_runs
from proxy.serve.port import Declined, Read, Served, ServeLimits
from proxy.shadow.candidates import Candidate
from proxy.shadow.rows import description, values
from proxy.shadow.sample import SampledRead
from proxy.stores.mongo_errors import CommandRejected
from proxy.stores.protocol import Namespace, StoreRefused, StoreUnavailable
from proxy.translate.api import Reader
from tests.translate.world import World

LIMITS = ServeLimits(timeout=5.0, max_rows=1000, max_bytes=1 << 20)


class Doors:
    """Open, but for those that are named."""

    def __init__(self) -> None:
        self.shut: dict[str, str] = {}

    def closed(self, database: str, table: str) -> str:
        return self.shut.get(table, "")


class RecordingShadow:
    """Takes so many reads."""

    def __init__(self, room: int = 100) -> None:
        self.room = room
        self.reads: list[tuple[SampledRead, Candidate]] = []

    def admit(self, database: str, found: Candidate) -> bool:
        self.room -= 1
        return self.room >= 0

    def submit(self, read: SampledRead, found: Candidate) -> None:
        self.reads.append((read, found))


class FakeReader:
    """Does instead of a store what it is told to."""

    def __init__(self, says: Callable[[], Any]) -> None:
        self.says = says
        self.asked = 0

    async def find(
        self,
        namespace: Namespace,
        condition: Mapping[str, Any],
        projection: Mapping[str, Any] | None,
        sort: Sequence[tuple[str, int]],
        limit: int,
    ) -> AsyncIterator[bytes]:
        self.asked += 1
        for raw in await self.says():
            yield raw

    async def aggregate(
        self, namespace: Namespace, pipeline: Sequence[Mapping[str, Any]]
    ) -> AsyncIterator[bytes]:
        async for raw in self.find(namespace, {}, None, (), 0):
            yield raw


class Bench:
    """An engine, and reads of the world's tables."""

    def __init__(
        self,
        world: World,
        *,
        says: Callable[[], Any] | None = None,
        breaker: BreakerLimits | None = None,
        book: TableBook | None = None,
        dice: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.world = world
        self.doors = Doors()
        self.shadow = RecordingShadow()
        self.fake = None if says is None else FakeReader(says)
        fake: Callable[[float], Reader] | None = None
        if self.fake is not None:
            reader = self.fake
            fake = lambda _: reader  # noqa: E731
        self.engine = ServeEngine(
            world.store.link,
            self.doors,
            self.shadow,
            breaker=Breaker(breaker),
            reader=fake,
            dice=dice,
        )
        self.engine.use(book or world.book)

    def read(
        self,
        text: str,
        parameters: Sequence[bytes | None] = (),
        results: Sequence[int] = (),
        *,
        limits: ServeLimits = LIMITS,
        types: Sequence[int] = (),
        formats: Sequence[int] = (),
        rows: int = 0,
        **settings: Any,
    ) -> Read:
        return Read(
            self.world.database,
            text,
            tuple(types),
            tuple(parameters),
            tuple(formats),
            tuple(results),
            ("public",),
            replace(self.world.session, **settings),
            "postgres",
            ("public.author",),
            limits,
            rows,
        )

    def report(self) -> ServingReport:
        assert self.engine.report() is None  # no table is in primary_switch
        self.engine.wanted = True
        found = self.engine.report()
        self.engine.wanted = False
        assert found is not None
        return found

    async def serve(self, read: Read) -> Served | Declined:
        future: asyncio.Future[Served | Declined] = asyncio.get_running_loop().create_future()
        self.engine.serve(read, future.set_result)
        assert not future.done()  # in a later turn
        return await future

    async def reason(self, *read: Any, **more: Any) -> str:
        found = await self.serve(self.read(*read, **more))
        assert isinstance(found, Declined), found
        return found.reason


@pytest.fixture
async def bench(world: World) -> AsyncIterator[Bench]:
    made = Bench(world)
    yield made
    await made.engine.stop()


def asked(
    world: World, text: str, parameters: Sequence[bytes | None], code: int
) -> tuple[bytes, list[tuple[bytes | None, ...]]]:
    """What PostgreSQL says: columns as a description has them, and values."""
    found = world.oracle.connection.exec_params(text.encode(), list(parameters), result_format=code)
    assert found.status == pq.ExecStatus.TUPLES_OK, found.error_message
    rows = [
        tuple(found.get_value(row, column) for column in range(found.nfields)) for row in range(found.ntuples)
    ]
    return b",".join(found.fname(place) or b"" for place in range(found.nfields)), rows


READS = [
    ("SELECT * FROM author WHERE id = $1", (b"7",)),
    ("SELECT * FROM author WHERE id = $1 LIMIT 21", (b"999",)),
    ("SELECT * FROM book WHERE author_id = $1 ORDER BY id", (b"8",)),
    ("SELECT * FROM book ORDER BY id LIMIT 20 OFFSET 5", ()),
    ("SELECT 1 AS a FROM author WHERE active LIMIT 1", ()),
    ("SELECT count(*), min(price), sum(pages), avg(price) FROM book", ()),
    ("SELECT b.id, b.title, a.name FROM book b JOIN author a ON a.id = b.author_id ORDER BY b.id", ()),
    ("SELECT mood, count(*) FROM author GROUP BY mood ORDER BY mood", ()),
    ("SELECT id, tags, meta, published, updated, weight FROM book WHERE id IN (1, 2, 3) ORDER BY id", ()),
]


@pytest.mark.integration
@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize(("text", "parameters"), READS)
async def test_reads_are_answered_as_by_postgres(
    bench: Bench, text: str, parameters: tuple[bytes | None, ...], code: int
) -> None:
    names, rows = asked(bench.world, text, parameters, code)
    assert bench.engine.supported(bench.world.database, text, (), ("public",)) == ""
    found = await bench.serve(bench.read(text, parameters, (code,)))
    assert isinstance(found, Served), found
    columns = description(found.description)
    assert b",".join(column.name.encode() for column in columns) == names
    assert values(found.rows, len(columns)) == rows
    assert found.tag == b"SELECT %d" % len(rows)


@pytest.mark.integration
async def test_formats_of_single_columns_and_binary_parameters(bench: Bench) -> None:
    found = await bench.serve(
        bench.read(
            "SELECT id, name FROM author WHERE id = $1",
            (b"\0\0\0\x07",),
            (1, 0),
            types=(23,),
            formats=(1,),
        )
    )
    assert isinstance(found, Served)
    assert values(found.rows, 2) == [(b"\0\0\0\x07", b"Ann 7")]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT id FROM author WHERE born < now()", reasons.TIMED),
        ("SELECT sum(weight) FROM book", reasons.APPROXIMATE),
        ("SELECT id FROM author WHERE name SIMILAR TO 'x'", ""),
        ("SELECT nothing FROM author", ""),
        ("SELECT id FROM author WHERE name = '" + "x" * 20_000 + "'", reasons.LONG),
    ],
)
async def test_texts_that_are_never_served(bench: Bench, text: str, reason: str) -> None:
    for _ in range(2):
        found = bench.engine.supported(bench.world.database, text, (), ("public",))
        assert found == (reason or found) != ""
        assert await bench.reason(text) == found
    assert bench.engine.plans.misses == 1
    assert bench.engine.plans.hits == 3


@pytest.mark.integration
@pytest.mark.parametrize(
    ("text", "parameters", "more", "reason"),
    [
        ("SELECT id FROM author LIMIT 3", (), {}, reasons.CUT),
        ("SELECT id FROM author ORDER BY active LIMIT 3", (), {}, reasons.CUT),
        ("SELECT id FROM author ORDER BY active LIMIT 3 OFFSET 14", (), {}, reasons.CUT),
        ("SELECT count(*) FROM (SELECT id FROM author WHERE active LIMIT 3) x WHERE id > 3", (), {}, ""),
        ("SELECT DISTINCT ON (active) active, id FROM author", (), {}, ""),
        ("SELECT 10 / (id - 7) FROM author", (), {}, reasons.RAISES),
        ("SELECT id FROM author WHERE id = $1", (b"no number",), {}, reasons.RAISES),
        ("SELECT id FROM author", (), {"results": (0, 1)}, "result formats that do not fit"),
        ("SELECT born FROM author", (), {"date_style": "German, DMY"}, ""),
        ("SELECT weight FROM book WHERE id = 1", (), {"extra_float_digits": 0}, ""),
        ("SELECT id FROM book", (), {"limits": replace(LIMITS, max_rows=50)}, reasons.LARGE),
        ("SELECT id, title FROM book", (), {"limits": replace(LIMITS, max_bytes=1000)}, reasons.LARGE),
        (
            "SELECT a.id FROM author a, author b",
            (),
            {"limits": replace(LIMITS, max_rows=100)},
            reasons.LARGE,
        ),
    ],
)
async def test_what_is_not_exact_is_declined(
    bench: Bench, text: str, parameters: tuple[bytes | None, ...], more: dict[str, Any], reason: str
) -> None:
    assert bench.engine.supported(bench.world.database, text, (), ("public",)) == ""
    found = await bench.reason(text, parameters, **more)
    assert found == (reason or found) != reasons.BROKEN
    assert bench.report().running == 0
    assert bench.report().breaker == "closed"


@pytest.mark.integration
async def test_a_client_gets_no_more_rows_than_it_takes(bench: Bench) -> None:
    """PostgreSQL manual, "Message Flow", Extended Query: PortalSuspended once the limit is reached."""
    by_key = "SELECT id, active FROM author ORDER BY id"
    _, rows = asked(bench.world, by_key, (), 0)
    whole = await bench.serve(bench.read(by_key))
    assert isinstance(whole, Served)
    assert not whole.suspended
    for most in (1, 2, len(rows) - 1, len(rows)):
        found = await bench.serve(bench.read(by_key, rows=most))
        assert isinstance(found, Served)
        assert found.suspended
        assert values(found.rows, 2) == values(whole.rows, 2)[:most]
    found = await bench.serve(bench.read(by_key, rows=len(rows) + 1))
    assert found == whole
    assert await bench.reason("SELECT id FROM author", rows=1) == reasons.CUT
    found = await bench.serve(bench.read("SELECT id FROM author", rows=len(rows)))
    assert isinstance(found, Served)
    assert found.suspended


@given(st.lists(st.integers(1, 4), max_size=5).map(tuple), st.integers(1, 20))
def test_the_first_runs_are_those_of_the_first_rows(ties: tuple[int, ...], count: int) -> None:
    runs = [number for number, size in enumerate(ties) for _ in range(size)]
    found, cut = first_runs(ties, count)
    assert found == tuple(runs[:count].count(number) for number in sorted(set(runs[:count])))
    assert cut == (count < len(runs) and runs[count - 1] == runs[count])


@pytest.mark.integration
async def test_rows_that_may_come_in_any_order_are_served(bench: Bench) -> None:
    text = "SELECT id, active FROM author ORDER BY active"
    _, rows = asked(bench.world, text, (), 0)
    found = await bench.serve(bench.read(text))
    assert isinstance(found, Served)
    ours = values(found.rows, 2)
    assert [row[1] for row in ours] == [row[1] for row in rows]
    assert sorted(ours) == sorted(rows)


@pytest.mark.integration
async def test_the_deadline_holds_whatever_the_store_does(world: World) -> None:
    bench = Bench(world, says=asyncio.Event().wait, breaker=BreakerLimits(consecutive=3))
    loop = asyncio.get_running_loop()
    began = loop.time()
    short = replace(LIMITS, timeout=0.1)
    reads = [bench.serve(bench.read("SELECT id FROM author", limits=short)) for _ in range(3)]
    assert await asyncio.gather(*reads) == [Declined(reasons.TIMEOUT)] * 3
    assert 0.1 <= loop.time() - began < 1.0
    assert bench.engine.open(world.database, ("public.author",)) == reasons.BREAKER
    assert await bench.reason("SELECT id FROM author") == reasons.BREAKER
    assert bench.fake is not None
    assert bench.fake.asked == 3
    report = bench.report()
    assert (report.breaker, report.opened, report.running) == ("open", 1, 0)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("error", "reason", "breaker"),
    [
        (StoreUnavailable("gone"), reasons.AWAY, "open"),
        (StoreRefused("no"), reasons.REFUSED, "open"),
        (CommandRejected(2, "BadValue"), reasons.REJECTED, "closed"),
        (ZeroDivisionError("ours"), reasons.BROKEN, "closed"),
    ],
)
async def test_errors_of_the_store(world: World, error: Exception, reason: str, breaker: str) -> None:
    async def fail() -> list[bytes]:
        raise error

    bench = Bench(world, says=fail, breaker=BreakerLimits(consecutive=2))
    for _ in range(2):
        assert await bench.reason("SELECT id FROM author") == reason
    assert bench.report().breaker == breaker


@pytest.mark.integration
async def test_a_foreign_document_is_declined(world: World) -> None:
    import bson

    async def says() -> list[bytes]:
        return [bson.encode({"_id": "no number", "_cw": {}})]

    assert await Bench(world, says=says).reason("SELECT id FROM author") == reasons.FOREIGN


@pytest.mark.integration
async def test_a_read_that_is_cancelled_tells_nobody(world: World) -> None:
    bench = Bench(world, says=asyncio.Event().wait)
    told: list[object] = []
    handle = bench.engine.serve(bench.read("SELECT id FROM author"), told.append)
    refused = bench.engine.serve(bench.read("SELECT id FROM author WHERE born < now()"), told.append)
    refused.cancel()
    await asyncio.sleep(0)
    handle.cancel()
    handle.cancel()
    await bench.engine.stop()
    assert told == []
    assert bench.report().running == 0
    assert bench.engine.breaker.state.value == "closed"


@pytest.mark.integration
async def test_no_more_reads_at_once_than_the_rule_allows(world: World) -> None:
    go = asyncio.Event()

    async def says() -> list[bytes]:
        await go.wait()
        return []

    bench = Bench(world, says=says)
    (table,) = {t for t in world.book.mirrored() if t.relation.name == "author"}
    most = table.rule.reads.concurrency
    waiting = [asyncio.ensure_future(bench.serve(bench.read("SELECT id FROM author"))) for _ in range(most)]
    await asyncio.sleep(0)
    assert await bench.reason("SELECT id FROM author") == reasons.BUSY
    other = asyncio.ensure_future(bench.serve(bench.read("SELECT id FROM book")))
    go.set()
    found = await asyncio.gather(*waiting, other)
    assert all(isinstance(one, Served) for one in found)
    assert isinstance(await bench.serve(bench.read("SELECT id FROM author")), Served)
    assert bench.report().running == 0


@pytest.mark.integration
async def test_doors_are_asked_for_every_table(bench: Bench) -> None:
    assert bench.engine.open(bench.world.database, ("public.author", "public.book")) == ""
    bench.doors.shut["public.book"] = "there is an open gap"
    assert bench.engine.open(bench.world.database, ("public.author", "public.book")) == "there is an open gap"
    assert bench.engine.open(bench.world.database, ("public.author",)) == ""


@pytest.mark.integration
async def test_another_book_makes_other_plans(bench: Bench) -> None:
    text = "SELECT id FROM author WHERE id = 1"
    assert isinstance(await bench.serve(bench.read(text)), Served)
    book = bench.world.book
    bench.engine.use(TableBook(book.rules, {}, type("", (), {"catalogue_errors": {}})()))
    assert await bench.reason(text) != ""
    bench.engine.use(book)
    assert isinstance(await bench.serve(bench.read(text)), Served)


@pytest.mark.integration
async def test_a_share_of_what_was_served_goes_to_the_shadow(world: World) -> None:
    thrown = iter((0.05, 0.2, 0.05))
    bench = Bench(world, dice=lambda: next(thrown))
    limits = replace(LIMITS, reverse_shadow=0.1)
    text = "SELECT id, name FROM author WHERE id = $1"
    for place in (b"7", b"8"):
        served = await bench.serve(bench.read(text, (place,), (1,), limits=limits, time_zone="Asia/Tokyo"))
        assert isinstance(served, Served)
    await bench.serve(bench.read("SELECT id FROM author LIMIT 3", limits=limits))  # declined: not compared
    ((read, found),) = bench.shadow.reads
    assert (read.text, read.parameters, read.result_formats, read.count) == (text, (b"7",), (1,), 1)
    assert found.names == ("public.author",)
    assert values(read.rows, 2)[0][1] == b"Ann 7"
    assert read.session().time_zone == "Asia/Tokyo"
    assert read.description is not None
    bench.shadow.room = 0
    assert isinstance(await bench.serve(bench.read(text, (b"7",), limits=limits)), Served)
    assert len(bench.shadow.reads) == 1


@pytest.mark.integration
async def test_reads_are_counted_and_timed(bench: Bench) -> None:
    assert isinstance(await bench.serve(bench.read("SELECT id FROM author WHERE id = 1")), Served)
    bench.engine.count(bench.world.database, ("public.author",), "store", "")
    bench.engine.count(bench.world.database, ("public.author", "public.book"), "postgres", reasons.CUT)
    report = bench.report()
    assert [(one.table, one.source, one.reason, one.count) for one in report.reads] == [
        ("public.author", "postgres", reasons.CUT, 1),
        ("public.author", "store", "", 1),
        ("public.book", "postgres", reasons.CUT, 1),
    ]
    ((latency),) = report.latencies
    assert latency.table == "public.author"
    assert sum(latency.buckets) == 1
    assert latency.sum > 0
    assert (report.plans, report.misses) == (1, 1)
