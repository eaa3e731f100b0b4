"""Stands between an application and the proxy, and writes down the reads that pass, with their parameters.

The application says what class its next statements are of: `SET application_name = 'class 4'`.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple

_LABEL = re.compile(r"SET application_name = 'class (\d+)'")
_READ = re.compile(r"\s*\(*\s*(?:SELECT|WITH|VALUES)\b", re.IGNORECASE)


class Sent(NamedTuple):
    """A read as it came."""

    group: str
    sql: str
    types: tuple[int, ...] = ()
    """As in the Parse message."""
    parameters: tuple[bytes | None, ...] = ()
    formats: tuple[int, ...] = ()
    """One for each parameter."""


class Messages:
    """What one application sends, without TLS, cut into messages."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self._buffer = b""
        self._started = False
        self._group = ""
        self._statements: dict[bytes, tuple[str, tuple[int, ...]]] = {}

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head = 0 if not self._started else 1
            if len(self._buffer) < head + 4:
                return
            (length,) = struct.unpack_from("!i", self._buffer, head)
            if len(self._buffer) < head + length:
                return
            kind, body = self._buffer[:head], self._buffer[head + 4 : head + length]
            self._buffer = self._buffer[head + length :]
            self._started = True
            self._message(kind, body)

    def _message(self, kind: bytes, body: bytes) -> None:
        if kind == b"Q":
            self._ran(body[:-1].decode(), (), (), ())
        elif kind == b"P":
            name, text, rest = body.split(b"\0", 2)
            types = struct.unpack_from(f"!{len(rest) // 4}I", rest, 2)
            self._statements[name] = text.decode(), types
        elif kind == b"B":
            _, name, rest = body.split(b"\0", 2)
            sql, given = self._statements[name]
            self._ran(sql, given, *_bound(rest))

    def _ran(
        self,
        text: str,
        types: tuple[int, ...],
        parameters: tuple[bytes | None, ...],
        formats: tuple[int, ...],
    ) -> None:
        label = _LABEL.match(text)
        if label is not None:
            self._group = label[1]
        elif self._group and _READ.match(text) and "pg_catalog" not in text:
            self.sent.append(Sent(self._group, text.rstrip("; "), types, parameters, formats))


def _bound(rest: bytes) -> tuple[tuple[bytes | None, ...], tuple[int, ...]]:
    (count,) = struct.unpack_from("!h", rest)
    formats = struct.unpack_from(f"!{count}h", rest, 2)
    place = 2 + 2 * count
    (number,) = struct.unpack_from("!h", rest, place)
    place += 2
    parameters: list[bytes | None] = []
    for _ in range(number):
        (length,) = struct.unpack_from("!i", rest, place)
        place += 4
        parameters.append(None if length < 0 else rest[place : place + length])
        place += max(length, 0)
    every = {0: (0,) * number, 1: formats * number}.get(count, formats)
    return tuple(parameters), every


class Relay:
    """Listens on `port`, and passes on to another address."""

    def __init__(self, host: str, port: int) -> None:
        self._onward = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._connections: list[Messages] = []
        self._sockets: list[socket.socket] = [self._listening]
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    @property
    def sent(self) -> list[Sent]:
        """In order; what was sent again is there once."""
        return list(dict.fromkeys(one for connection in self._connections for one in connection.sent))

    def __enter__(self) -> Relay:
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._accepting.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._onward)
            self._sockets += [client, server]
            messages = Messages()
            self._connections.append(messages)
            for one, other, told in ((client, server, messages), (server, client, None)):
                threading.Thread(target=_pump, args=(one, other, told), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket, told: Messages | None) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if told is not None:
                told.feed(data)
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
