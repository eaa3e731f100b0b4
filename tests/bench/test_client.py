"""The lean client against a server that says what it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.client import Client, bind_execute, message, parse, query, startup
from bench.contenders import Contender
from bench.errors import BenchError

READY = message(b"Z", b"I")
LOGIN = message(b"R", b"\0\0\0\0") + READY
REFUSED = message(b"E", b"SERROR\0C42601\0Msyntax error\0\0")


@contextmanager
def server(*answers: bytes) -> Iterator[Contender]:
    """Each answer follows one read; then it closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                for answer in answers:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Contender("fake", "127.0.0.1", listener.getsockname()[1])
        finally:
            thread.join(10)
            assert not thread.is_alive()


def test_messages_are_those_of_the_protocol() -> None:
    assert query("SELECT 1") == b"Q\0\0\0\x0dSELECT 1\0"
    assert startup("u", "d") == b"\0\0\0\x1b\0\x03\0\0user\0u\0database\0d\0\0"
    assert parse("s", "SELECT $1") == b"P\0\0\0\x12s\0SELECT $1\0\0\0"
    assert bind_execute("s", "7").startswith(b"B\0\0\0\x12\0s\0\0\0\0\x01\0\0\0\x017\0\0D")
    assert bind_execute("s").endswith(b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04")


def test_answers_are_taken_to_their_end() -> None:
    with server(LOGIN, message(b"D", b"row") + READY, READY) as fake, Client(fake) as client:
        client.ask(query("SELECT 1"))
        client.exchange(query("SELECT 1"))


def test_an_error_of_the_server_is_shown() -> None:
    with server(LOGIN, REFUSED) as fake, Client(fake) as client:
        with pytest.raises(BenchError, match="42601 syntax error"):
            client.ask(query("nonsense"))


def test_a_closed_connection_is_an_error() -> None:
    with server(LOGIN) as fake, Client(fake) as client:
        with pytest.raises((BenchError, ConnectionError), match=r"closed|reset"):
            client.exchange(query("SELECT 1"))
