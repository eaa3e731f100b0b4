"""Either leg of a captured connection cut at any byte: nothing is left behind, and no committed write is lost.

As `test_cuts`, with every write captured, `durability: strict` and a real store.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pymongo import MongoClient

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.wire.messages import TERMINATE_MESSAGE
from tests.faults.test_cuts import APPLICATION, PATIENCE, backends, converse, open_sockets, upstream
from tests.mirroring.expected import compare
from tests.mirroring.schema import Table
from tests.support.conversation import COPY_DONE, SYNC, bind, copy_data, describe, execute, parse
from tests.support.faults import Cut, Direction, Fault, FaultProxy
from tests.support.fleet import forget_fleet
from tests.support.instance import RunningInstance
from tests.support.transcript import query, startup_message

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

TABLE = Table("public", "cuts", {})

INSERT = "insert into cuts (note) values ($1), ('other') returning id, note"

WRITES = (
    query("insert into cuts (note) values ('simple')")
    + parse(INSERT)
    + describe("S")
    + bind((b"extended",), results=(1,))
    + execute("", 1)
    + SYNC
    + parse("update cuts set n = n + 1 where id % 5 = 0", "s1")
    + bind((), statement="s1")
    + execute()
    + bind((), statement="s1")
    + execute()
    + SYNC
    + query("begin")
    + query("update cuts set note = 'in a block' where id % 7 = 0 returning id")
    + query("savepoint a")
    + query("delete from cuts where id % 3 = 0")
    + query("rollback to a")
    + query("delete from cuts where id % 11 = 0 returning *")
    + query("commit")
    + query("insert into cuts (note) values ('one'); select 1; insert into cuts (note) values ('two')")
    + query("insert into cuts (note) values ('three'); select 1/0")
)


def conversation(database: str, number: int) -> bytes:
    """Of the same length for every number."""
    return (
        startup_message(user="postgres", database=database, application_name=APPLICATION)
        + WRITES
        + query("copy cuts (id, note) from stdin")
        + copy_data(f"{1_000_000 + number}\tcopied\n")
        + COPY_DONE
        + query("update cuts set note = 'last' where id % 13 = 0")
        + TERMINATE_MESSAGE
    )


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[str]:
    with postgres.database("cuts") as name:
        with psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
            connection.execute(
                "create table cuts (id serial primary key, n int not null default 0, note text)"
            )
        yield name


SETTLED = 60.0
"""Seconds until every gap has closed: each waits for the next heartbeat of every other proxy that lives."""


class Bench:
    """A proxy between two fault proxies, and the store behind it."""

    def __init__(
        self, source: PostgresServer, database: str, store: DocumentStore, rules: Path, spool: Path
    ) -> None:
        self.source = source
        self.database = database
        self.store = store
        self.rules = rules
        self.spool = spool
        self.conversations = 0

    def running(self, port: int) -> RunningInstance:
        return RunningInstance(
            upstream=upstream("127.0.0.1", port),
            control_dsn=self.source.dsn(self.database),
            store=self.store.uri,
            rules=self.rules,
            spool=self.spool,
        )

    def converse(self, port: int) -> None:
        self.conversations += 1
        converse(port, conversation(self.database, self.conversations))

    def idle(self, proxy: RunningInstance) -> None:
        """Waits until no connection is left, on either side."""
        counters = proxy.instance.counters
        deadline = time.monotonic() + PATIENCE
        while counters.client_connections or counters.server_connections or backends(self.source):
            assert time.monotonic() < deadline, (counters.client_connections, backends(self.source))
            time.sleep(0.01)


@pytest.fixture
def bench(postgres: PostgresServer, database: str, document_store: DocumentStore, tmp_path: Path) -> Bench:
    rules = tmp_path / "rules.yaml"
    rules.write_text("tables: {cuts: {phase: dual_write}}\n", encoding="utf-8")
    with psycopg.connect(postgres.dsn(database), autocommit=True) as connection:
        connection.execute("truncate cuts restart identity")
    with MongoClient[dict[str, Any]](document_store.uri) as client:
        client.drop_database(database)
        client["_causeway"]["gaps"].delete_many({"database": database})
    forget_fleet(document_store.uri)
    return Bench(postgres, database, document_store, rules, tmp_path / "spool")


@pytest.mark.parametrize("leg", ["client", "server"])
@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_cut_at_any_byte(bench: Bench, leg: str, how: Cut, direction: Direction) -> None:
    seed = int(os.environ.get("CAUSEWAY_SEED", random.randrange(1 << 30)))
    print(f"CAUSEWAY_SEED={seed}")
    dice = random.Random(seed)
    sockets = open_sockets()
    with (
        MongoClient[dict[str, Any]](bench.store.uri) as client,
        psycopg.connect(bench.source.dsn(bench.database), autocommit=True) as direct,
    ):

        def unequal() -> list[str]:
            gaps = client["_causeway"]["gaps"].find({"database": bench.database})
            found = compare(direct, client, bench.database, TABLE).differences
            return [f"gap {gap}" for gap in gaps] + [str(one) for one in found]

        with FaultProxy((bench.source.host, bench.source.port)) as far, bench.running(far.port) as proxy:
            with FaultProxy(("127.0.0.1", proxy.port)) as near:
                bench.converse(near.port)
                bench.idle(proxy)
                cut = far if leg == "server" else near
                total = cut.passed[direction]
                for place in sorted({1, 9, total - 1, total} | {dice.randint(100, total) for _ in range(16)}):
                    cut.fault = Fault(direction=direction, after=place, how=how)
                    bench.converse(near.port)
                    bench.idle(proxy)
                assert cut.cuts >= 16
                cut.fault = Fault()
                bench.converse(near.port)
            bench.idle(proxy)
            deadline = time.monotonic() + SETTLED
            while found := unequal():
                assert time.monotonic() < deadline, "\n".join(found[:20])
                time.sleep(0.05)
            captured = sum(table.captured for table in proxy.report().tables)
            rows = compare(direct, client, bench.database, TABLE).rows
            proxy.drain()
            assert proxy.leftovers() == []
        assert captured > rows > 10
        assert unequal() == []
    assert open_sockets() == sockets
