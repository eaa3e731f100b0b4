"""A source with a shop, proxies in front of it in `dark_read`, a store behind; and what their shadows have told."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import yaml
from pymongo import MongoClient

from devstack.ports import free_port
from devstack.postgres import PostgresServer
from proxy.admin.client import AdminUnreachable
from proxy.admin.shadow import ShadowStatus
from proxy.admin.status import Status
from tests.mirroring.rig import MirrorProxy, eventually, settings_for_mirroring
from tests.mirroring.zygote import Zygote
from tests.support.fleet import forget_fleet

SHOP = """
create table customers (id int primary key, name text not null, email text, joined timestamptz not null default now());
create table orders (id bigint primary key, customer int not null references customers, total numeric(12, 2) not null,
  weight float8, paid bool not null default false, placed timestamp not null default now(), tags text[]);
create table lines (order_id bigint, place int, what text, primary key (order_id, place));
create table elsewhere (id int primary key, note text);
"""
SEED = """
insert into customers select n, 'customer ' || n, 'c' || n || '@example.org',
  '2024-01-01'::timestamptz + n * interval '1 hour' from generate_series(1, 50) n;
insert into orders select n, n % 50 + 1, n * 1.25, n / 3.0, n % 2 = 0,
  '2024-01-01'::timestamp + n * interval '1 minute', array['t' || n % 3] from generate_series(1, 300) n;
insert into lines select n, p, 'thing ' || n || '.' || p from generate_series(1, 100) n, generate_series(1, 2) p;
"""
TABLES = ("customers", "orders", "lines")
QUIET_SECONDS = 120.0


class ShadowRig:
    """One database; every table of TABLES has a rule."""

    def __init__(
        self, source: PostgresServer, database: str, store: str, zygote: Zygote, directory: Path
    ) -> None:
        self.source = source
        self.database = database
        self.store = store
        self.client: MongoClient[dict[str, Any]] = MongoClient(store)
        self.proxies: list[MirrorProxy] = []
        self._zygote = zygote
        self._directory = directory
        self._rules = directory / "rules.yaml"
        self.rule()

    def rule(
        self, tables: dict[str, dict[str, Any]] | None = None, *, force: bool = True, **shadow: Any
    ) -> None:
        """Writes the rules: what all tables say under `shadow`, and what single ones do."""
        rules = {
            "database": self.database,
            "defaults": {"phase": "dark_read", "shadow": {"sample": "100%", **shadow}},
            "tables": {name: {"force": force, **(tables or {}).get(name, {})} for name in TABLES},
        }
        self._rules.write_text(yaml.safe_dump(rules), encoding="utf-8")

    async def start(self, count: int = 1, **settings: Any) -> list[MirrorProxy]:
        """So many proxies in `dark_read`; the seed is written through the first."""
        for number in range(count):
            spool = self._directory / f"spool-{number}"
            spool.mkdir()
            told = settings_for_mirroring(
                upstream=(self.source.host, self.source.port),
                control_dsn=self.source.dsn(self.database),
                store=self.store,
                rules=self._rules,
                spool=spool,
                port=free_port(),
                admin=free_port(),
            )
            proxy = MirrorProxy(
                self._zygote, told | settings, self.database, self._directory / f"proxy-{number}.log"
            )
            self.proxies.append(proxy)
        await asyncio.gather(*(proxy.start() for proxy in self.proxies))
        await asyncio.gather(*(self.dark(proxy) for proxy in self.proxies))
        with self.connect() as connection:
            for statement in SEED.split(";"):
                if statement.strip():
                    connection.execute(statement.encode())
        await self.quiet()
        return self.proxies

    async def dark(self, proxy: MirrorProxy) -> None:
        found: dict[str, str] = {}

        async def holds() -> bool:
            try:
                status = await proxy.status()
            except AdminUnreachable:
                return False
            found.clear()
            found.update({one.table: f"{one.effective.value}: {one.reasons}" for one in status.tables})
            shadow = status.shadow
            up = shadow is not None and shadow.up
            return up and all(found.get(f"public.{name}", "").startswith("dark_read") for name in TABLES)

        await eventually(holds, lambda: f"not in dark_read: {found}\n{proxy.tail()}")

    def connect(self, proxy: int = 0, **more: Any) -> psycopg.Connection[Any]:
        """A client of a proxy."""
        address = self.proxies[proxy].address
        return psycopg.connect(
            host=address.host,
            port=address.port,
            dbname=self.database,
            user=address.user,
            autocommit=True,
            **more,
        )

    async def quiet(self) -> None:
        """Waits until the mirror has everything and no sampled read is under way."""
        deadline = time.monotonic() + QUIET_SECONDS
        while True:
            left: list[int] = []
            for proxy in self.proxies:
                status = await proxy.status()
                left += [one.mirror.queued for one in status.tables if one.mirror is not None]
                left += [] if status.shadow is None else [status.shadow.waiting]
            if not any(left):
                return
            if time.monotonic() > deadline:
                told = "\n".join(proxy.tail() for proxy in self.proxies)
                raise AssertionError(f"it does not become quiet: {left}\n{told}")
            await asyncio.sleep(0.05)

    async def shadow(self, proxy: int = 0) -> ShadowStatus:
        status: Status = await self.proxies[proxy].status()
        assert status.shadow is not None
        return status.shadow

    async def outcomes(self, proxy: int = 0) -> Counter[str]:
        """By statement: one of several tables counts once."""
        found: Counter[str] = Counter()
        for one in (await self.shadow(proxy)).statements:
            found.update(one.outcomes)
        return found

    def ledger(self) -> list[dict[str, Any]]:
        found = self.client["_causeway"]["mismatches"].find({"value.database": self.database})
        return [document["value"] for document in found]

    def collection(self, name: str) -> Any:
        return self.client[self.database][name]

    async def close(self) -> None:
        for proxy in self.proxies:
            await proxy.stop()
        self.client.close()

    def forget(self) -> None:
        """What an earlier test has left in the store."""
        self.client.drop_database(self.database)
        for kind in ("mismatches", "gaps"):
            self.client["_causeway"][kind].delete_many({})


Kind = TypeVar("Kind", bound=ShadowRig)


@asynccontextmanager
async def shop_rig(
    kind: type[Kind], source: PostgresServer, database: str, store: str, zygote: Zygote, directory: Path
) -> AsyncIterator[Kind]:
    """A rig without proxies, around a new database of this name with the shop's empty tables."""
    forget_fleet(store)
    with source.database(database) as name:
        with psycopg.connect(source.dsn(name), autocommit=True) as connection:
            connection.execute(SHOP)
        made = kind(source, name, store, zygote, directory)
        made.forget()
        yield made
        await made.close()
