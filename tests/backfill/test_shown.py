"""What a proxy shows of backfills and comparisons that other processes have carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from typer.testing import CliRunner

import proxy.backfill.history
from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.admin.mirror import TableReport
from proxy.cli import app
from tests.stores.conftest import polled
from tests.support.fleet import forget_fleet
from tests.support.instance import RunningInstance
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

ROWS = 2500


@pytest.fixture
def told(
    postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, dict[str, str]]]:
    """A database whose table `orders` has a history, and the settings of proxies and commands for it."""
    monkeypatch.setattr(proxy.backfill.history, "IDLE_INTERVAL", 0.1)
    forget_fleet(document_store.uri)
    with postgres.database() as name:
        postgres.psql(
            "CREATE TABLE orders (id int PRIMARY KEY, note text); "
            f"INSERT INTO orders SELECT n, 'note ' || n FROM generate_series(1, {ROWS}) n; ANALYZE orders",
            name,
        )
        rules = tmp_path / "rules.yaml"
        rules.write_text(f"database: {name}\ntables: {{orders: {{phase: backfill}}}}\n")
        yield (
            name,
            {
                "control_dsn": postgres.dsn(name),
                "store": polled(document_store.uri),
                "rules": str(rules),
                "heartbeat_interval": "200ms",
            },
        )


def causeway(settings: dict[str, str], *arguments: str) -> int:
    flags = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)]
    return CliRunner().invoke(app, [*arguments, *flags]).exit_code


def test_from_the_first_chunk_to_the_last_difference(
    told: tuple[str, dict[str, str]], postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path
) -> None:
    database, settings = told
    upstream = f"{postgres.host}:{postgres.port}"
    with RunningInstance(upstream=upstream, spool=tmp_path / "spool", **settings) as running:

        def shown() -> TableReport:
            (table,) = running.report().tables
            return table

        def comes(condition: Callable[[TableReport], Any]) -> TableReport:
            eventually(lambda: condition(shown()))
            return shown()

        assert shown().backfill is None
        assert causeway(settings, "backfill", "orders", "--chunk-rows", "1000") == 0
        table = comes(lambda table: table.backfill is not None and table.backfill.status == "done")
        assert table.backfill is not None
        assert (table.backfill.rows, table.backfill.seeded, table.backfill.share) == (ROWS, ROWS, 1.0)
        assert (table.backfill.chunks, table.backfill.ended_at is None) == (3, False)
        assert table.verify is None

        assert causeway(settings, "verify", "orders") == 0
        table = comes(lambda table: table.verify is not None and table.verify.outcome == "equal")
        assert table.verify is not None
        assert (table.verify.rows, table.verify.left, table.verify.whole_left) == (ROWS, 0, 0)

        client: MongoClient[dict[str, Any]] = MongoClient(document_store.uri)
        with client:
            client[database]["orders"].delete_one({"_id": 7})
            client[database]["orders"].update_one({"_id": 8}, {"$set": {"note": "another"}})
            assert causeway(settings, "verify", "orders") == 1
            table = comes(lambda table: table.verify is not None and table.verify.outcome == "different")
            assert table.verify is not None
            assert (table.verify.missing, table.verify.extra, table.verify.different) == (1, 0, 1)
            assert (table.verify.left, table.verify.columns) == (2, {"note": 1})
            assert causeway(settings, "verify", "orders", "--repair") == 0
            table = comes(lambda table: table.verify is not None and table.verify.repaired == 2)
            assert table.verify is not None
            assert (table.verify.outcome, table.verify.left) == ("equal", 0)
