"""One world for all tests of reads: nothing in it is changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.stores.mongo import open_store
from tests.stores.conftest import polled
from tests.translate.world import Oracle, World, make_world


class Made:
    """What is made once: everything but the connection of a test to the store."""

    def __init__(self, dsn: str, uri: str, world: World) -> None:
        self.dsn = dsn
        self.uri = uri
        self.world = world


@pytest.fixture(scope="session")
def made_world(postgres: PostgresServer, document_store: DocumentStore) -> Iterator[Made]:
    with postgres.database("translate") as database:  # no other server has one of that name
        dsn = postgres.dsn(database)

        async def make() -> World:
            store = open_store(polled(document_store.uri))
            try:
                return await make_world(dsn, database, store)
            finally:
                await store.close()

        world = asyncio.run(make())
        yield Made(dsn, document_store.uri, world)
        world.oracle.connection.finish()


@pytest.fixture
async def world(made_world: Made) -> AsyncIterator[World]:
    store = open_store(polled(made_world.uri))
    oracle = Oracle(made_world.dsn)
    one = made_world.world
    yield World(oracle, one.book, one.database, store)
    oracle.connection.finish()
    await store.close()
