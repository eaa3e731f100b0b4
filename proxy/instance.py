"""One proxy process put together: rules, server, and what the admin interface is told of them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from proxy.addresses import Address
from proxy.admin.counters import Counters, Snapshot
from proxy.config import Settings
from proxy.limit import ConnectionLimit
from proxy.logs import get_logger
from proxy.reload import RuleBook, RuleWatcher
from proxy.rules import RulesError, load_rules
from proxy.server import AskSiblings, ProxyServer

log = get_logger(__name__)


class StartError(Exception):
    """The proxy cannot start; the text says what is wrong and where."""


class Instance:
    """The rules, the server and the background tasks of one process."""

    def __init__(
        self,
        settings: Settings,
        *,
        index: int = 0,
        limit: ConnectionLimit | None = None,
        sockets: Sequence[socket.socket] = (),
        ask_siblings: AskSiblings | None = None,
    ) -> None:
        self.settings = settings
        self.index = index
        self.counters = Counters()
        self.started_at = datetime.now(UTC)
        self._limit = limit
        self._sockets = sockets
        self._ask_siblings = ask_siblings
        self._server: ProxyServer | None = None
        self._watcher: RuleWatcher | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.book = RuleBook()

    @property
    def server(self) -> ProxyServer:
        """The server, from `start` on."""
        if self._server is None:
            raise RuntimeError("the instance was not started")
        return self._server

    @property
    def addresses(self) -> list[Address]:
        """Where clients connect."""
        return self.server.addresses

    async def start(self) -> None:
        """Loads the rules and listens. Raises StartError.

        Bad rules keep a proxy from starting: one that began without them would not mirror what an earlier one had
        promised to.
        """
        loop = asyncio.get_running_loop()
        try:
            if self.settings.rules is not None:
                self.book = RuleBook(await asyncio.to_thread(load_rules, self.settings.rules))
            self._server = ProxyServer(
                self.settings,
                self.counters,
                limit=self._limit,
                sockets=self._sockets,
                ask_siblings=self._ask_siblings,
            )
            await self._server.start()
        except (RulesError, OSError) as error:
            raise StartError(str(error)) from error
        if self.settings.rules is not None:
            self._watcher = RuleWatcher(self.book, self.settings.rules, self.counters)
            self._tasks.append(loop.create_task(self._watcher.run(), name="rules"))

    async def reload(self) -> None:
        """Loads the rules again, changed or not: SIGHUP."""
        if self._watcher is not None:
            await self._watcher.reload()

    async def drain(self, *, immediate: bool = False) -> None:
        """Ends every connection, transactions first, and then the background tasks."""
        server = self.server
        if server.state == "running":
            log.info("draining", worker=self.index, connections=server.status()["connections"]["client"])
        await server.drain(immediate=immediate)
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def snapshot(self) -> Snapshot:
        """The counters of this process."""
        return self.counters.snapshot()

    def status(self) -> dict[str, Any]:
        """What this process is doing."""
        return {
            "pid": os.getpid(),
            "worker": self.index,
            "started_at": self.started_at.isoformat(),
            **self.server.status(),
        }
