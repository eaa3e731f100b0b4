"""A lean client on a blocking socket: what it costs is the same for every contender and small."""

from __future__ import annotations

import socket
import struct
from types import TracebackType

from bench.contenders import Contender
from bench.errors import BenchError

_READY = ord("Z")
_ERROR = ord("E")
_COPY_RESPONSES = frozenset(b"GH")
_READ = 1 << 16
_TIMEOUT = 60.0


def message(kind: bytes, body: bytes) -> bytes:
    """A message of protocol 3 with its type."""
    return kind + struct.pack("!I", len(body) + 4) + body


def startup(user: str, database: str) -> bytes:
    """A StartupMessage of protocol 3.0."""
    body = struct.pack("!I", 196608)
    body += b"".join(
        name.encode() + b"\0" + value.encode() + b"\0"
        for name, value in (("user", user), ("database", database))
    )
    body += b"\0"
    return struct.pack("!I", len(body) + 4) + body


def query(sql: str) -> bytes:
    """A Query."""
    return message(b"Q", sql.encode() + b"\0")


def parse(statement: str, sql: str) -> bytes:
    """A Parse that leaves the parameters' types to the server."""
    return message(b"P", statement.encode() + b"\0" + sql.encode() + b"\0" + struct.pack("!H", 0))


def bind_execute(statement: str, *parameters: str) -> bytes:
    """What a driver sends to run a prepared statement: Bind, Describe, Execute, Sync; everything as text."""
    body = b"\0" + statement.encode() + b"\0" + struct.pack("!HH", 0, len(parameters))
    for value in parameters:
        body += struct.pack("!I", len(value.encode())) + value.encode()
    body += struct.pack("!H", 0)
    return (
        message(b"B", body)
        + message(b"D", b"P\0")
        + message(b"E", b"\0" + struct.pack("!I", 0))
        + message(b"S", b"")
    )


class Client:
    """One connection that trusts its server to let it in without a password."""

    def __init__(self, contender: Contender, database: str = "postgres", user: str = "postgres") -> None:
        self.socket = socket.create_connection((contender.host, contender.port), timeout=_TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(startup(user, database))
        self._rest = b""
        self.read_until(_READY)

    def ask(self, request: bytes) -> None:
        """Sends `request` and takes its answer up to ReadyForQuery. Raises BenchError where it is an error."""
        self.socket.sendall(request)
        self.read_until(_READY)

    def exchange(self, request: bytes) -> None:
        """As `ask` for a request known to succeed, at the least cost: only the last six bytes are looked at."""
        sock = self.socket
        sock.sendall(request)
        answer = sock.recv(_READ)
        while answer[-6:-1] != b"Z\0\0\0\x05":
            more = sock.recv(_READ)
            if not more:
                raise BenchError("the server closed the connection")
            answer += more

    def copy_response(self) -> None:
        """Waits for CopyInResponse or CopyOutResponse."""
        self.read_until(*_COPY_RESPONSES)

    def read_until(self, *kinds: int) -> None:
        """Takes messages up to the first of one of these types. Raises BenchError at an ErrorResponse."""
        while True:
            kind, body = self._message()
            if kind == _ERROR:
                raise BenchError(f"the server refused: {_text(body)}")
            if kind in kinds:
                return

    def close(self) -> None:
        self.socket.close()

    def _message(self) -> tuple[int, bytes]:
        while len(self._rest) < 5 or len(self._rest) < 1 + int.from_bytes(self._rest[1:5], "big"):
            more = self.socket.recv(_READ)
            if not more:
                raise BenchError("the server closed the connection")
            self._rest += more
        end = 1 + int.from_bytes(self._rest[1:5], "big")
        kind, body = self._rest[0], self._rest[5:end]
        self._rest = self._rest[end:]
        return kind, body

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _text(error: bytes) -> str:
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in error.split(b"\0") if part}
    return f"{fields.get(b'C', '?')} {fields.get(b'M', '?')}"
