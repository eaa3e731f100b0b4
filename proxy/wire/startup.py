"""What a client may send before its stream has message types: the start-up packets.

A start-up packet is an Int32 length (itself included), an Int32 code and a body (PostgreSQL manual, "Start-up" and
"SSL Session Encryption"). The reader takes a packet only once it is whole and is bounded by `limit`, as the
server's own reader is by MAX_STARTUP_PACKET_LENGTH.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

CANCEL_REQUEST = 80877102
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104

SSL_REQUEST_PACKET = struct.pack("!ii", 8, SSL_REQUEST)

TLS_HANDSHAKE_RECORD = 0x16
"""First byte of a TLS ClientHello: direct TLS, PostgreSQL 17's `sslnegotiation=direct`."""

ALPN_PROTOCOL = "postgresql"
"""The ALPN name that direct TLS must negotiate (IANA registry, PostgreSQL manual)."""

CANCEL_KEY_LENGTH = range(4, 257)
"""Bytes of a cancel key: 4 in protocol 3.0, up to 256 in 3.2."""

MAX_CANCEL_PACKET = 12 + 256
"""Bytes of the largest CancelRequest."""


class StartupPacketError(Exception):
    """A start-up packet no PostgreSQL server would accept; Postgres closes such a connection without a word."""


@dataclass(frozen=True, slots=True)
class SslRequest:
    """The client asks for TLS; the answer is one byte, `S` or `N`."""


@dataclass(frozen=True, slots=True)
class GssEncRequest:
    """The client asks for GSSAPI encryption; the answer is one byte."""


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """A request to cancel whatever the backend with this key is running."""

    packet: bytes
    """The packet as it came, to be forwarded."""
    key: bytes
    """Process id and secret key: the body of the BackendKeyData that the backend had sent."""


def cancel_request(key: bytes) -> CancelRequest:
    """The request that cancels what the backend with this BackendKeyData body is running."""
    return CancelRequest(struct.pack("!ii", 8 + len(key), CANCEL_REQUEST) + key, key)


@dataclass(frozen=True, slots=True)
class StartupMessage:
    """The client's StartupMessage."""

    packet: bytes
    """The packet as it came, to be forwarded."""
    version: int
    """Protocol version, major in the upper 16 bits."""
    parameters: Mapping[str, str]
    """`user`, `database`, `replication`, `options`, settings and `_pq_.` protocol options."""

    @property
    def database(self) -> str:
        """The database meant: Postgres takes the user's name where none is given."""
        return self.parameters.get("database") or self.user

    @property
    def user(self) -> str:
        return self.parameters.get("user", "")


StartupPacket = SslRequest | GssEncRequest | CancelRequest | StartupMessage


def read_packet(buffer: bytes | bytearray, limit: int) -> tuple[StartupPacket, int] | None:
    """The first packet of `buffer` and its length in bytes, or None while it is incomplete.

    Raises StartupPacketError for a length outside 8..`limit` and for a malformed body.
    """
    if len(buffer) < 4:
        return None
    (length,) = struct.unpack_from("!i", buffer)
    if not 8 <= length <= limit:
        raise StartupPacketError(f"invalid length of startup packet: {length} bytes")
    if len(buffer) < length:
        return None
    packet = bytes(buffer[:length])
    (code,) = struct.unpack_from("!i", packet, 4)
    if code == SSL_REQUEST and length == 8:
        return SslRequest(), length
    if code == GSSENC_REQUEST and length == 8:
        return GssEncRequest(), length
    if code == CANCEL_REQUEST:
        key = packet[8:]
        if len(key) - 4 not in CANCEL_KEY_LENGTH:
            raise StartupPacketError(f"invalid length of cancel request packet: {length} bytes")
        return CancelRequest(packet, key), length
    return StartupMessage(packet, code, _parameters(packet, code)), length


def _parameters(packet: bytes, version: int) -> dict[str, str]:
    """The parameters of a version 3 packet; other versions are forwarded for the server to refuse, and have none."""
    if version >> 16 != 3:
        return {}
    parts = packet[8:].split(b"\x00")
    # A well-formed body is name NUL value NUL ... NUL: an even number of parts, the last two empty.
    if len(parts) < 2 or parts[-1] or parts[-2] or len(parts) % 2:
        raise StartupPacketError("invalid startup packet layout: expected terminator as last byte")
    texts = [part.decode("utf-8", "surrogateescape") for part in parts[:-2]]
    if "" in texts[0::2]:
        raise StartupPacketError("invalid startup packet layout: expected terminator as last byte")
    return dict(zip(texts[0::2], texts[1::2], strict=True))
