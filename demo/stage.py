"""What is on stage: the databases, the proxy with its rule file, and what can be asked of them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg

from demo import rule_edits
from demo.causeway import Causeway
from demo.databases import databases
from demo.documents import FAILURES, Documents
from demo.errors import DemoError
from demo.rule_edits import Edit, changed_lines
from demo.state import State, Waiting
from demo.view import log_line
from devstack.paths import new_instance_dir
from devstack.stack import Stack
from proxy.admin.status import Status

PASSWORD = "secret"
USER = "causeway_scram"
CONTROL_USER = "causeway_reader"
"""The proxy's own: it may read, no more."""
DATABASE = "shop"
"""Of the shop; its documents are in a database of the same name."""

_SAMPLE_SECONDS = 0.5
_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 10.0


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


class Stage:
    """What runs behind the applications; keeps `state` up to date with the proxy. `exit` ends it all."""

    databases: Stack
    proxy: Causeway

    def __init__(self, state: State) -> None:
        self.state = state
        self.exit = AsyncExitStack()
        self._rules: Path
        self._sampling: asyncio.Task[None] | None = None

    async def start_databases(self) -> None:
        self.databases = await self.exit.enter_async_context(databases())

    async def start_proxy(self) -> None:
        postgres = self.databases.postgres
        directory = new_instance_dir("demo")
        self._rules = directory / "rules" / rule_edits.FILE_NAME
        self._rules.parent.mkdir()
        self.write_rules(rule_edits.START)
        self.proxy = Causeway(
            upstream=f"postgresql://{postgres.host}:{postgres.port}/?sslmode=disable",
            control=postgres.dsn(DATABASE, CONTROL_USER),
            store=self.databases.document_store.uri,
            rules=self._rules.parent,
            directory=directory,
        )
        self.exit.push_async_callback(self.proxy.close)
        await self.proxy.start()
        await self.sample()
        self._sampling = asyncio.create_task(self._keep_sampling())
        self.exit.callback(self.stop_sampling)

    def through(self, database: str, user: str = "postgres", password: str | None = None) -> str:
        """A DSN by way of the proxy."""
        return self.databases.postgres.dsn(
            database, user, password, host=self.proxy.host, port=self.proxy.port
        )

    def direct(self, database: str) -> str:
        return self.databases.postgres.dsn(database, USER, PASSWORD, sslmode="disable")

    def write_rules(self, edit: Edit) -> None:
        """Beside it and then into its place, as editors do: no half file can be read."""
        scratch = self._rules.with_name(f".{self._rules.name}.new")
        scratch.write_text(edit.text, encoding="utf-8")
        os.replace(scratch, self._rules)
        self.state.rules_changed = (
            changed_lines(self.state.rule_file, edit.text) if self.state.rule_file else frozenset()
        )
        self.state.rule_file = edit.text

    async def sample(self) -> Status:
        """Ask the proxy how it is, for the state and for the caller."""
        self.state.add(await self.proxy.reading())
        status = await self.proxy.status()
        self.state.status = status
        self.state.wait(Waiting.of(status, time.monotonic()))
        self.read_log()
        return status

    async def _keep_sampling(self) -> None:
        while True:
            try:
                await self.sample()
            except (aiohttp.ClientError, TimeoutError):
                pass  # the step that asks next says so
            await asyncio.sleep(_SAMPLE_SECONDS)

    def stop_sampling(self) -> None:
        if self._sampling is not None:
            self._sampling.cancel()

    def count_documents(self, documents: Documents, collections: Sequence[str]) -> None:
        """From now on, for the state; what was counted last stays while the store is away."""

        async def keep_counting() -> None:
            while True:
                try:
                    self.state.documents = await documents.counts(collections)
                except FAILURES:
                    pass  # the picture says that the store is away
                await asyncio.sleep(_SAMPLE_SECONDS)

        counting = asyncio.create_task(keep_counting())
        self.exit.callback(counting.cancel)

    def read_log(self) -> None:
        self.proxy.look()
        self.state.events = [log_line(event) for event in self.proxy.events]

    async def logged(self, event: str, since: int) -> None:
        """Until the proxy has logged this event, after the first `since` ones."""

        def found() -> bool:
            self.proxy.look()
            return any(one.get("event") == event for one in self.proxy.events[since:])

        await self.until(found, f"the proxy does not log {event}", sample=False)

    async def until(
        self,
        condition: Callable[[], bool],
        complaint: str | Callable[[], str],
        *,
        sample: bool = True,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        """Raises DemoError after `patience` seconds."""
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                raise DemoError(complaint if isinstance(complaint, str) else complaint())
            await asyncio.sleep(_LOOK_SECONDS)
            if sample:
                await self.sample()

    def statements(self) -> float:
        """Passed through the proxy so far."""
        last = self.state.last
        return last.statements_total if last else 0

    def connections(self) -> float:
        """Open on both sides of the proxy."""
        last = self.state.last
        return last.clients + last.servers if last else 0

    async def active(self, application: str) -> bool:
        """Whether a statement of this application runs, as PostgreSQL itself sees it."""
        async with connected(self.databases.postgres.dsn()) as connection:
            found: bool = await connection.fetchval(
                "select exists (select from pg_stat_activity where application_name = $1 and state = 'active')",
                application,
            )
            return found
