"""`python -m devstack.gateway --dsn postgresql://… --port 27017`."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import logging
import signal
from collections.abc import Sequence

import uvloop

from devstack.gateway.backend import Backend
from devstack.gateway.commands import COMMANDS
from devstack.gateway.gateway import Gateway
from devstack.gateway.limits import Limits
from devstack.gateway.server import ClientConnection

log = logging.getLogger("devstack.gateway")


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m devstack.gateway", description=__doc__)
    parser.add_argument("--dsn", required=True, help="PostgreSQL with the extension documentdb")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=27017, help="0: any free port; it is logged")
    for item in dataclasses.fields(Limits):
        kind = type(item.default)
        flag = f"--{item.name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, default=item.default, help="default %(default)s")
    return parser.parse_args(argv)


async def serve(options: argparse.Namespace) -> None:
    """Until SIGTERM or SIGINT."""
    limits = Limits(**{item.name: getattr(options, item.name) for item in dataclasses.fields(Limits)})
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    backend = await Backend.open(options.dsn, limits)
    gateway = Gateway(backend, limits, COMMANDS)
    server = await loop.create_server(lambda: ClientConnection(gateway), options.host, options.port)
    expiry = loop.create_task(gateway.expire())
    expiry.add_done_callback(lambda task: None if task.cancelled() else stopped.set())
    host, port = server.sockets[0].getsockname()[:2]
    log.info("listening on %s:%d", host, port)
    try:
        await stopped.wait()
    finally:
        server.close()
        failed = expiry.done()
        expiry.cancel()
        await gateway.close()
    if failed:
        await expiry


def main(argv: Sequence[str] | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    uvloop.run(serve(arguments(argv)))


if __name__ == "__main__":
    main()
