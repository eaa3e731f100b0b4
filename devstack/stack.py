"""Both databases together."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from devstack.document_store import DocumentStore, launch_document_store
from devstack.postgres import PostgresServer, launch_postgres


class Stack:
    """A PostgreSQL and a document store, started side by side; both are gone when the block ends.

    Arguments as of `start_postgres` and `start_document_store`.
    """

    postgres: PostgresServer
    document_store: DocumentStore

    def __init__(self, postgres: str | None = None, store: str | None = None) -> None:
        self._postgres = postgres
        self._store = store

    def __enter__(self) -> Self:
        with ThreadPoolExecutor(2) as pool:
            postgres = pool.submit(launch_postgres, self._postgres)
            store = pool.submit(launch_document_store, self._store)
        failures = [error for error in (postgres.exception(), store.exception()) if error is not None]
        if failures:
            _close_started(postgres)
            _close_started(store)
            raise failures[0]
        self.postgres = postgres.result()
        self.document_store = store.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.document_store.close()
        finally:
            self.postgres.close()


def _close_started(launched: Future[PostgresServer] | Future[DocumentStore]) -> None:
    if launched.exception() is None:
        launched.result().close()
