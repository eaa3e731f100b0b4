"""Recorded reads say the same on both sides; the page that tells how many are supported is up to date."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.stores.mongo import open_store
from proxy.translate.api import Unsupported
from tests.stores.conftest import polled
from tests.support.proxy import ProxyProcess
from tests.translate.corpus.coverage import (
    APPLICATIONS,
    CLASSES,
    PAGE,
    SCHEMA,
    Recorded,
    corpus,
    page,
    recorded,
    samples,
)
from tests.translate.corpus.relay import Relay
from tests.translate.schema import SCHEMA as SHOP
from tests.translate.world import Different, make_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(0)]

FLOOR = {group: 1.0 if int(group) < 10 else 0.9 if int(group) < 15 else 0.8 for group in CLASSES}


def of_applications(postgres: PostgresServer, database: str) -> list[Recorded]:
    """What they send while they read through the proxy."""
    found = []
    with ProxyProcess(upstream=f"{postgres.host}:{postgres.port}") as proxy:
        for source, (module, *arguments) in APPLICATIONS.items():
            with Relay(proxy.host, proxy.port) as relay:
                command = [sys.executable, "-m", f"tests.translate.corpus.{module}"]
                given = ["127.0.0.1", str(relay.port), database, *arguments]
                done = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"{source}: {done.stderr[-4000:]}"
                found += recorded(source, relay.sent)
    return found


async def answers(
    postgres: PostgresServer, database: str, uri: str, schema: str, reads: list[Recorded]
) -> tuple[dict[Recorded, str], list[str]]:
    """Why reads are not supported, and which are wrong."""
    refused: dict[Recorded, str] = {}
    wrong = []
    store = open_store(polled(uri))
    try:
        world = await make_world(postgres.dsn(database), database, store, schema)
        for one in reads:
            try:
                await world.same(one.sql, one.parameters, one.types, binary=one.binary)
            except Unsupported as error:
                refused[one] = error.reason
            except Different as error:
                wrong.append(f"{one.source}, class {one.group}: {error}")
        world.oracle.connection.finish()
    finally:
        await store.close()
    return refused, wrong


async def test_recorded_reads_give_what_postgres_gives(
    postgres: PostgresServer, document_store: DocumentStore, capsys: pytest.CaptureFixture[str]
) -> None:
    with postgres.database("corpus") as database:
        connection = psycopg.connect(postgres.dsn(database), autocommit=True)
        with connection:  # what applications read must be there before they read it
            connection.execute(SHOP + SCHEMA)
        reads = [*corpus(), *of_applications(postgres, database)]
    with postgres.database("corpus_read") as database:
        refused, wrong = await answers(postgres, database, document_store.uri, SHOP + SCHEMA, reads)
    for name, (schema, written) in samples().items():
        with postgres.database(name) as database:
            more, others = await answers(postgres, database, document_store.uri, schema, written)
        refused |= more
        wrong += others
        reads += written
    assert not wrong, "\n".join(wrong)
    made = page(reads, refused)
    with capsys.disabled():
        print("\n" + "\n".join(line for line in made.splitlines() if line[:1] in "|*"))
    for group, floor in FLOOR.items():
        of_class = [one for one in reads if one.group == group]
        share = sum(one not in refused for one in of_class) / max(len(of_class), 1)
        assert share >= floor, (group, share)
    if os.environ.get("CAUSEWAY_TEST_WRITE_COVERAGE"):
        PAGE.write_text(made)
    assert PAGE.read_text() == made, "docs/sql-coverage.md: CAUSEWAY_TEST_WRITE_COVERAGE=1 makes it anew"
