"""The least a proxy on this event loop can do: every chunk is written to the other side, and nobody looks.

What Causeway needs beyond it is Causeway's; what this needs beyond PgBouncer is the event loop's and Python's.
Run as `python -m bench.bare_relay HOST PORT`; prints the port it listens on.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import cast

import uvloop


class _Side(asyncio.Protocol):
    """One side; what comes before the other is there is kept."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None
        self._early: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self._early.append(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()

    def join(self, other: _Side) -> None:
        """From here on what comes in on this side goes out on the other."""
        if self.transport is not None and other.transport is not None:
            self.other = other
            self.data_received = other.transport.write  # type: ignore[method-assign]
            self.transport.set_protocol(self)
            other.transport.writelines(self._early)


class _Client(_Side):
    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self._upstream = (host, port)
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        _, server = await asyncio.get_running_loop().create_connection(_Side, *self._upstream)
        self.join(server)
        server.join(self)


async def _serve(host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Client(host, port), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1], int(sys.argv[2])))
