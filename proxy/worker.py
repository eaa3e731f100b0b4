"""The entry point of one worker process; started by `proxy.workers` only, never by hand."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any

import uvloop

from proxy.collector import calm_collector
from proxy.control import ControlServer
from proxy.instance import Instance, StartError
from proxy.limit import SharedLimit
from proxy.logs import get_logger
from proxy.run import EXIT_FAILED, EXIT_OK, serve
from proxy.wire.startup import MAX_CANCEL_PACKET, CancelRequest, read_packet
from proxy.workers import Assignment, ask_siblings

log = get_logger("proxy.worker")


def main() -> int:
    """Reads the assignment from standard input and serves until told to stop or until the supervisor is gone."""
    # Ctrl-C reaches the whole process group; the supervisor decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return uvloop.run(_serve(Assignment.from_json(sys.stdin.readline())))


async def _serve(assignment: Assignment) -> int:
    settings = assignment.settings
    instance = Instance(
        settings,
        index=assignment.index,
        limit=SharedLimit(settings.max_connections, assignment.count, assignment.index, assignment.limit_fd),
        sockets=[socket.socket(fileno=fd) for fd in assignment.unix_fds],
        ask_siblings=ask_siblings(assignment),
    )
    path = assignment.control_path(assignment.index)
    path.unlink(missing_ok=True)  # of a predecessor that was killed
    control = ControlServer(path, _handlers(instance))
    try:
        await control.start()
        await instance.start()
    except (StartError, OSError) as error:
        log.error("worker_start_failed", worker=assignment.index, error=str(error))
        await control.stop()
        return EXIT_FAILED

    def ready() -> None:
        os.write(assignment.ready_fd, b"ready\n")
        os.close(assignment.ready_fd)

    calm_collector()
    await serve(instance, until=_orphaned(), ready=ready)
    await control.stop()
    return EXIT_OK


def _handlers(instance: Instance) -> dict[str, Any]:
    """What the supervisor and the siblings may ask."""

    async def counters(request: Mapping[str, Any]) -> Any:
        return instance.counters.snapshot()

    async def report(request: Mapping[str, Any]) -> Any:
        return instance.report().model_dump(mode="json")

    async def cancel(request: Mapping[str, Any]) -> bool:
        read = read_packet(bytes.fromhex(request["packet"]), MAX_CANCEL_PACKET)
        if read is None or not isinstance(read[0], CancelRequest):
            raise ValueError("not a cancel request")
        return await instance.server.cancel_here(read[0])

    return {"counters": counters, "report": report, "cancel": cancel}


async def _orphaned() -> None:
    """Returns when the supervisor has gone: its end of our standard input is closed."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()

    def readable() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            gone.set()

    loop.add_reader(0, readable)
    await gone.wait()


if __name__ == "__main__":
    sys.exit(main())
