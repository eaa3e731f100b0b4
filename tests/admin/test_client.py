"""Asking a proxy for its status, and the answers of those that are none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.addresses import Address, TcpAddress, UnixAddress
from proxy.admin.client import AdminUnreachable, fetch_status
from proxy.admin.http import AdminServer
from tests.admin.sources import FixedSource


@pytest.mark.parametrize("kind", ["tcp", "unix"])
async def test_the_status_arrives_as_it_was_sent(kind: str, tmp_path: Path) -> None:
    source = FixedSource()
    address: Address = UnixAddress(f"{tmp_path}/a.sock") if kind == "unix" else TcpAddress("127.0.0.1", 0)
    server = AdminServer(address, source)
    await server.start()
    try:
        assert await asyncio.to_thread(fetch_status, server.address) == source.shown
    finally:
        await server.stop()


async def test_every_interface_is_asked_on_loopback() -> None:
    source = FixedSource()
    server = AdminServer(TcpAddress("127.0.0.1", 0), source)
    await server.start()
    try:
        assert isinstance(server.address, TcpAddress)
        asked = TcpAddress("0.0.0.0", server.address.port)
        assert await asyncio.to_thread(fetch_status, asked) == source.shown
    finally:
        await server.stop()


@pytest.fixture
async def answering(request: pytest.FixtureRequest) -> AsyncIterator[TcpAddress]:
    """Something that answers the parameter to everything; None: nothing at all."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if request.param is None:
            await reader.read()
        else:
            writer.write(request.param)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield TcpAddress("127.0.0.1", server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("answering", "says"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "HTTP 503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "not the status of a Causeway proxy"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "not the status of a Causeway proxy"),
        (b"E\x00\x00\x00\x05x", "x"),
        (b"", "closed connection|without response"),
        (None, "timed out"),
    ],
    indirect=["answering"],
)
async def test_other_answers_are_explained(answering: TcpAddress, says: str) -> None:
    with pytest.raises(AdminUnreachable, match=says) as caught:
        await asyncio.to_thread(fetch_status, answering, timeout=0.3)
    assert str(answering) in str(caught.value)


def test_nobody_there() -> None:
    with pytest.raises(AdminUnreachable, match="Connection refused"):
        fetch_status(TcpAddress("127.0.0.1", 1))
    with pytest.raises(AdminUnreachable, match="No such file"):
        fetch_status(UnixAddress("/nonexistent.sock"))
