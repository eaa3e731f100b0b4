"""A stream cut anywhere gives the same messages."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.messages import frame
from proxy.wire.splitting import PIECE, Splitter

MESSAGES = st.lists(st.builds(frame, st.sampled_from(b"QPBDESd"), st.binary(max_size=60)), max_size=20)


def chunks(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({p % (len(data) + 1) for p in places}), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(MESSAGES, st.lists(st.integers(0, 2000), max_size=30))
def test_whole_messages_however_they_come(stream: list[bytes], places: list[int]) -> None:
    splitter = Splitter(cap=1000)
    found = [item for chunk in chunks(b"".join(stream), places) for item in splitter.feed(chunk)]
    assert found == [(message[0], message, True) for message in stream]
    assert splitter.at_boundary


@given(MESSAGES, st.lists(st.integers(0, 2000), max_size=30))
def test_long_messages_come_in_pieces_and_nothing_is_lost(stream: list[bytes], places: list[int]) -> None:
    splitter = Splitter(cap=20)
    data = b"".join(stream)
    found = [item for chunk in chunks(data, places) for item in splitter.feed(chunk)]
    assert b"".join(piece for _, piece, _ in found) == data
    starts = [kind for kind, _, _ in found if kind != PIECE]
    assert starts == [message[0] for message in stream]


def test_a_long_message_is_never_collected() -> None:
    splitter = Splitter(cap=100)
    message = frame(ord("Q"), b"x" * 1000)
    assert splitter.feed(message[:50]) == [(ord("Q"), message[:50], False)]
    assert not splitter.at_boundary
    assert splitter.feed(message[50:] + frame(ord("S"), b"")) == [
        (PIECE, message[50:], False),
        (ord("S"), frame(ord("S"), b""), True),
    ]
    assert splitter.at_boundary


def test_an_impossible_length_ends_the_search() -> None:
    splitter = Splitter(cap=100)
    broken = b"Q\x00\x00\x00\x03abc"
    assert splitter.feed(frame(ord("S"), b"") + broken) == [
        (ord("S"), frame(ord("S"), b""), True),
        (PIECE, broken, False),
    ]
    assert splitter.broken
    assert splitter.feed(b"more") == [(PIECE, b"more", False)]
