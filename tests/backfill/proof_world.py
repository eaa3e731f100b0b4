"""pgbench's tables behind two proxies, load on both of them, and the commands of a backfill beside it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.collection import Collection

from devstack.ports import free_port
from devstack.postgres import PostgresServer
from devstack.supervision import clean_environment
from proxy.admin.client import AdminUnreachable
from proxy.backfill.run import Run, parse_run
from tests.mirroring.rig import MirrorProxy, eventually, settings_for_mirroring
from tests.mirroring.zygote import Zygote
from tests.stores.conftest import polled

TABLES = ("pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history")
ACCOUNTS = "pgbench_accounts"
GLANCE = 0.1
"""Seconds between two looks at the run."""
PER_SCALE = 100_000
RULES = """
defaults: {phase: backfill}
tables:
""" + "".join(f"  {name}:\n" for name in TABLES)

CHURN = """
\\set old random(1, {rows})
\\set new random({rows} + 1, 2 * {rows})
DELETE FROM pgbench_accounts WHERE aid = :old;
INSERT INTO pgbench_accounts (aid, bid, abalance, filler) VALUES (:old, 1, 0, 'again') ON CONFLICT DO NOTHING;
INSERT INTO pgbench_accounts (aid, bid, abalance, filler) VALUES (:new, 1, 0, 'new') ON CONFLICT DO NOTHING;
\\set gone random(1, 2 * {rows})
DELETE FROM pgbench_accounts WHERE aid = :gone;
"""
"""Beside pgbench's own transactions, which insert into no table that has a history, and delete nowhere."""


class Load:
    """pgbench through one proxy, begun again when it ends because the proxy was killed."""

    def __init__(self, world: ProofWorld, proxy: MirrorProxy, clients: int) -> None:
        self._arguments = [
            str(world.postgres.pg_bin / "pgbench"),
            "--builtin=tpcb-like@9",
            f"--file={world.churn}@1",
            f"--client={clients}",
            "--jobs=1",
            "--no-vacuum",
            "--time=100000",
            f"--host={proxy.address.host}",
            f"--port={proxy.address.port}",
            "--username=postgres",
            world.database,
        ]
        self._over = False
        self._process: asyncio.subprocess.Process | None = None
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while not self._over:
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments,
                env=clean_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            await self._process.wait()
            await asyncio.sleep(0.1)  # the proxy is about to come back

    async def end(self) -> None:
        self._over = True
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
        await self._task


class ProofWorld:
    """Belongs to one test."""

    def __init__(
        self,
        postgres: PostgresServer,
        database: str,
        store: str,
        zygote: Zygote,
        directory: Path,
        rows: int,
        lost_after: str,
    ) -> None:
        self.postgres = postgres
        self.database = database
        self.rows = rows
        self._lost_after = lost_after
        self.client: MongoClient[dict[str, Any]] = MongoClient(store, tz_aware=True)
        self.told: list[str] = []
        """What happened when, for people."""
        self._began = time.monotonic()
        self._directory = directory
        self.churn = directory / "churn.sql"
        self.churn.write_text(CHURN.format(rows=rows))
        self._rules = directory / "rules.yaml"
        self._rules.write_text(f"database: {database}\n{RULES}")
        self.proxies = [self._proxy(zygote, store, number) for number in range(2)]
        self._loads: list[Load] = []

    def _proxy(self, zygote: Zygote, store: str, number: int) -> MirrorProxy:
        spool = self._directory / f"spool-{number}"
        spool.mkdir()
        settings = settings_for_mirroring(
            upstream=(self.postgres.host, self.postgres.port),
            control_dsn=self.postgres.dsn(self.database),
            store=polled(store),
            rules=self._rules,
            spool=spool,
            port=free_port(),
            admin=free_port(),
        )
        settings |= {"proxy_lost_after": self._lost_after, "store_timeout": "30s"}
        return MirrorProxy(zygote, settings, self.database, self._directory / f"proxy-{number}.log")

    def say(self, text: str) -> None:
        line = f"{time.monotonic() - self._began:7.1f} s  {text}"
        self.told.append(line)
        print(line, flush=True)

    def fill(self) -> None:
        """pgbench's own tables, `rows` accounts, and a key for the history."""
        scale = max(1, self.rows // PER_SCALE)
        where = [f"--host={self.postgres.host}", f"--port={self.postgres.port}", "--username=postgres"]
        program = str(self.postgres.pg_bin / "pgbench")
        arguments = [program, "--initialize", "--quiet", f"--scale={scale}", *where, self.database]
        subprocess.run(arguments, env=clean_environment(), check=True, capture_output=True, timeout=600)
        self.postgres.psql(
            "ALTER TABLE pgbench_history ADD id bigserial PRIMARY KEY; "
            f"DELETE FROM pgbench_accounts WHERE aid > {self.rows}; ANALYZE",
            self.database,
        )

    async def mirrored(self) -> None:
        """Both proxies are there and mirror all of the tables."""
        await asyncio.gather(*(proxy.start() for proxy in self.proxies))
        for proxy in self.proxies:

            async def all_tables(proxy: MirrorProxy = proxy) -> bool:
                try:
                    status = await proxy.status()
                except AdminUnreachable:
                    return False
                return sum(one.effective.value == "backfill" for one in status.tables) == len(TABLES)

            await eventually(all_tables, proxy.tail)

    def load(self, clients: int) -> None:
        self._loads = [Load(self, proxy, clients) for proxy in self.proxies]

    async def rest(self) -> None:
        """No load any more."""
        await asyncio.gather(*(load.end() for load in self._loads))
        self._loads = []

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """`causeway ...`, not awaited."""
        given = {
            name: self.proxies[0].settings[name] for name in ("upstream", "control_dsn", "store", "rules")
        }
        given |= {"heartbeat_interval": "200ms", "proxy_lost_after": self._lost_after, "store_timeout": "30s"}
        given |= {"fleet_timeout": "30m"}  # what the mirror has queued under such a load takes its time
        variables = {f"CAUSEWAY_{name.upper()}": str(value) for name, value in given.items()}
        return subprocess.Popen(
            [sys.executable, "-m", "proxy", *arguments],
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def verified(self, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """The exit code of `causeway verify`, and what it says by table."""
        process = self.command("verify", *arguments, "--json")
        try:
            out, err = await asyncio.to_thread(process.communicate)
        finally:
            process.kill()
        assert out, err
        found = {one["table"].rpartition(".")[2]: one for one in json.loads(out)["tables"]}
        return process.returncode, found

    def run(self, table: str) -> Run | None:
        found = self.client["_causeway"]["backfill"].find_one({"_id": f"{self.database}.public.{table}"})
        return None if found is None else parse_run(found["value"])

    def copied(self) -> int:
        """Accounts."""
        run = self.run(ACCOUNTS)
        return 0 if run is None else run.totals.keys

    async def until_copied(self, accounts: int, process: subprocess.Popen[str]) -> None:
        """Or until the process has ended."""
        while True:
            if process.poll() is not None or self.copied() >= accounts:
                return
            await asyncio.sleep(GLANCE)

    def gaps(self) -> list[dict[str, Any]]:
        return list(self.client["_causeway"]["gaps"].find({"database": self.database}))

    def transactions(self) -> int:
        """That pgbench has committed."""
        return int(self.postgres.psql("SELECT count(*) FROM pgbench_history", self.database))

    def accounts(self) -> Collection[dict[str, Any]]:
        return self.client[self.database][ACCOUNTS]

    def digests(self) -> dict[Any, bytes]:
        """Of every account's document, all of its bytes."""
        client: MongoClient[RawBSONDocument] = MongoClient(
            self.proxies[0].settings["store"], document_class=RawBSONDocument
        )
        with client:
            return {
                raw["_id"]: hashlib.blake2b(raw.raw, digest_size=8).digest()
                for raw in client[self.database][ACCOUNTS].find({}, batch_size=5000)
            }

    def damage(self, generator: random.Random, each: int) -> tuple[list[int], list[int], list[int]]:
        """Documents deleted, changed and added by hand: their keys."""
        there = [one["_id"] for one in self.accounts().find({}, {"_id": 1})]
        chosen = generator.sample(there, 2 * each)
        deleted, changed = chosen[:each], chosen[each:]
        added = generator.sample(range(10 * self.rows, 20 * self.rows), each)
        for part in _parts(deleted):
            self.accounts().delete_many({"_id": {"$in": part}})
        for number, key in enumerate(changed):
            self.accounts().update_one({"_id": key}, CHANGES[number % len(CHANGES)])
        for part in _parts(added):
            self.accounts().insert_many([{"_id": key, "bid": 1, "abalance": 7} for key in part])
        return deleted, changed, added

    async def close(self) -> None:
        await self.rest()
        for proxy in self.proxies:
            await proxy.stop()
        self.client.drop_database(self.database)
        self.client["_causeway"]["backfill"].delete_many({"value.table": {"$regex": f"^{self.database}\\."}})
        self.client.close()


CHANGES: Sequence[dict[str, Any]] = (
    {"$inc": {"abalance": 1}},
    {"$set": {"filler": "by hand"}},
    {"$unset": {"bid": 1}},
    {"$set": {"abalance": 0.5}},
    {"$set": {"strange": True}},
)


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def _parts(keys: Sequence[int]) -> list[list[int]]:
    return [list(keys[start : start + 500]) for start in range(0, len(keys), 500)]
