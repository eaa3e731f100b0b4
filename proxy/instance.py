"""One proxy process put together: rules, server, and what the admin interface is told of them."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from proxy.addresses import Address
from proxy.admin.counters import Counters
from proxy.admin.loop_lag import measure_loop_lag
from proxy.admin.process import read_usage
from proxy.admin.status import ProcessReport, report
from proxy.config import Settings
from proxy.limit import ConnectionLimit
from proxy.logs import configure, get_logger
from proxy.reload import RuleBook, RuleWatcher
from proxy.rules import RulesError, load_rules
from proxy.server import AskSiblings, ProxyServer
from proxy.session.capturing import Capturing

if TYPE_CHECKING:
    from proxy.mirroring import Mirroring

log = get_logger(__name__)


RESTART_PAUSE = 5.0
"""Seconds before a background task that failed is started again."""


def configure_logs(settings: Settings, counters: Counters) -> None:
    """Logs as the settings say; lines that `log_repeats` leaves out are counted."""

    def left_out() -> None:
        counters.limits_reached["log_repeats"] += 1

    configure(settings.log_format, settings.log_level, repeats=settings.log_repeats, on_left_out=left_out)


OTHER_FILES = 64
"""Descriptors a process needs beside those of its connections."""


def raise_open_files(settings: Settings) -> None:
    """Takes as many file descriptors as the system allows; a connection needs two, one for each leg."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    needed = 2 * settings.max_connections + OTHER_FILES
    if hard < needed:
        log.warning("too_few_open_files", limit=hard, needed=needed, hint="raise RLIMIT_NOFILE (ulimit -n)")


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
        configure_logs(settings, self.counters)
        self._limit = limit
        self._sockets = sockets
        self._ask_siblings = ask_siblings
        self._server: ProxyServer | None = None
        self._watcher: RuleWatcher | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.book = RuleBook()
        self.mirroring: Mirroring | None = None
        """Where a document store is given."""
        self._ending = False
        self._hurry = asyncio.Event()

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
        raise_open_files(self.settings)
        try:
            if self.settings.rules is not None:
                self.book = RuleBook(
                    await asyncio.to_thread(
                        load_rules, self.settings.rules, max_size=self.settings.max_rules_size
                    )
                )
            capturing = await self._start_mirroring()
            self._server = ProxyServer(
                self.settings,
                self.counters,
                limit=self._limit,
                sockets=self._sockets,
                ask_siblings=self._ask_siblings,
                capturing=capturing,
            )
            await self._server.start()
        except (RulesError, OSError) as error:
            raise StartError(str(error)) from error
        self._run("loop lag", lambda: measure_loop_lag(self.counters))
        if self.settings.rules is not None:
            self._watcher = RuleWatcher(
                self.book, self.settings.rules, self.counters, max_size=self.settings.max_rules_size
            )
            self._run("rules", self._watcher.run)

    async def _start_mirroring(self) -> Capturing | None:
        """What writes are captured with; None without a store, and then nothing of it is loaded."""
        if self.settings.store is None or self.settings.rules is None:
            return None
        from proxy.mirroring import Mirroring, MirroringError

        try:
            self.mirroring = Mirroring(
                self.settings,
                self.counters,
                self.book,
                index=self.index,
                changed=self._capture_changed,
                live=self._live_databases,
            )
            await self.mirroring.start(self._run)
        except MirroringError as error:
            raise StartError(str(error)) from error
        return self.mirroring.capturing

    def _live_databases(self) -> set[str]:
        return set() if self._server is None else self._server.databases()

    def _capture_changed(self) -> None:
        if self._server is not None:
            self._server.consider_capture()

    def _run(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Keeps a background task running: one that fails is logged, counted and started again."""

        async def kept() -> None:
            while True:
                try:
                    await work()
                except Exception as error:
                    self.counters.background_failures[name] += 1
                    log.exception("background_task_failed", error, task=name, restart_in=RESTART_PAUSE)
                    await asyncio.sleep(RESTART_PAUSE)

        self._tasks.append(asyncio.get_running_loop().create_task(kept(), name=name))

    async def reload(self) -> None:
        """Loads the rules again, changed or not: SIGHUP."""
        if self._watcher is not None:
            await self._watcher.reload()

    async def drain(self, *, immediate: bool = False) -> None:
        """Ends every connection, transactions first, and then the background tasks."""
        server = self.server
        if server.state == "running":
            log.info("draining", worker=self.index, connections=server.status()["connections"]["client"])
        if immediate:
            self._hurry.set()
        await server.drain(immediate=immediate)
        if self._ending:
            return  # the drain that came first ends the rest
        self._ending = True
        mirroring = self.mirroring
        if mirroring is not None:
            await self._drain_mirror(mirroring)
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if mirroring is not None:
            await mirroring.stop()
            self.mirroring = None

    async def _drain_mirror(self, mirroring: Mirroring) -> None:
        """Waits for the store, unless there is no time for that any more."""
        loop = asyncio.get_running_loop()
        drained = loop.create_task(mirroring.drain(self.settings.drain_timeout), name="mirror drain")
        hurried = loop.create_task(self._hurry.wait(), name="hurry")
        await asyncio.wait({drained, hurried}, return_when=asyncio.FIRST_COMPLETED)
        for task in (drained, hurried):
            task.cancel()
        await asyncio.gather(drained, hurried, return_exceptions=True)

    def report(self) -> ProcessReport:
        """What this process is doing."""
        return report(
            self.server.status(),
            self.book,
            read_usage(),
            worker=self.index,
            pid=os.getpid(),
            started_at=self.started_at,
            rules_source=None if self.settings.rules is None else str(self.settings.rules),
            loop_lag=(self.counters.loop_lag_seconds, self.counters.loop_lag_max),
            mirror=None if self.mirroring is None else self.mirroring.report(),
        )
