"""A database, a document store, and backfills of it, in this process or as commands."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.backfill.joining import Wanted
from proxy.backfill.member import Member, open_member
from proxy.backfill.run import Run, parse_run
from proxy.backfill.worker import TableWorker
from proxy.config import Settings
from proxy.names import TableName
from tests.stores.conftest import polled
from tests.support.fleet import forget_fleet

OFFLINE = Wanted(offline=True)


class CopyWorld:
    """Belongs to one test."""

    def __init__(
        self, postgres: PostgresServer, store: DocumentStore, database: str, directory: Path, rules: str
    ) -> None:
        self.postgres = postgres
        self.database = database
        self.directory = directory
        self.client: MongoClient[dict[str, Any]] = MongoClient(store.uri, tz_aware=True)
        path = directory / "rules.yaml"
        path.write_text(f"database: {database}\n{rules}")
        self.given: dict[str, Any] = {
            "upstream": f"127.0.0.1:{postgres.port}",
            "control_dsn": postgres.dsn(database),
            "store": polled(store.uri),
            "rules": str(path),
            "heartbeat_interval": "100ms",
            "catalogue_interval": "200ms",
            "retry_backoff_max": "500ms",
            "store_timeout": "5s",
            "proxy_lost_after": "10s",
        }

    def settings(self, **more: Any) -> Settings:
        return Settings.model_validate(self.given | more)

    def sql(self, text: str) -> str:
        return self.postgres.psql(text, self.database)

    def documents(self, collection: str) -> list[dict[str, Any]]:
        return list(self.client[self.database][collection].find())

    def ids(self, collection: str) -> list[Any]:
        return sorted(self.raw_ids(collection))

    def raw_ids(self, collection: str) -> list[Any]:
        return [document["_id"] for document in self.client[self.database][collection].find({}, {"_id": 1})]

    def gaps(self) -> list[dict[str, Any]]:
        return list(self.client["_causeway"]["gaps"].find({"database": self.database}))

    def run(self, table: str) -> Run:
        """As the store has it."""
        found = self.client["_causeway"]["backfill"].find_one({"_id": f"{self.database}.public.{table}"})
        assert found is not None
        return parse_run(found["value"])

    def has_copied(self, table: str, rows: int) -> bool:
        """Whether a run has finished chunks of so many rows."""
        return self.rows_copied(table) >= rows

    def rows_copied(self, table: str) -> int:
        found = self.client["_causeway"]["backfill"].find_one({"_id": f"{self.database}.public.{table}"})
        return 0 if found is None else int(found["value"]["totals"]["rows"])

    def throttled(self, table: str) -> str:
        found = self.client["_causeway"]["backfill"].find_one({"_id": f"{self.database}.public.{table}"})
        return "" if found is None else parse_run(found["value"]).throttled

    def name(self, table: str) -> TableName:
        return TableName("public", table, self.database)

    async def backfill(
        self, table: str, wanted: Wanted = OFFLINE, *, told: list[str] | None = None, **more: Any
    ) -> Run:
        """In this process, to its end."""
        async with open_member(self.settings(**more), "backfill") as member:
            return await self.worker(member, table, wanted, told=told).work()

    def worker(
        self,
        member: Member,
        table: str,
        wanted: Wanted = OFFLINE,
        *,
        stop: asyncio.Event | None = None,
        told: list[str] | None = None,
    ) -> TableWorker:
        return TableWorker(
            member,
            self.name(table),
            wanted,
            stop=stop or asyncio.Event(),
            tell=(told if told is not None else []).append,
            look_every=0.05,
            backoff_max=0.5,
            late_sweep=1.0,
        )

    def command(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        """`causeway backfill ...`, not awaited."""
        variables = {f"CAUSEWAY_{name.upper()}": str(value) for name, value in (self.given | more).items()}
        return subprocess.Popen(
            [sys.executable, "-m", "proxy", "backfill", *arguments],
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finished(self, *arguments: str, code: int = 0, **more: Any) -> str:
        """What such a command writes to standard output and error."""
        process = self.command(*arguments, **more)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, out + err
        return out + err


def lines(text: str) -> list[dict[str, Any]]:
    """Of JSON."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


@contextmanager
def copy_world(
    postgres: PostgresServer, store: DocumentStore, directory: Path, tables: str, rules: str
) -> Iterator[CopyWorld]:
    """`tables` is SQL, `rules` YAML beneath `database`."""
    forget_fleet(store.uri)
    with postgres.database(f"copy_{uuid.uuid4().hex[:8]}") as database:
        world = CopyWorld(postgres, store, database, directory, rules)
        world.sql(tables)
        try:
            yield world
        finally:
            world.client.drop_database(database)
            world.client["_causeway"]["backfill"].delete_many({"value.table": {"$regex": f"^{database}\\."}})
            world.client.close()
