"""Which PostgreSQL server a proxy is in front of: proxies of several servers may keep their documents in one store."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable

import asyncpg

from proxy.catalog.limits import CatalogueLimits
from proxy.catalog.model import Snapshot
from proxy.catalog.server import SourceServer, read_server
from proxy.logs import get_logger

log = get_logger(__name__)

ASK_EVERY = 10.0
"""Seconds between two questions while the server has not told."""


class Identity:
    """The system identifier of the source, as its catalogue has it, or else as the server says when it is asked."""

    def __init__(
        self,
        dsn: str,
        limits: CatalogueLimits,
        snapshots: Callable[[], Iterable[Snapshot]],
        *,
        ask: Callable[[str, CatalogueLimits], Awaitable[SourceServer]] = read_server,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`dsn` may be empty: then nobody is asked. `snapshots` of the databases that are known."""
        self._dsn = dsn
        self._limits = limits
        self._snapshots = snapshots
        self._ask = ask
        self._clock = clock
        self._asked = float("-inf")
        self._told = ""

    @property
    def system(self) -> str:
        """Empty while it is not known."""
        return next((one.system_identifier for one in self._snapshots()), self._told)

    async def learn(self) -> None:
        """Asks, unless it is known or was asked just now. A server that does not answer is asked again later."""
        if self.system or not self._dsn or self._clock() - self._asked < ASK_EVERY:
            return
        self._asked = self._clock()
        try:
            self._told = (await self._ask(self._dsn, self._limits)).system
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.debug("source_not_identified", reason=type(error).__name__)
