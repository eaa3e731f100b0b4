"""Worlds of random schemas, each in a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.stores.mongo import open_store
from tests.stores.conftest import polled
from tests.translate.fuzz.run import Fuzzer, Tally
from tests.translate.fuzz.schema import make_schema
from tests.translate.world import make_world

Opened = Callable[[int, Tally], AbstractAsyncContextManager[Fuzzer]]


@pytest.fixture
def fuzzing(postgres: PostgresServer, document_store: DocumentStore) -> Opened:
    """Makes the schema of a seed, and what runs reads on it."""

    @asynccontextmanager
    async def opened(seed: int, tally: Tally) -> AsyncIterator[Fuzzer]:
        random = Random(seed)
        schema = make_schema(random)
        with postgres.database("fuzz") as database:
            store = open_store(polled(document_store.uri))
            world = None
            try:
                world = await make_world(postgres.dsn(database), database, store, schema.script)
                yield Fuzzer(world, schema, random, tally)
            finally:
                if world is not None:
                    world.oracle.connection.finish()
                await store.close()

    return opened
