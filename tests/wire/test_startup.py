"""Start-up packets."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire import startup
from proxy.wire.startup import (
    CancelRequest,
    GssEncRequest,
    SslRequest,
    StartupMessage,
    StartupPacketError,
    read_packet,
)

LIMIT = 10_000


def packet(code: int, body: bytes = b"") -> bytes:
    return struct.pack("!ii", 8 + len(body), code) + body


def parameters(**values: str) -> bytes:
    return b"".join(f"{k}\x00{v}\x00".encode() for k, v in values.items()) + b"\x00"


def whole(data: bytes) -> startup.StartupPacket:
    read = read_packet(data, LIMIT)
    assert read is not None
    assert read[1] == len(data)
    return read[0]


def test_requests() -> None:
    assert whole(startup.SSL_REQUEST_PACKET) == SslRequest()
    assert whole(packet(startup.GSSENC_REQUEST)) == GssEncRequest()


@pytest.mark.parametrize("secret", [4, 32, 256])
def test_cancel_keys_of_every_length(secret: int) -> None:
    data = packet(startup.CANCEL_REQUEST, b"\x00\x00\x00\x07" + b"k" * secret)
    assert whole(data) == CancelRequest(data, b"\x00\x00\x00\x07" + b"k" * secret)


def test_a_cancel_request_reads_back() -> None:
    made = startup.cancel_request(b"\x00\x00\x00\x07abcd")
    assert whole(made.packet) == made


@pytest.mark.parametrize("secret", [0, 3, 257])
def test_impossible_cancel_keys(secret: int) -> None:
    with pytest.raises(StartupPacketError, match="cancel request"):
        read_packet(packet(startup.CANCEL_REQUEST, b"\x00\x00\x00\x07" + b"k" * secret), LIMIT)


@pytest.mark.parametrize("version", [196608, 196610, 196608 + 9999])
def test_startup_message(version: int) -> None:
    data = packet(version, parameters(user="ann", database="shop", application_name="", **{"_pq_.x": "1"}))
    message = whole(data)
    assert isinstance(message, StartupMessage)
    assert message.packet == data
    assert message.version == version
    assert (message.user, message.database) == ("ann", "shop")
    assert message.parameters["application_name"] == ""
    assert message.parameters["_pq_.x"] == "1"


def test_the_database_defaults_to_the_user() -> None:
    message = whole(packet(196608, parameters(user="ann")))
    assert isinstance(message, StartupMessage)
    assert message.database == "ann"


def test_other_major_versions_are_left_to_the_server() -> None:
    message = whole(packet(4 << 16, b"anything"))
    assert isinstance(message, StartupMessage)
    assert message.parameters == {}


@pytest.mark.parametrize("length", [-1, 0, 7, LIMIT + 1, 0x47455420])
def test_lengths_out_of_bounds(length: int) -> None:
    with pytest.raises(StartupPacketError, match="length of startup packet"):
        read_packet(struct.pack("!ii", length, 196608), LIMIT)


@pytest.mark.parametrize(
    "body", [b"", b"user", b"user\x00ann\x00", b"user\x00ann\x00\x00x\x00", b"\x00x\x00\x00"]
)
def test_malformed_parameters(body: bytes) -> None:
    with pytest.raises(StartupPacketError, match="layout"):
        read_packet(packet(196608, body), LIMIT)


@given(data=st.binary(max_size=60), names=st.dictionaries(st.text("abc_", min_size=1), st.text("xyz")))
def test_fragments_wait_and_the_rest_is_left(data: bytes, names: dict[str, str]) -> None:
    first = packet(196608, parameters(**names))
    for end in range(len(first)):
        assert read_packet(first[:end], LIMIT) is None
    read = read_packet(first + data, LIMIT)
    assert read is not None
    assert read[1] == len(first)


@given(data=st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read = read_packet(data, LIMIT)
    except StartupPacketError:
        return
    assert read is None or read[1] <= len(data)
