"""The first steps: databases, the proxy, and the applications in front of it."""

from __future__ import annotations

import asyncio
import time

from demo import shop
from demo.databases import describe
from demo.editing import effective_phases, holdings
from demo.figures import number
from demo.pgbench import Progress
from demo.rule_edits import START
from demo.scene import Scene
from demo.shop_process import ShopProcess
from demo.stage import CONTROL_USER, DATABASE, PASSWORD, USER, connected
from demo.state import Step

PROTOCOLS = ("simple", "prepared")

_SCRIPT = f"""
create database {DATABASE};
create database pgbench;
create role {CONTROL_USER} login in role pg_read_all_data;
"""


class Opening:
    """Each step gives what has come of it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def start_databases(self, step: Step) -> str:
        step.detail = "PostgreSQL and the document store start"
        stage, state = self._scene.stage, self._scene.state
        await stage.start_databases()
        postgres, store = stage.databases.postgres, stage.databases.document_store
        state.postgres = f"PostgreSQL {postgres.version}"
        state.store = await describe(store)
        documents = self._scene.documents
        stage.exit.push_async_callback(documents.close)
        await documents.claim()
        if store.kind == "external":
            stage.exit.push_async_callback(documents.clear)
        await asyncio.to_thread(postgres.psql, _SCRIPT)
        return f"PostgreSQL {postgres.version} on port {postgres.port}; {state.store}"

    async def start_proxy(self, step: Step) -> str:
        stage = self._scene.stage
        await stage.start_proxy()
        self._scene.state.proxy = stage.proxy.address
        stage.count_documents(self._scene.documents, shop.TABLES)
        return (
            f"in front of PostgreSQL on port {stage.proxy.port}, with the document store, a spool on disk, "
            "and a role that may read"
        )

    async def fill_pgbench(self, step: Step) -> str:
        accounts = f"{number(self._scene.pace.scale * 100_000)} accounts"

        def told(percent: int) -> None:
            step.detail = f"{percent} % of {accounts}, through the proxy"

        told(0)
        await self._scene.pgbench.fill(self._scene.pace.scale, told)
        return f"{accounts}, by COPY through the proxy; no rule names them, they stay in PostgreSQL"

    async def make_tables(self, step: Step) -> str:
        step.detail = "a migration, through the proxy"
        async with connected(self._scene.stage.through(DATABASE, USER, PASSWORD)) as connection:
            await shop.make_tables(connection)
        stage, state = self._scene.stage, self._scene.state
        await stage.until(
            lambda: effective_phases(state.status) == START.effective,
            f"the tables are not known: {holdings(state.status)}",
        )
        return f"{len(shop.TABLES)} tables, by a migration through the proxy; no statement is parsed yet"

    async def open_shop(self, step: Step) -> str:
        scene, state = self._scene, self._scene.state
        step.detail = "tables are filled through the proxy"
        scene.shop = await ShopProcess.start(
            scene.stage.through(DATABASE, USER, PASSWORD),
            clerks=scene.pace.clerks,
            think=scene.pace.think,
            on_report=lambda report: state.report(report, time.monotonic()),
        )
        scene.stage.exit.push_async_callback(scene.shop.close)
        await scene.shop.opened()
        scene.opened = time.monotonic()
        return (
            f"{number(shop.CUSTOMERS)} customers, {scene.pace.clerks} clerks on asyncpg; "
            "logged in with SCRAM-SHA-256 through the proxy"
        )

    async def load(self, step: Step) -> str:
        scene, state = self._scene, self._scene.state
        for protocol in PROTOCOLS:

            def told(progress: Progress, protocol: str = protocol) -> None:
                state.pgbench[protocol] = progress

            run = await scene.pgbench.start(protocol, scene.pace.pgbench_clients, scene.pace.load, told)
            scene.stage.exit.push_async_callback(run.close)
            scene.runs.append(run)
        clients = len(PROTOCOLS) * scene.pace.pgbench_clients
        step.detail = f"{scene.pace.clerks} clerks of the shop, {clients} clients of pgbench"
        await scene.watch(scene.pace.alone)
        await scene.stage.sample()
        return f"{number(state.traffic.statements_per_second)} statements/s"
