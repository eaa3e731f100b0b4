"""One table is copied whole, by one process or several, whatever comes between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.run import Counts, Status
from tests.backfill.copy_world import CopyWorld, copy_world

pytestmark = pytest.mark.integration

TABLES = """
create table orders (id int primary key, note text, changed timestamptz default now());
insert into orders select i * 3, 'note ' || i from generate_series(1, 1000) i;
"""
RULES = "tables:\n  orders: {phase: backfill, last_modified: changed}\n"


@pytest.fixture
def world(postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path) -> Iterator[CopyWorld]:
    with copy_world(postgres, document_store, tmp_path, TABLES, RULES) as made:
        yield made


async def test_a_table_is_copied(world: CopyWorld) -> None:
    run = await world.backfill("orders")
    assert run.status is Status.DONE
    assert world.ids("orders") == list(range(3, 3003, 3))
    assert run.totals == Counts(1000, 1000, 1000, 0, 0, run.totals.bytes, 1)
    [document] = world.client[world.database]["orders"].find({"_id": 3})
    assert document["note"] == "note 1"
    assert (document["_cw"]["v"], document["_cw"]["r"]) == (0, 0)
    assert world.run("orders").status is Status.DONE
    assert world.run("orders").workers == {}
