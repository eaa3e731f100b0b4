"""`causeway run`: start, signals, the end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Protocol

import uvloop

from proxy.admin.counters import Counters
from proxy.admin.http import AdminServer, AdminSource
from proxy.collector import calm_collector
from proxy.config import Settings, limits
from proxy.instance import Instance, StartError, configure_logs
from proxy.logs import get_logger
from proxy.source import ProcessSource, WorkersSource
from proxy.workers import Supervisor

log = get_logger(__name__)

EXIT_OK = 0
EXIT_FAILED = 1


class Runnable(Protocol):
    """A proxy of one process or of several."""

    async def start(self) -> None:
        """Raises StartError."""

    async def reload(self) -> None: ...

    async def drain(self, *, immediate: bool = False) -> None: ...


def run(settings: Settings) -> int:
    """Runs the proxy until a signal ends it; the exit code."""
    return uvloop.run(_run(settings))


async def _run(settings: Settings) -> int:
    proxy: Instance | Supervisor
    source: AdminSource
    if settings.workers > 1:
        configure_logs(settings, Counters())  # the supervisor's own few lines
        proxy = Supervisor(settings)
        source = WorkersSource(proxy, settings.workers)
    else:
        proxy = Instance(settings)
        source = ProcessSource(proxy)
    admin = None if settings.admin is None else AdminServer(settings.admin, source, limits=limits(settings))
    try:
        await proxy.start()
        if admin is not None:
            await admin.start()
    except (StartError, OSError) as error:
        log.error("start_failed", error=str(error))
        if not isinstance(error, StartError):
            await proxy.drain(immediate=True)
        return EXIT_FAILED

    def started() -> None:
        log.info(
            "started",
            listen=[str(address) for address in proxy.addresses],
            upstream=[str(host) for host in settings.upstream.hosts],
            workers=settings.workers,
            admin=None if admin is None else str(admin.address),
        )

    calm_collector()
    await serve(proxy, ready=started)
    if admin is not None:
        await admin.stop()
    log.info("stopped")
    return EXIT_OK


async def serve(
    proxy: Runnable, *, until: Awaitable[None] | None = None, ready: Callable[[], None] = lambda: None
) -> None:
    """Serves until SIGTERM, SIGINT or the end of `until`, then drains; a second signal does not wait.

    SIGHUP reloads the rules. `ready` is called once signals mean what they should.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    def begin(work: Awaitable[None]) -> None:
        async def guarded() -> None:
            await work

        task = loop.create_task(guarded())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def ask_to_stop() -> None:
        if stop.is_set():
            begin(proxy.drain(immediate=True))
        stop.set()

    async def stop_after(awaited: Awaitable[None]) -> None:
        await awaited
        ask_to_stop()
        ask_to_stop()

    loop.add_signal_handler(signal.SIGTERM, ask_to_stop)
    loop.add_signal_handler(signal.SIGINT, ask_to_stop)
    loop.add_signal_handler(signal.SIGHUP, lambda: begin(proxy.reload()))
    if until is not None:
        begin(stop_after(until))
    ready()
    await stop.wait()
    await proxy.drain()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
