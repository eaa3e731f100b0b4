"""CatalogueBook: kept fresh, told of, and kept when the source is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from devstack.postgres import PostgresServer
from proxy.catalog.book import FORMER_TABLES, CatalogueBook, ShapeHistory, ruled_tables
from proxy.catalog.limits import CatalogueLimits
from proxy.catalog.model import Snapshot
from proxy.mirror.effects import TableId
from proxy.rulefiles.ruleset import RuleSet
from tests.catalog.conftest import find
from tests.catalog.made import attribute, relation, snapshot

QUICK = CatalogueLimits(interval=0.05, backoff_max=0.2, connect_timeout=2.0)
PATIENT = CatalogueLimits(interval=3600.0)
ORDERS = frozenset({TableId("public", "orders")})

Maker = Callable[..., CatalogueBook]


@pytest.fixture
async def make(postgres: PostgresServer) -> AsyncIterator[Maker]:
    books: list[CatalogueBook] = []

    def made(
        limits: CatalogueLimits, names: Callable[[str], frozenset[TableId]] = lambda _: ORDERS
    ) -> CatalogueBook:
        books.append(CatalogueBook(postgres.dsn(), names, limits))
        return books[-1]

    yield made
    for book in books:
        await book.stop()


class News:
    """What a book tells its subscribers, to be waited for."""

    def __init__(self, book: CatalogueBook) -> None:
        self.heard: asyncio.Queue[tuple[Snapshot | None, Snapshot]] = asyncio.Queue()
        self.unsubscribe = book.subscribe(lambda _database, old, new: self.heard.put_nowait((old, new)))

    async def next(self) -> tuple[Snapshot | None, Snapshot]:
        return await asyncio.wait_for(self.heard.get(), 20)


@pytest.mark.integration
async def test_a_change_is_noticed_by_itself(postgres: PostgresServer, database: str, make: Maker) -> None:
    postgres.psql("create table orders (id int primary key)", database)
    book = make(QUICK)
    news = News(book)
    assert book.current(database) is None
    first = await book.ensure(database)
    assert first is not None
    assert await news.next() == (None, first)
    postgres.psql("alter table orders add column note text", database)
    old, new = await news.next()
    assert old is first
    assert book.current(database) is new
    assert new.generation == first.generation + 1
    assert [a.name for a in find(new, "orders").attributes] == ["id", "note"]
    assert book.shapes(database, find(new, "orders").oid) == (
        find(new, "orders").attributes,
        find(first, "orders").attributes,
    )


@pytest.mark.integration
async def test_refresh_sees_what_was_done_before_it(
    postgres: PostgresServer, database: str, make: Maker
) -> None:
    book = make(PATIENT)
    assert await book.ensure(database) is not None
    for n in range(3):
        postgres.psql(f"create table if not exists orders (); alter table orders add c{n} int", database)
        seen = await asyncio.wait_for(book.refresh(database), 20)
        assert seen is not None
        assert [a.name for a in find(seen, "orders").attributes] == [f"c{i}" for i in range(n + 1)]
    postgres.psql("create table orders_of_others ()", database)
    assert await book.refresh(database) is seen
    state = book.state(database)
    assert state is not None
    assert (state.generation, state.reads, state.error) == (4, 4, None)
    assert state.looks == 5


@pytest.mark.integration
async def test_truncate_and_vacuum_full_are_no_news(
    postgres: PostgresServer, database: str, make: Maker
) -> None:
    postgres.psql("create table orders (id int primary key)", database)
    book = make(PATIENT)
    await book.ensure(database)
    for statement in (
        "truncate orders",
        "vacuum full orders",
        "analyze orders",
        "create temp table orders ()",
    ):
        postgres.psql(statement, database)
        await book.refresh(database)
    state = book.state(database)
    assert state is not None
    assert state.reads == 1
    assert state.looks == 5


@pytest.mark.integration
async def test_other_rules_are_another_snapshot(postgres: PostgresServer, database: str, make: Maker) -> None:
    postgres.psql("create table orders (id int primary key); create table lines (id int)", database)
    names = set(ORDERS)
    book = make(PATIENT, lambda _: frozenset(names))
    news = News(book)
    await book.ensure(database)
    await news.next()
    names.add(TableId("public", "lines"))
    book.rules_changed()
    _, new = await news.next()
    assert find(new, "lines").attributes
    news.unsubscribe()
    names.clear()
    book.rules_changed()
    last = await book.refresh(database)
    assert last is not None
    assert not last.relations
    assert news.heard.empty()


@pytest.mark.integration
async def test_the_last_snapshot_is_kept_while_the_source_is_away(
    postgres: PostgresServer, database: str, make: Maker
) -> None:
    postgres.psql("create table orders (id int primary key)", database)
    book = make(QUICK)
    first = await book.ensure(database)
    postgres.stop()
    try:
        assert await asyncio.wait_for(book.refresh(database), 20) is first
        assert book.error(database)
        assert await book.ensure(database) is first
    finally:
        postgres.start()
    news = News(book)
    postgres.psql("alter table orders add column note text", database)
    _, new = await news.next()
    assert find(new, "orders").attributes[-1].name == "note"
    assert book.error(database) is None


@pytest.mark.integration
async def test_a_database_that_is_not_there_is_said_so_and_read_once_it_is(
    postgres: PostgresServer, make: Maker
) -> None:
    book = make(QUICK)
    assert await asyncio.wait_for(book.ensure("not_there_yet"), 20) is None
    assert "does not exist" in (book.error("not_there_yet") or "")
    assert book.missing("not_there_yet")
    assert not book.missing("never_asked_for")
    news = News(book)
    postgres.psql("create database not_there_yet")
    try:
        _, new = await news.next()
        assert new.database == "not_there_yet"
        assert not book.missing("not_there_yet")
        await book.stop()
        assert book.current("not_there_yet") is new
    finally:
        postgres.drop_database("not_there_yet")


@pytest.mark.integration
async def test_a_database_that_never_was_can_be_forgotten(
    postgres: PostgresServer, database: str, make: Maker
) -> None:
    book = make(QUICK)
    await asyncio.wait_for(asyncio.gather(book.ensure("never_there"), book.ensure(database)), 20)
    assert await book.forget_missing("never_there")
    assert await book.forget_missing("never_there")
    assert not await book.forget_missing(database)
    assert book.databases == (database,)


@pytest.mark.integration
async def test_a_subscriber_that_fails_does_not_keep_the_news_from_others(
    postgres: PostgresServer, database: str, make: Maker
) -> None:
    book = make(PATIENT)

    def fail(_database: str, _old: Snapshot | None, _new: Snapshot) -> None:
        raise ZeroDivisionError

    book.subscribe(fail)
    news = News(book)
    await book.ensure(database)
    assert (await news.next())[0] is None
    assert book.error(database) is None


@pytest.mark.integration
async def test_a_role_is_asked_for_where_there_are_too_many_to_ask_for_all(
    postgres: PostgresServer, database: str, make: Maker
) -> None:
    postgres.psql("create table orders (id int primary key)", database)
    book = make(CatalogueLimits(interval=3600.0, roles=1))
    first = await book.ensure(database)
    assert first is not None
    assert not first.unreadable
    book.want_role(database, "causeway_trust")
    second = await book.refresh(database)
    assert second is not None
    assert set(second.unreadable) == {"causeway_trust"}
    assert set(second.search_paths) == {"causeway_trust"}


@pytest.mark.integration
async def test_waiting_ends_when_the_book_is_stopped(database: str, make: Maker) -> None:
    book = make(PATIENT)
    await book.ensure(database)
    waiting = asyncio.create_task(book.refresh(database))
    await asyncio.sleep(0)
    await book.stop()
    assert await asyncio.wait_for(waiting, 20) is book.current(database)
    with pytest.raises(RuntimeError, match="stopped"):
        await book.ensure("another")


@pytest.mark.integration
async def test_whatever_goes_wrong_in_a_look_is_shown_and_the_next_one_comes(
    make: Maker, database: str
) -> None:
    calls = 0

    def names(_database: str) -> frozenset[TableId]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ZeroDivisionError("rules")
        return ORDERS

    book = make(PATIENT, names)
    assert await book.ensure(database) is None
    assert book.error(database) == "ZeroDivisionError: rules"
    assert await book.refresh(database) is not None
    assert book.error(database) is None


def test_shapes_are_bounded_and_survive_their_table() -> None:
    history = ShapeHistory(2)
    for name in ("a", "b", "c", "b"):
        history.add(snapshot(relation(7, "t", attribute(1, name))))
    assert [shape[0].name for shape in history.of(7)] == ["b", "c"]
    history.add(snapshot(relation(8, "u", attribute(1, "x"))))
    assert history.of(7)
    for oid in range(100, 100 + FORMER_TABLES + 1):
        history.add(snapshot(relation(oid, "v", attribute(1, "x"))))
    assert not history.of(7)
    assert history.of(100)


def test_no_rule_no_table() -> None:
    assert ruled_tables(RuleSet(), "shop") == frozenset()
