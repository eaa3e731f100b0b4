"""A client made of bytes, for what no driver would do; blocking, with a deadline on everything."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from types import TracebackType

from proxy.wire.messages import error_fields, frame
from tests.support.transcript import startup_message

TIMEOUT = 10.0

Message = tuple[str, bytes]
"""Type letter and body."""


class RawClient:
    """One connection to `address`, a (host, port) or the path of a Unix socket."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket: socket.socket | ssl.SSLSocket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(address)
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, size: int) -> bytes:
        """Exactly `size` bytes; EOFError where the stream ends before."""
        while len(self._buffer) < size:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise EOFError(f"{len(self._buffer)} of {size} bytes")
            self._buffer += chunk
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def message(self) -> Message:
        kind, length = struct.unpack("!ci", self.receive(5))
        return kind.decode("latin-1"), self.receive(length - 4)

    def until(self, *kinds: str) -> list[Message]:
        """Messages up to and with the first of one of these types."""
        got = [self.message()]
        while got[-1][0] not in kinds:
            got.append(self.message())
        return got

    def rest(self) -> Iterator[Message]:
        """Messages until the other side closes."""
        while True:
            try:
                yield self.message()
            except (EOFError, ConnectionResetError):
                return

    def copy_out(self) -> Iterator[Message]:
        """The CopyData of a COPY TO STDOUT, up to its end; quicker than `message` where there are millions."""
        kind, _ = self.message()
        assert kind == "H"
        view = memoryview(self._buffer)
        at = 0
        while True:
            while len(view) - at >= 5:
                (length,) = struct.unpack_from("!i", view, at + 1)
                if len(view) - at <= length:
                    break
                if view[at] != ord("d"):
                    self._buffer = bytes(view[at:])
                    return
                yield "d", bytes(view[at + 5 : at + 1 + length])
                at += length + 1
            view = memoryview(bytes(view[at:]) + self.socket.recv(65536))
            at = 0

    def at_eof(self) -> bool:
        """Whether the other side has closed; waits for it."""
        try:
            return not self._buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def login(self, user: str = "postgres", database: str = "postgres", **parameters: str) -> list[Message]:
        """Starts up as a user that is trusted; the messages up to ReadyForQuery or the error."""
        self.send(startup_message(user=user, database=database, **parameters))
        return self.until("Z", "E")

    def query(self, sql: str) -> list[Message]:
        self.send(frame(ord("Q"), sql.encode() + b"\x00"))
        return self.until("Z")

    def error(self) -> dict[str, str]:
        """The fields of the next message, which must be an error."""
        kind, body = self.message()
        assert kind == "E", (kind, body)
        return error_fields(body)

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
