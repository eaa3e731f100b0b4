from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from devstack.postgres import PostgresServer
from tests.stores.conftest import namespace, store
from tests.translate.conftest import made_world, world

__all__ = ["made_world", "namespace", "server", "store", "world"]


@pytest.fixture(scope="session")
def server(postgres: PostgresServer) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A session of the server with settings of its own; each test sets what it needs."""
    with postgres.database() as name, psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy')")
        yield connection
