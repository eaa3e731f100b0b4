"""SASL mechanism lists, as AuthenticationSASL offers them."""

from __future__ import annotations

import struct

from proxy.wire import messages

CHANNEL_BINDING_SUFFIX = b"-PLUS"


def offered_mechanisms(body: bytes) -> list[bytes] | None:
    """The mechanisms an Authentication message body offers, or None if it is not AuthenticationSASL."""
    if len(body) < 4 or struct.unpack_from("!i", body)[0] != messages.AUTH_SASL:
        return None
    return [name for name in body[4:].split(b"\x00") if name]


def offers_channel_binding(body: bytes) -> bool:
    """Whether an Authentication message body offers a mechanism that binds to the TLS channel."""
    return any(name.endswith(CHANNEL_BINDING_SUFFIX) for name in offered_mechanisms(body) or ())


def without_channel_binding(body: bytes) -> bytes:
    """The same AuthenticationSASL message, type byte included, without the mechanisms that bind to the TLS channel.

    For a client whose own leg has no TLS: it must not be offered a binding to a channel it does not have.
    """
    names = [n for n in offered_mechanisms(body) or [] if not n.endswith(CHANNEL_BINDING_SUFFIX)]
    listed = b"".join(name + b"\x00" for name in names)
    return messages.frame(messages.AUTHENTICATION, struct.pack("!i", messages.AUTH_SASL) + listed + b"\x00")
