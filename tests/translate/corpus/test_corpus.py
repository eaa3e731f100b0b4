"""Recorded reads say the same on both sides; the page that tells how many are supported is up to date."""

from __future__ import annotations

import os

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.stores.mongo import open_store
from proxy.translate.api import Unsupported
from tests.stores.conftest import polled
from tests.translate.corpus.coverage import CLASSES, PAGE, SCHEMA, Recorded, corpus, page
from tests.translate.schema import SCHEMA as SHOP
from tests.translate.world import Different, make_world

pytestmark = pytest.mark.integration

FLOOR = {group: 1.0 if int(group) < 10 else 0.9 for group in CLASSES}


async def test_recorded_reads_give_what_postgres_gives(
    postgres: PostgresServer, document_store: DocumentStore, capsys: pytest.CaptureFixture[str]
) -> None:
    refused: dict[Recorded, str] = {}
    wrong = []
    with postgres.database("corpus") as database:
        store = open_store(polled(document_store.uri))
        try:
            world = await make_world(postgres.dsn(database), database, store, SHOP + SCHEMA)
            for one in corpus():
                try:
                    await world.same(one.sql, one.parameters)
                except Unsupported as error:
                    refused[one] = error.reason
                except Different as error:
                    wrong.append(f"{one.source}, class {one.group}: {error}")
            world.oracle.connection.finish()
        finally:
            await store.close()
    assert not wrong, "\n".join(wrong)
    made = page(refused)
    with capsys.disabled():
        print("\n" + "\n".join(line for line in made.splitlines() if line[:1] in "|*"))
    for group, floor in FLOOR.items():
        reads = [one for one in corpus() if one.group == group]
        share = sum(one not in refused for one in reads) / max(len(reads), 1)
        assert share >= floor, (group, share)
    if os.environ.get("CAUSEWAY_WRITE_COVERAGE"):
        PAGE.write_text(made)
    assert PAGE.read_text() == made, "docs/sql-coverage.md: CAUSEWAY_WRITE_COVERAGE=1 makes it anew"
