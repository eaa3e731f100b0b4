"""pytest plugin: the databases, once a session. Load it with `pytest_plugins = ["devstack.fixtures"]`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from devstack.document_store import DocumentStore, start_document_store
from devstack.postgres import PostgresServer, start_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL. A test that stops or reconfigures it puts it back before it ends."""
    with start_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_servers(postgres: PostgresServer) -> Iterator[Callable[[str], PostgresServer]]:
    """A running PostgreSQL by what `start_postgres` calls it; `system` is `postgres`.

    Each is started when it is first asked for and runs until the session ends, whoever else uses it.
    """
    running = {"system": postgres}
    with ExitStack() as stack:

        def server(choice: str) -> PostgresServer:
            if choice not in running:
                running[choice] = stack.enter_context(start_postgres(choice))
            return running[choice]

        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The name of a new database of `postgres`, dropped after the test."""
    with postgres.database() as name:
        yield name


@pytest.fixture(scope="session")
def document_store() -> Iterator[DocumentStore]:
    """A running document store; its `.uri` is for any MongoDB driver."""
    with start_document_store() as store:
        yield store
