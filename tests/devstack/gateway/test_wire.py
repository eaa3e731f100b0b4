"""Messages cut from bytes at any boundary, and bytes that are no message."""

from __future__ import annotations

import struct

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstack.gateway.wire import OP_MSG, OP_QUERY, Message, ProtocolError, Reader, documents, reply

PING = bson.encode({"ping": 1, "$db": "admin"})
DOCUMENTS = b"".join(bson.encode({"_id": number}) for number in range(3))


def framed(payload: bytes, op_code: int = OP_MSG, request_id: int = 5) -> bytes:
    return struct.pack("<iiii", 16 + len(payload), request_id, 0, op_code) + payload


def msg(*sections: bytes, flags: int = 0) -> bytes:
    return framed(struct.pack("<I", flags) + b"".join(sections))


def sequence(name: str, content: bytes) -> bytes:
    body = name.encode() + b"\0" + content
    return b"\x01" + struct.pack("<i", 4 + len(body)) + body


BODY = b"\x00" + PING


def test_body_and_sequences() -> None:
    (message,) = Reader().feed(msg(BODY, sequence("documents", DOCUMENTS), sequence("empty", b"")))
    assert message == Message(5, OP_MSG, PING, {"documents": DOCUMENTS, "empty": b""})
    assert [bson.decode(item) for item in documents(message.sequences["documents"])] == [
        {"_id": 0},
        {"_id": 1},
        {"_id": 2},
    ]


def test_more_to_come_and_checksum() -> None:
    payload = struct.pack("<I", 3) + BODY + b"\1\2\3\4"
    (message,) = Reader().feed(framed(payload))
    assert message.more_to_come
    assert message.body == PING


def test_legacy_query() -> None:
    payload = struct.pack("<i", 0) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1) + PING
    (message,) = Reader().feed(framed(payload, OP_QUERY))
    assert (message.op_code, message.body) == (OP_QUERY, PING)
    answer = reply(message, 9, PING)
    assert struct.unpack_from("<iiii", answer) == (len(answer), 9, 5, 1)
    assert answer[36:] == PING


def test_reply() -> None:
    (message,) = Reader().feed(msg(BODY))
    answer = reply(message, 9, PING)
    assert struct.unpack_from("<iiii", answer) == (len(answer), 9, 5, OP_MSG)
    assert answer[16:] == b"\0\0\0\0\0" + PING


@settings(deadline=None)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_any_cut_gives_the_same_messages(sizes: list[int], random: object) -> None:
    stream = b"".join(
        msg(BODY, sequence("documents", DOCUMENTS * size), flags=2 * (size % 2)) for size in sizes
    )
    reader = Reader()
    found = []
    position = 0
    while position < len(stream):
        step = random.randint(1, len(stream))  # type: ignore[attr-defined]
        found += list(reader.feed(stream[position : position + step]))
        position += step
    assert found == list(Reader().feed(stream))
    assert [len(message.sequences["documents"]) // len(DOCUMENTS) for message in found] == sizes


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (struct.pack("<iiii", 15, 1, 0, OP_MSG), "message of 15 bytes"),
        (struct.pack("<iiii", -1, 1, 0, OP_MSG), "message of -1 bytes"),
        (struct.pack("<iiii", 48_000_001, 1, 0, OP_MSG), "message of 48000001 bytes"),
        (framed(b"\0" * 8, 2012), "operation code 2012"),
        (framed(b"\0"), "malformed"),
        (msg(BODY, flags=1 << 5), "unknown required flag bits 0x20"),
        (msg(), "without a command document"),
        (msg(BODY, BODY), "kind 0 where none is allowed"),
        (msg(b"\x07" + PING), "kind 7 where none is allowed"),
        (msg(b"\x00" + struct.pack("<i", 1000)), "does not fit"),
        (msg(BODY, sequence("a", b""), sequence("a", b"")), "appears twice"),
        (msg(b"\x01" + struct.pack("<i", 8) + b"abcd"), "malformed"),
    ],
)
def test_what_is_no_message(data: bytes, text: str) -> None:
    with pytest.raises(ProtocolError, match=text):
        list(Reader().feed(data))


def test_optional_flag_bits_are_ignored() -> None:
    (message,) = Reader().feed(msg(BODY, flags=1 << 16))
    assert message.body == PING


@pytest.mark.parametrize("content", [DOCUMENTS[:-1], DOCUMENTS + b"\1", struct.pack("<i", 4) + b"\0" * 4])
def test_broken_sequence(content: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(documents(content))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_break_the_reader(data: bytes) -> None:
    reader = Reader()
    try:
        for message in reader.feed(framed(data)):
            assert message.body
    except ProtocolError:
        pass
