"""`causeway run`: start, signals, the end."""

from __future__ import annotations

import asyncio
import signal

import uvloop

from proxy.config import Settings
from proxy.instance import Instance, StartError
from proxy.logs import configure, get_logger

log = get_logger(__name__)

EXIT_OK = 0
EXIT_FAILED = 1


def run(settings: Settings) -> int:
    """Runs the proxy until a signal ends it; the exit code."""
    configure(settings.log_format, settings.log_level, repeats=settings.log_repeats)
    return uvloop.run(_run(settings))


async def _run(settings: Settings) -> int:
    instance = Instance(settings)
    try:
        await instance.start()
    except StartError as error:
        log.error("start_failed", error=str(error))
        return EXIT_FAILED
    return await serve(instance)


async def serve(instance: Instance) -> int:
    """Serves until SIGTERM or SIGINT, then drains; a second signal does not wait. SIGHUP reloads the rules."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    def ask_to_stop() -> None:
        if stop.is_set():
            task = loop.create_task(instance.drain(immediate=True))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        stop.set()

    def ask_to_reload() -> None:
        task = loop.create_task(instance.reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGTERM, ask_to_stop)
    loop.add_signal_handler(signal.SIGINT, ask_to_stop)
    loop.add_signal_handler(signal.SIGHUP, ask_to_reload)
    await stop.wait()
    await instance.drain()
    return EXIT_OK
