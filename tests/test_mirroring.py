"""The mirror put together: from rules and a client's statements to documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pymongo import MongoClient

from devstack.document_store import DocumentStore
from devstack.ports import free_port
from devstack.postgres import PostgresServer
from proxy.instance import StartError
from proxy.phases import Phase
from tests.support.fleet import forget_fleet
from tests.support.instance import RunningInstance
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

TABLES = """
CREATE TABLE orders (id serial PRIMARY KEY, total int, note text);
CREATE TABLE customers (id int PRIMARY KEY);
CREATE TABLE baskets (id int PRIMARY KEY, customer int REFERENCES customers ON DELETE CASCADE);
CREATE TABLE keyless (a int);
"""


class World:
    def __init__(
        self, postgres: PostgresServer, database: str, store: DocumentStore, directory: Path
    ) -> None:
        self.postgres = postgres
        self.database = database
        self.directory = directory
        self.store_uri = store.uri
        self.client: MongoClient[dict[str, Any]] = MongoClient(store.uri, tz_aware=True)
        self.rules("orders: {phase: dual_write}", "baskets: {phase: dual_write}")
        with self.direct() as setup:
            setup.execute(TABLES)

    def direct(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.postgres.dsn(self.database), autocommit=True)

    def rules(self, *tables: str) -> None:
        text = "".join(f"  {table}\n" for table in tables)
        (self.directory / "rules.yaml").write_text(f"database: {self.database}\ntables:\n{text}")

    def running(self, **settings: Any) -> RunningInstance:
        return RunningInstance(
            **{
                "upstream": f"{self.postgres.host}:{self.postgres.port}",
                "store": self.store_uri,
                "control_dsn": self.control_dsn,
                "rules": self.directory / "rules.yaml",
                "spool": self.directory / "spool",
                **settings,
            }
        )

    @property
    def control_dsn(self) -> str:
        return f"postgresql://postgres@{self.postgres.host}:{self.postgres.port}/{self.database}"

    def documents(self, collection: str) -> list[dict[str, Any]]:
        found = self.client[self.database][collection].find({}, {"_cw": 0}).sort("_id", 1)
        return list(found)

    def gaps(self) -> list[tuple[str, str]]:
        found = self.client["_causeway"]["gaps"].find({"database": self.database})
        return sorted((gap["table"], gap["cause"]) for gap in found)

    def ended(self) -> None:
        self.client.drop_database(self.database)
        self.client["_causeway"]["gaps"].delete_many({"database": self.database})
        self.client.close()


@pytest.fixture
def world(
    postgres: PostgresServer, database: str, document_store: DocumentStore, tmp_path: Path
) -> Iterator[World]:
    forget_fleet(document_store.uri)
    made = World(postgres, database, document_store, tmp_path)
    yield made
    made.ended()


def effective(proxy: RunningInstance, table: str) -> Phase | None:
    holdings = [one.holding for one in proxy.report().tables if one.table == table]
    return None if not holdings or holdings[0] is None else holdings[0].effective


def test_committed_rows_become_documents(world: World) -> None:
    with world.running() as proxy, proxy.connect(world.database) as client:
        client.execute("INSERT INTO orders (total, note) VALUES (1, 'a'), (2, NULL)")
        with client.transaction(force_rollback=True):
            client.execute("INSERT INTO orders (total) VALUES (3)")
        client.execute("UPDATE orders SET total = 5 WHERE id = 2")
        client.execute("DELETE FROM orders WHERE id = 1")
        report = proxy.report()
    assert world.documents("orders") == [{"_id": 2, "total": 5, "note": None}]
    assert {table.table for table in report.tables} == {"public.orders", "public.baskets"}
    assert world.gaps() == []


def test_rows_that_follow_those_of_an_unruled_table(world: World) -> None:
    with world.running() as proxy:
        with proxy.connect(world.database) as client:
            client.execute("INSERT INTO customers VALUES (1), (2)")
            client.execute("INSERT INTO baskets VALUES (1, 1), (2, 1), (3, 2)")
            client.execute("DELETE FROM customers WHERE id = 1")
        eventually(lambda: world.documents("baskets") == [{"_id": 3, "customer": 2}])
        eventually(lambda: not any(table.gaps for table in proxy.report().tables))


def test_copied_rows_are_read_again(world: World) -> None:
    with world.running() as proxy:
        with proxy.connect(world.database) as client:
            with client.cursor().copy("COPY orders (id, total) FROM STDIN") as copy:
                copy.write_row((7, 70))
                copy.write_row((8, 80))
            client.execute("UPDATE orders SET note = 'x' WHERE id = 7")
        wanted = [{"_id": 7, "total": 70, "note": "x"}, {"_id": 8, "total": 80, "note": None}]
        eventually(lambda: world.documents("orders") == wanted)


def test_a_rule_takes_hold_of_sessions_that_run(world: World) -> None:
    world.rules("baskets: {phase: dual_write}")
    with world.running() as proxy, proxy.connect(world.database) as client:
        client.execute("INSERT INTO orders (total) VALUES (1)", prepare=True)
        world.rules("orders: {phase: dual_write}")
        proxy.reload()
        eventually(lambda: effective(proxy, "public.orders") is Phase.DUAL_WRITE)
        client.execute("INSERT INTO orders (total) VALUES (1)", prepare=True)
        eventually(lambda: world.documents("orders"))
        world.rules("orders: {phase: passthrough}")
        proxy.reload()
        client.execute("INSERT INTO orders (total) VALUES (1)", prepare=True)
        client.execute("SELECT 1")
    assert [document["_id"] for document in world.documents("orders")] == [2]


def test_a_first_rule_takes_hold_of_sessions_that_run(world: World) -> None:
    world.rules("orders: {phase: passthrough}")
    with world.running() as proxy, proxy.connect(world.database) as client:
        client.execute("SELECT 1")
        (world.directory / "rules.yaml").write_text("tables: {orders: {phase: dual_write}}\n")
        proxy.reload()
        eventually(lambda: effective(proxy, "public.orders") is Phase.DUAL_WRITE)
        client.execute("INSERT INTO orders (total) VALUES (1)")
    assert [document["total"] for document in world.documents("orders")] == [1]


def test_tables_are_held_with_the_reason(world: World) -> None:
    world.rules("keyless: {phase: dual_write}", "nowhere: {phase: dual_write}", "orders: {phase: dual_write}")
    with world.running(spool=None) as proxy:
        held = {table.table: table.holding for table in proxy.report().tables if table.holding is not None}
    reasons = {name: "; ".join(holding.reasons) for name, holding in held.items()}
    assert "key" in reasons["public.keyless"]
    assert "not in database" in reasons["public.nowhere"]
    assert "spool" in reasons["public.orders"]


def test_a_source_that_cannot_be_read_is_a_gap_and_no_obstacle(world: World) -> None:
    dsn = f"postgresql://postgres@127.0.0.1:{free_port()}/{world.database}"
    with world.running(control_dsn=dsn, connect_timeout=0.5) as proxy:
        with proxy.connect(world.database) as client:
            client.execute("INSERT INTO orders (total) VALUES (1)")
        gaps = {(table.table, *table.gaps) for table in proxy.report().tables if table.gaps}
    assert gaps == {("public.baskets", "unresolved"), ("public.orders", "unresolved")}


def test_names_that_clients_make_up_leave_nothing_behind(world: World) -> None:
    (world.directory / "rules.yaml").write_text("tables: {orders: {phase: dual_write}}\n")
    with world.running() as proxy:
        for name in ("made_up", "made_up_too"):
            with pytest.raises(psycopg.OperationalError, match="does not exist"):
                proxy.connect(name)
        proxy.connect(world.database).close()
        report = proxy.report()
        assert [catalogue.database for catalogue in report.catalogues] == [world.database]
        assert [table.database for table in report.tables if table.gaps] == []
    assert world.client["_causeway"]["gaps"].count_documents({"database": {"$regex": "^made_up"}}) == 0


def test_a_store_that_is_down_at_the_start_changes_nothing_for_the_application(world: World) -> None:
    nobody = f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=200"
    with world.running(store=nobody, drain_timeout=0.5) as proxy, proxy.connect(world.database) as client:
        client.execute("INSERT INTO orders (total) VALUES (1)")
        assert proxy.report().store == "away" or proxy.report().memory_bytes > 0
    assert world.documents("orders") == []
    with world.running():
        eventually(lambda: [document["total"] for document in world.documents("orders")] == [1])


def test_ddl_through_the_proxy_is_known_before_its_reply(world: World) -> None:
    with world.running() as proxy, proxy.connect(world.database) as client:
        client.execute("INSERT INTO orders (total) VALUES (1)", prepare=True)
        client.execute("ALTER TABLE orders ADD COLUMN extra int")
        client.execute("INSERT INTO orders (total, extra) VALUES (2, 3)")
        client.execute("INSERT INTO orders (total) VALUES (1)", prepare=True)
    assert [document.get("extra", "none") for document in world.documents("orders")] == ["none", 3, None]
    assert world.gaps() == []


def test_a_spool_that_cannot_be_used_keeps_the_proxy_from_starting(world: World) -> None:
    (world.directory / "spool").write_text("a file")
    with pytest.raises(StartError, match="spool"), world.running():
        pass
