"""SASL mechanism lists."""

from __future__ import annotations

import struct

from proxy.wire.messages import frame
from proxy.wire.sasl import offered_mechanisms, offers_channel_binding, without_channel_binding


def offer(*names: bytes) -> bytes:
    return struct.pack("!i", 10) + b"".join(n + b"\x00" for n in names) + b"\x00"


def test_offered_mechanisms() -> None:
    assert offered_mechanisms(offer(b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256")) == [
        b"SCRAM-SHA-256-PLUS",
        b"SCRAM-SHA-256",
    ]
    assert offered_mechanisms(struct.pack("!i", 5) + b"salt") is None
    assert offered_mechanisms(b"") is None


def test_channel_binding_is_taken_out_and_the_length_fixed() -> None:
    stripped = without_channel_binding(offer(b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"))
    assert stripped == frame(ord("R"), offer(b"SCRAM-SHA-256"))


def test_an_offer_without_it_stays_as_it_is() -> None:
    assert without_channel_binding(offer(b"SCRAM-SHA-256", b"OAUTHBEARER")) == frame(
        ord("R"), offer(b"SCRAM-SHA-256", b"OAUTHBEARER")
    )


def test_what_offers_channel_binding() -> None:
    assert offers_channel_binding(offer(b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"))
    assert not offers_channel_binding(offer(b"SCRAM-SHA-256"))
    assert not offers_channel_binding(struct.pack("!i", 0))
