"""A session driven without I/O: who says what, who must have seen what.

>>> script = Transcript()
>>> script.client(ssl_request()).sees(b"N")
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Self

from proxy.admin.counters import Counters
from proxy.session.session import ClientPolicy, Session
from proxy.wire import startup
from proxy.wire.messages import error_fields, frame
from proxy.wire.startup import CancelRequest, StartupMessage

MAX_STARTUP_PACKET = 10_000


def ssl_request() -> bytes:
    return startup.SSL_REQUEST_PACKET


def gssenc_request() -> bytes:
    return struct.pack("!ii", 8, startup.GSSENC_REQUEST)


def startup_message(version: int = 196608, /, **parameters: str) -> bytes:
    body = b"".join(f"{k}\x00{v}\x00".encode() for k, v in (parameters or {"user": "ann"}).items()) + b"\x00"
    return struct.pack("!ii", len(body) + 8, version) + body


def auth(kind: int, rest: bytes = b"") -> bytes:
    return frame(ord("R"), struct.pack("!i", kind) + rest)


def sasl_offer(*names: str) -> bytes:
    return auth(10, b"".join(n.encode() + b"\x00" for n in names) + b"\x00")


def key_data(pid: int = 7, secret: bytes = b"abcd") -> bytes:
    return frame(ord("K"), struct.pack("!i", pid) + secret)


def ready(status: str = "I") -> bytes:
    return frame(ord("Z"), status.encode())


def query(sql: str) -> bytes:
    return frame(ord("Q"), sql.encode() + b"\x00")


def complete(tag: str) -> bytes:
    return frame(ord("C"), tag.encode() + b"\x00")


def error(sqlstate: str, text: str = "no") -> bytes:
    return frame(ord("E"), f"SERROR\x00C{sqlstate}\x00M{text}\x00\x00".encode())


LOGIN = auth(0) + frame(ord("S"), b"server_version\x0018\x00") + key_data() + ready()
"""What a server that trusts its client says."""


class Transcript:
    """The session under test between a client and a server made of bytes; also the SessionIO it speaks to."""

    def __init__(self, *, tls_offered: bool = False, tls_required: bool = False) -> None:
        self.counters = Counters()
        self.client_got = b""
        self.server_got = b""
        self.effects: list[str] = []
        self.started: StartupMessage | None = None
        self.cancelled: CancelRequest | None = None
        self.keys: list[bytes] = []
        self.elsewhere: Callable[[str], bool] = lambda sqlstate: False
        self.session = Session(
            self, ClientPolicy(tls_offered, tls_required, MAX_STARTUP_PACKET), self.counters
        )

    # What the script says.

    def client(self, data: bytes) -> Self:
        self.session.client_data(data)
        return self

    def server(self, data: bytes) -> Self:
        self.session.server_data(data)
        return self

    def connected(self, *, secure: bool = False) -> Self:
        self.session.server_connected(secure=secure)
        return self

    def logged_in(self, **parameters: str) -> Self:
        """A whole start-up, of which nothing is left to be looked at."""
        self.client(startup_message(**parameters)).connected().server(LOGIN)
        self.client_got = self.server_got = b""
        self.effects.clear()
        return self

    # What must have been seen.

    def sees(self, data: bytes) -> Self:
        """The client has got exactly this since it was last looked at."""
        got, self.client_got = self.client_got, b""
        assert got == data
        return self

    def receives(self, data: bytes) -> Self:
        """The server has got exactly this since it was last looked at."""
        got, self.server_got = self.server_got, b""
        assert got == data
        return self

    def does(self, *effects: str) -> Self:
        """The session has asked for exactly this since it was last looked at."""
        got, self.effects = self.effects, []
        assert got == list(effects)
        return self

    def sees_error(self, sqlstate: str, text: str) -> dict[str, str]:
        """The client has got one FATAL error and nothing else; its fields."""
        got, self.client_got = self.client_got, b""
        assert got[:1] == b"E"
        assert int.from_bytes(got[1:5], "big") == len(got) - 1
        fields = error_fields(got[5:])
        assert (fields["S"], fields["V"], fields["C"]) == ("FATAL", "FATAL", sqlstate)
        assert text in fields["M"]
        return fields

    # SessionIO.

    def to_client(self, data: bytes) -> None:
        self.client_got += data

    def to_server(self, data: bytes) -> None:
        self.server_got += data

    def start_client_tls(self) -> None:
        self.effects.append("start_client_tls")

    def connect(self, message: StartupMessage) -> None:
        self.effects.append("connect")
        self.started = message

    def retry_elsewhere(self, sqlstate: str) -> bool:
        moved = self.elsewhere(sqlstate)
        if moved:
            self.effects.append("retry_elsewhere")
        return moved

    def forward_cancel(self, request: CancelRequest) -> None:
        self.effects.append("forward_cancel")
        self.cancelled = request

    def key_received(self, key: bytes) -> None:
        self.keys.append(key)

    def channel_binding_failed(self) -> None:
        self.effects.append("channel_binding_failed")

    def hold_client(self) -> None:
        self.effects.append("hold client")

    def release_client(self) -> None:
        self.effects.append("release client")

    def may_switch(self) -> None:
        self.effects.append("may switch")

    def established(self) -> None:
        self.effects.append("established")

    def finish_client(self) -> None:
        self.effects.append("finish_client")

    def finish_server(self) -> None:
        self.effects.append("finish_server")
