"""The entry point of one worker process; started by `proxy.workers` only, never by hand."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys

import uvloop

from proxy.limit import SharedLimit
from proxy.logs import get_logger
from proxy.workers import Assignment

log = get_logger(__name__)


def main() -> int:
    """Reads the assignment from standard input and serves until told to stop or until the supervisor is gone."""
    # Ctrl-C reaches the whole process group; the supervisor decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assignment = Assignment.from_json(sys.stdin.readline())
    return uvloop.run(_serve(assignment))


async def _serve(assignment: Assignment) -> int:
    from proxy.run import StartError, WorkerInstance, configure_logs, serve

    configure_logs(assignment.settings)
    limit = SharedLimit(
        assignment.settings.max_connections, assignment.count, assignment.index, assignment.limit_fd
    )
    sockets = [socket.socket(fileno=fd) for fd in assignment.unix_fds]
    instance = WorkerInstance(assignment, limit=limit, sockets=sockets)
    try:
        await instance.start()
    except StartError as error:
        log.error("worker_start_failed", worker=assignment.index, error=str(error))
        return 1
    os.write(assignment.ready_fd, b"ready\n")
    os.close(assignment.ready_fd)
    return await serve(instance, orphaned=_orphaned())


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
