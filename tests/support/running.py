"""A proxy in this process, on an event loop in a thread of its own, so that blocking clients can be its clients."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

import psycopg
import uvloop

from devstack.postgres import PostgresServer
from proxy.addresses import TcpAddress, UnixAddress
from proxy.admin.counters import Counters
from proxy.config import Settings
from proxy.server import ProxyServer
from proxy.session.capturing import Capturing

T = TypeVar("T")

PATIENCE = 15.0

EVENT_LOOP = os.environ.get("CAUSEWAY_TEST_LOOP", "uvloop")
"""`uvloop`, as the proxy runs, or `asyncio`, to see that nothing rests on uvloop's own ways."""


class RunningProxy:
    """A ProxyServer that listens; at the end it must leave no connection, no task and no server connection."""

    def __init__(
        self,
        *,
        upstream: str,
        listen: str = "127.0.0.1:0",
        capturing: Capturing | None = None,
        **settings: Any,
    ) -> None:
        self._capturing = capturing
        defaults = {"drain_timeout": 5, "close_timeout": 1}
        self.settings = Settings.model_validate(
            {**defaults, "upstream": upstream, "listen": listen, **settings}
        )
        self.counters = Counters()
        self._loop = asyncio.new_event_loop() if EVENT_LOOP == "asyncio" else uvloop.new_event_loop()
        self.trouble: list[dict[str, Any]] = []
        """What the event loop's exception handler was told; nothing, if all is well."""
        self._loop.set_exception_handler(lambda loop, context: self.trouble.append(context))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.server: ProxyServer

    def call(self, work: Coroutine[Any, Any, T], timeout: float = PATIENCE) -> T:
        """Runs `work` on the proxy's loop and returns what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def start(self) -> RunningProxy:
        self._thread.start()

        async def start() -> None:
            self.server = ProxyServer(self.settings, self.counters, capturing=self._capturing)
            await self.server.start()

        self.call(start())
        return self

    @property
    def port(self) -> int:
        address = next(a for a in self.server.addresses if isinstance(a, TcpAddress))
        return address.port

    @property
    def socket(self) -> str:
        return next(a for a in self.server.addresses if isinstance(a, UnixAddress)).path

    def status(self) -> dict[str, Any]:
        async def status() -> dict[str, Any]:
            return self.server.status()

        return self.call(status())

    def drain(self, *, immediate: bool = False) -> None:
        self.call(self.server.drain(immediate=immediate))

    def leftovers(self) -> list[str]:
        """Tasks still there after a drain."""

        async def leftovers() -> list[str]:
            await asyncio.sleep(0)
            return [repr(t) for t in asyncio.all_tasks() if t is not asyncio.current_task()]

        return self.call(leftovers())

    def stop(self) -> None:
        self.drain()
        left = self.leftovers()
        open_connections = (self.counters.client_connections, self.counters.server_connections)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
        assert not left
        assert open_connections == (0, 0)
        assert not self.trouble

    def __enter__(self) -> RunningProxy:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def tcp(postgres: PostgresServer, **parameters: str) -> str:
    text = "&".join(f"{k}={v}" for k, v in {"sslmode": "disable", **parameters}.items())
    return f"postgresql://{postgres.host}:{postgres.port}/?{text}"


def connect(proxy: RunningProxy, **parameters: object) -> psycopg.Connection[tuple[object, ...]]:
    defaults: dict[str, object] = {
        "host": "127.0.0.1",
        "port": proxy.port,
        "user": "postgres",
        "dbname": "postgres",
    }
    return psycopg.connect(autocommit=True, **{**defaults, **parameters})  # type: ignore[arg-type]
