"""A whole proxy process' inside - rules, server, mirror - in this process, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

import psycopg
import uvloop

from proxy.addresses import TcpAddress
from proxy.admin.mirror import MirrorReport
from proxy.config import Settings
from proxy.instance import Instance

T = TypeVar("T")

PATIENCE = 30.0


class RunningInstance:
    """Drained at the end of the block, so that the store has everything by then."""

    def __init__(self, **settings: Any) -> None:
        defaults = {
            "listen": "127.0.0.1:0",
            "admin": "off",
            "drain_timeout": 10,
            "close_timeout": 1,
            "catalogue_interval": 0.2,
            "heartbeat_interval": 0.2,
            "retry_backoff_max": 0.5,
            "store_timeout": 3,
        }
        self.settings = Settings.model_validate({**defaults, **settings})
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.instance: Instance

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def __enter__(self) -> RunningInstance:
        self._thread.start()

        async def start() -> None:
            self.instance = Instance(self.settings)
            await self.instance.start()

        try:
            self.call(start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.drain()
        finally:
            self._end()

    def drain(self) -> None:
        """Ends every connection, waits for the store, ends everything."""
        self.call(self.instance.drain())

    def leftovers(self) -> list[str]:
        """Tasks still there after a drain."""

        async def leftovers() -> list[str]:
            await asyncio.sleep(0)
            return [repr(t) for t in asyncio.all_tasks() if t is not asyncio.current_task()]

        return self.call(leftovers())

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def report(self) -> MirrorReport:
        async def report() -> MirrorReport:
            assert self.instance.mirroring is not None
            return self.instance.mirroring.report()

        return self.call(report())

    def reload(self) -> None:
        self.call(self.instance.reload())

    @property
    def address(self) -> TcpAddress:
        return next(a for a in self.instance.addresses if isinstance(a, TcpAddress))

    @property
    def port(self) -> int:
        return self.address.port

    def connect(self, database: str, **parameters: Any) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=self.address.host,
            port=self.address.port,
            dbname=database,
            autocommit=True,
            **{"user": "postgres", **parameters},
        )
