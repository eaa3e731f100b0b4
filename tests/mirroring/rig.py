"""A source, proxies and a store, put together as for mirroring; and the wait until they agree."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import psycopg
from pymongo import MongoClient

from devstack.ports import free_port
from devstack.postgres import PostgresServer
from proxy.addresses import TcpAddress
from proxy.admin.client import AdminUnreachable, fetch_status
from proxy.admin.status import Status
from tests.mirroring.drivers import Address, connected
from tests.mirroring.expected import Difference, compare
from tests.mirroring.schema import ALL, BEFORE_14, SEED, TABLES, TYPES, Table, rules
from tests.mirroring.zygote import Zygote

PATIENCE = 30.0
"""Seconds until what has not happened is a failure."""
GLANCE = 0.05
"""Seconds between two looks at another process."""

STATE_DATABASE = "_causeway"
LEDGER = "gaps"
"""The collection that holds the open gaps, in STATE_DATABASE."""


def prepare(connection: psycopg.Connection[Any]) -> None:
    if connection.info.server_version < 140000:
        connection.execute(BEFORE_14)
    for script in (TYPES, TABLES):
        connection.execute(script)


def settings_for_mirroring(
    *,
    upstream: tuple[str, int],
    control_dsn: str,
    store: str,
    rules: Path,
    spool: Path,
    port: int,
    admin: int,
) -> dict[str, Any]:
    """What `causeway run` is told, by the names of `proxy.config.Settings`; hasty where tests would wait."""
    return {
        "upstream": f"postgresql://{upstream[0]}:{upstream[1]}/?sslmode=disable",
        "listen": f"127.0.0.1:{port}",
        "admin": f"127.0.0.1:{admin}",
        "log_format": "json",
        "control_dsn": control_dsn,
        "store": store,
        "rules": str(rules),
        "spool": str(spool),
        "catalogue_interval": "200ms",
        "heartbeat_interval": "200ms",
        "retry_backoff_max": "500ms",
        "store_timeout": "3s",
        "drain_timeout": "5s",
        "close_timeout": "1s",
    }


class MirrorProxy:
    """One proxy with a spool of its own; killed and started again it keeps its port and its spool."""

    def __init__(self, zygote: Zygote, settings: dict[str, Any], database: str, log: Path) -> None:
        self.settings = settings
        self.log = log
        self.port = int(settings["listen"].rpartition(":")[2])
        self.address = Address("127.0.0.1", self.port, database)
        self.kills = 0
        self._admin = TcpAddress("127.0.0.1", int(settings["admin"].rpartition(":")[2]))
        self._zygote = zygote
        self._pid: int | None = None

    @property
    def pid(self) -> int:
        assert self._pid is not None, "the proxy does not run"
        return self._pid

    async def start(self) -> None:
        """Returns once it listens."""
        events = len(self.events())
        self._pid = await asyncio.to_thread(self._zygote.start, self.settings, self.log)
        await eventually(lambda: self._started(events), lambda: f"the proxy did not start:\n{self.tail()}")

    def _started(self, since: int) -> bool:
        found = [event.get("event") for event in self.events()[since:]]
        assert "start_failed" not in found, self.tail()
        return "started" in found

    async def kill(self) -> None:
        """SIGKILL; returns once it is gone."""
        assert self._pid is not None
        self.kills += 1
        os.kill(self._pid, signal.SIGKILL)
        await asyncio.to_thread(self._zygote.wait, self._pid)
        self._pid = None

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        if self._pid is None:
            return 0
        os.kill(self._pid, signal.SIGTERM)
        pid, self._pid = self._pid, None
        return await asyncio.to_thread(self._zygote.wait, pid)

    async def status(self) -> Status:
        return await asyncio.to_thread(fetch_status, self._admin)

    async def mirroring(self, tables: Iterable[Table] = ALL) -> None:
        """Waits until the tables are mirrored."""
        wanted = {table.in_rules for table in tables}
        found: dict[str, str] = {}

        async def holds() -> bool:
            try:
                status = await self.status()
            except AdminUnreachable:
                return False
            found.clear()
            found.update({one.table: f"{one.effective.value}: {one.reasons}" for one in status.tables})
            return all(found.get(name, "").startswith("dual_write") for name in wanted)

        await eventually(holds, lambda: f"not in dual_write: {found}\n{self.tail()}")

    def events(self) -> list[dict[str, Any]]:
        """The log so far."""
        if not self.log.exists():
            return []
        found = []
        for line in self.log.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                # The last line of a process that was killed while it wrote.
                found.append({"event": "", "line": line})
        return found

    def tail(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8").splitlines()[-30:]) if self.log.exists() else ""


class Rig:
    """One database that is mirrored by several proxies into one store."""

    def __init__(
        self,
        source: PostgresServer,
        database: str,
        store: str,
        zygote: Zygote,
        directory: Path,
        tables: Sequence[Table] = ALL,
        **defaults: Any,
    ) -> None:
        self.source = source
        self.database = database
        self.store = store
        self.tables = tables
        self.client: MongoClient[dict[str, Any]] = MongoClient(store)
        self.proxies: list[MirrorProxy] = []
        self.copied = False
        """Whether there is history, which a backfill copies."""
        self._known: set[str] = set()
        self._zygote = zygote
        self._directory = directory
        self._rules = directory / "rules.yaml"
        self.rules(tables, **defaults)

    def rules(self, tables: Sequence[Table], **defaults: Any) -> None:
        """Only these tables have rules from now on."""
        self._rules.write_text(rules(self.database, tables, **defaults), encoding="utf-8")

    def proxy(
        self, *, upstream: tuple[str, int] | None = None, store: str | None = None, **settings: Any
    ) -> MirrorProxy:
        """One more, not started yet."""
        number = len(self.proxies)
        spool = self._directory / f"spool-{number}"
        spool.mkdir()
        told = settings_for_mirroring(
            upstream=upstream or (self.source.host, self.source.port),
            control_dsn=self.source.dsn(self.database),
            store=store or self.store,
            rules=self._rules,
            spool=spool,
            port=free_port(),
            admin=free_port(),
        )
        proxy = MirrorProxy(
            self._zygote, told | settings, self.database, self._directory / f"proxy-{number}.log"
        )
        self.proxies.append(proxy)
        return proxy

    async def started(self, count: int) -> list[MirrorProxy]:
        """So many proxies that mirror."""
        proxies = [self.proxy() for _ in range(count)]
        await asyncio.gather(*(proxy.start() for proxy in proxies))
        await asyncio.gather(*(proxy.mirroring(self.tables) for proxy in proxies))
        await self.seed()
        return proxies

    def gaps(self) -> list[dict[str, Any]]:
        return list(self.client[STATE_DATABASE][LEDGER].find({"database": self.database}))

    def differences(self, tables: Sequence[Table] | None = None) -> list[Difference]:
        found: list[Difference] = []
        with psycopg.connect(self.source.dsn(self.database), autocommit=True) as connection:
            for table in self.tables if tables is None else tables:
                found += compare(
                    connection, self.client, self.database, table, copied=self.copied
                ).differences
        return [one for one in found if str(one) not in self._known]

    async def agree(self, *, patience: float = PATIENCE) -> None:
        """Waits until every table equals its collection and no gap is open."""
        deadline = time.monotonic() + patience
        while True:
            found = await asyncio.to_thread(self.differences)
            gaps = await asyncio.to_thread(self.gaps)
            if not found and not gaps:
                return
            if time.monotonic() > deadline:
                raise AssertionError(self._report(found, gaps))
            await asyncio.sleep(GLANCE)

    async def covered(self) -> None:
        """Waits until every difference there is lies in a table with an open gap."""
        found: list[Difference] = []

        async def none() -> bool:
            found[:] = await asyncio.to_thread(self.uncovered)
            return not found

        await eventually(none, lambda: self._report(found, self.gaps()))

    def _report(self, found: Sequence[Difference], gaps: Sequence[dict[str, Any]]) -> str:
        lines = [f"{len(found)} differences, {len(gaps)} open gaps"]
        lines += [f"  {one}" for one in found[:40]]
        lines += [f"  gap {gap}" for gap in gaps[:20]]
        for proxy in self.proxies:
            told = [event for event in proxy.events() if event.get("level") in ("warning", "error")]
            lines += [
                f"{proxy.log.name}, killed {proxy.kills} times",
                *(f"  {event}" for event in told[-20:]),
            ]
        return "\n".join(lines)

    async def seed(self) -> None:
        """The rows that histories begin with, written through the first proxy: there is nothing to copy."""
        async with connected(self.proxies[0].address, "simple") as client:
            for statement in SEED.split(";"):
                if statement.strip():
                    await client.run(statement)

    def forgive(self) -> None:
        """Takes the differences and gaps there are for known: what is found from here on is new."""
        self._known |= {str(one) for one in self.differences()}
        self.client[STATE_DATABASE][LEDGER].delete_many({"database": self.database})

    def uncovered(self) -> list[Difference]:
        """Differences in tables without an open gap."""
        open_ones = {gap["table"] for gap in self.gaps()}
        return self.differences([table for table in self.tables if table.in_rules not in open_ones])

    def missing(self, keys: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Those keys of `ledger` that PostgreSQL does not have."""
        with psycopg.connect(self.source.dsn(self.database)) as connection:
            there = set(connection.execute("select client, seq from ledger").fetchall())
        return sorted(key for key in keys if key not in there)

    async def close(self) -> None:
        for proxy in self.proxies:
            await proxy.stop()
        self.client.close()


async def eventually(condition: Callable[[], Any], complaint: Callable[[], str]) -> None:
    """Returns once `condition()`, which may be a coroutine, is true."""
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = condition()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return
        assert time.monotonic() < deadline, complaint()
        await asyncio.sleep(GLANCE)
