"""Listening sockets."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from proxy.addresses import TcpAddress, UnixAddress
from proxy.listening import listen_tcp, listen_unix


async def test_a_name_is_listened_on_at_every_address_with_one_port() -> None:
    sockets = await listen_tcp(TcpAddress("localhost", 0), shared=False)
    try:
        assert len({s.getsockname()[1] for s in sockets}) == 1
        assert {s.getsockname()[0] for s in sockets} <= {"127.0.0.1", "::1"}
    finally:
        for sock in sockets:
            sock.close()


async def test_an_address_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            await listen_tcp(TcpAddress("127.0.0.1", port), shared=False)


async def test_a_shared_port_can_be_joined() -> None:
    first = await listen_tcp(TcpAddress("127.0.0.1", 0), shared=True)
    second = await listen_tcp(TcpAddress("127.0.0.1", first[0].getsockname()[1]), shared=True)
    for sock in (*first, *second):
        sock.close()


async def test_an_unknown_name() -> None:
    with pytest.raises(OSError, match=r"cannot listen on nowhere\.invalid:1"):
        await listen_tcp(TcpAddress("nowhere.invalid", 1), shared=False)


def test_a_dead_unix_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / ".s.PGSQL.1"))
    listen_unix(address).close()
    assert os.path.exists(address.path)
    with listen_unix(address), pytest.raises(OSError, match="Address already in use"):
        listen_unix(address)


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(OSError, match=r"not a socket|File exists"):
        listen_unix(UnixAddress(str(path)))
    assert path.read_text() == "data"
