"""The header walk, pure and compiled: one suite for both."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire import framing
from proxy.wire.framing import Found, HeaderWalk, PyHeaderWalk, py_run_end

WALKS = [PyHeaderWalk, HeaderWalk] if framing.COMPILED else [PyHeaderWalk]
TYPES, BODIES, CAP = b"QS", b"ZCE", 8
RunEnd = Callable[[bytes, int], int]

both = pytest.mark.parametrize("walk_class", WALKS, ids=lambda cls: cls.__module__)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("!Bi", kind, len(body) + 4) + body


def expected(stream: list[tuple[int, bytes]]) -> list[Found]:
    found: list[Found] = []
    for kind, body in stream:
        if kind in TYPES:
            found.append((kind, b""))
        elif kind in BODIES:
            found.append((kind, body[:CAP]))
    return found


def feed_all(walk: HeaderWalk, chunks: list[bytes]) -> list[Found]:
    found: list[Found] = []
    for chunk in chunks:
        found += walk.feed(chunk) or []
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    borders = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(borders)]


streams = st.lists(
    st.tuples(st.sampled_from(b"QSZCEDTxd"), st.binary(max_size=20)),
    max_size=12,
)


@both
@given(stream=streams, places=st.lists(st.integers(0, 400), max_size=20))
def test_any_fragmentation_finds_the_same(
    walk_class: type[HeaderWalk], stream: list[tuple[int, bytes]], places: list[int]
) -> None:
    data = b"".join(message(kind, body) for kind, body in stream)
    walk = walk_class(TYPES, BODIES, CAP)
    assert feed_all(walk, cut(data, places)) == expected(stream)
    assert walk.at_boundary
    assert walk.messages == len(stream)


@both
@given(stream=streams)
def test_every_single_byte_boundary(walk_class: type[HeaderWalk], stream: list[tuple[int, bytes]]) -> None:
    data = b"".join(message(kind, body) for kind, body in stream)
    walk = walk_class(TYPES, BODIES, CAP)
    borders = {0}
    for kind, body in stream:
        borders.add(max(borders) + len(message(kind, body)))
    found: list[Found] = []
    for position in range(len(data)):
        assert walk.at_boundary == (position in borders)
        found += walk.feed(data[position : position + 1]) or []
    assert found == expected(stream)


@both
@settings(max_examples=200)
@given(chunks=st.lists(st.binary(max_size=40), max_size=8))
def test_arbitrary_bytes_never_raise(walk_class: type[HeaderWalk], chunks: list[bytes]) -> None:
    twin = PyHeaderWalk(TYPES, BODIES, CAP)
    walk = walk_class(TYPES, BODIES, CAP)
    assert feed_all(walk, chunks) == feed_all(twin, chunks)
    assert (walk.broken, walk.messages, walk.at_boundary) == (twin.broken, twin.messages, twin.at_boundary)


@both
@pytest.mark.parametrize("length", [-1, 0, 3, 0x40000000, 0x7FFFFFFF])
def test_an_impossible_length_ends_the_walk(walk_class: type[HeaderWalk], length: int) -> None:
    walk = walk_class(TYPES, BODIES, CAP)
    data = message(ord("Q"), b"x") + struct.pack("!Bi", ord("Z"), length) + message(ord("Q"), b"")
    assert walk.feed(data) == [(ord("Q"), b"")]
    assert walk.broken
    assert not walk.at_boundary
    assert walk.feed(message(ord("Q"), b"")) is None


@both
def test_a_declared_length_allocates_nothing(walk_class: type[HeaderWalk]) -> None:
    walk = walk_class(b"", b"E", 1 << 30)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        assert walk.feed(struct.pack("!Bi", ord("E"), 0x3FFFFFFF) + b"x" * 100) is None
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 10_000


@both
def test_nothing_wanted_is_none(walk_class: type[HeaderWalk]) -> None:
    walk = walk_class(TYPES, BODIES, CAP)
    assert walk.feed(b"") is None
    assert walk.feed(message(ord("D"), b"row")) is None


def test_the_pure_version_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    monkeypatch.setenv("CAUSEWAY_PURE_PYTHON", "1")
    try:
        assert importlib.reload(framing).HeaderWalk is framing.PyHeaderWalk
        assert not framing.COMPILED
    finally:
        monkeypatch.delenv("CAUSEWAY_PURE_PYTHON")
        importlib.reload(framing)


runs = pytest.mark.parametrize("run_end", [py_run_end, framing.run_end][: 1 + framing.COMPILED])


@runs
def test_a_run_ends_where_another_type_begins(run_end: RunEnd) -> None:
    data = message(ord("D"), b"one") + message(ord("D"), b"") + message(ord("C"), b"x")
    assert run_end(data, 0) == 13
    assert run_end(data, 8) == 13
    assert run_end(data, 13) == len(data)
    assert run_end(data, len(data)) == len(data)


@runs
@pytest.mark.parametrize(
    "rest",
    [b"", b"D", b"D\0\0\0", b"D\0\0\0\7ab", b"D\0\0\0\3abc", b"D\x40\0\0\0abc", b"D\xff\xff\xff\xffabc"],
)
def test_a_run_has_whole_messages_only(run_end: RunEnd, rest: bytes) -> None:
    assert run_end(rest, 0) == 0
    assert run_end(message(ord("D"), b"row") + rest, 0) == 8


@given(st.lists(st.tuples(st.sampled_from(b"DC"), st.binary(max_size=9)), max_size=12), st.integers(0, 80))
def test_runs_are_the_same_compiled_and_not(stream: list[tuple[int, bytes]], cut: int) -> None:
    data = b"".join(message(kind, body) for kind, body in stream)[:cut]
    position = 0
    for _, body in stream:
        if position + 5 + len(body) > len(data):
            break
        assert framing.run_end(data, position) == py_run_end(data, position) > position
        position += 5 + len(body)
    assert framing.run_end(data, position) == py_run_end(data, position) == position
