"""The document database: the one that is given, a MongoDB of this machine, else DocumentDB."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from devstack.choices import STORE_VARIABLE
from devstack.documentdb import launch_documentdb
from devstack.mongod import launch_mongod, mongod_program


class DocumentStore(Protocol):
    """Anything that a MongoDB driver can talk to."""

    @property
    def kind(self) -> str:
        """`external`, `mongod` or `documentdb`."""
        ...

    @property
    def uri(self) -> str: ...

    def close(self) -> None: ...


class ExternalStore:
    """A store that somebody else runs; never stopped from here. Its URI may hold a password."""

    kind = "external"

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def close(self) -> None:
        """Nothing: it is not ours."""


def launch_document_store(uri: str | None = None) -> DocumentStore:
    """`uri`, else CAUSEWAY_STORE, else a mongod of the PATH, else DocumentDB. The caller calls `close`."""
    given = uri or os.environ.get(STORE_VARIABLE)
    if given:
        return ExternalStore(given)
    program = mongod_program()
    if program is not None:
        return launch_mongod(program)
    return launch_documentdb()


@contextmanager
def start_document_store(uri: str | None = None) -> Iterator[DocumentStore]:
    """A running document store that is gone, where it is ours, when the block ends or this process dies."""
    store = launch_document_store(uri)
    try:
        yield store
    finally:
        store.close()
