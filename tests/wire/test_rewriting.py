"""Messages taken apart and put together again."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire import rewriting
from proxy.wire.messages import error_fields, frame
from proxy.wire.rewriting import MalformedMessage
from tests.support.capture import as_text, description, row
from tests.support.transcript import error

NAME = st.binary(max_size=12).filter(lambda name: b"\x00" not in name)
VALUES = st.lists(st.none() | st.binary(max_size=20), max_size=6)


def bind(
    portal: bytes, statement: bytes, formats: list[int], values: list[bytes | None], results: list[int]
) -> bytes:
    body = portal + b"\x00" + statement + b"\x00" + struct.pack(f"!h{len(formats)}h", len(formats), *formats)
    body += struct.pack("!h", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return frame(ord("B"), body + struct.pack(f"!h{len(results)}h", len(results), *results))


@given(NAME, NAME, st.lists(st.integers(0, 1), max_size=1), VALUES, st.lists(st.integers(0, 1), max_size=4))
def test_bind(
    portal: bytes, statement: bytes, formats: list[int], values: list[bytes | None], results: list[int]
) -> None:
    message = bind(portal, statement, formats, values, results)
    assert rewriting.bind_names(message) == (portal, statement)
    code = formats[0] if formats else 0
    assert rewriting.bind_parameters(message) == [(code, value) for value in values]
    assert rewriting.bind_with(message) == message
    extended = [*results, 1] if len(results) > 1 else results
    assert rewriting.bind_with(message, statement=b"twin", extra_binary=True) == bind(
        portal, b"twin", formats, values, extended
    )


def test_a_bind_cut_short_is_malformed() -> None:
    message = bind(b"", b"s", [0], [b"abc"], [0, 1])
    short = frame(ord("B"), message[5:-12])
    with pytest.raises(MalformedMessage):
        rewriting.bind_with(short, extra_binary=True)
    with pytest.raises(MalformedMessage):
        rewriting.bind_parameters(frame(ord("B"), b"\x00s\x00\x00\x00\x00\x02\x00\x00"))


@given(NAME, NAME, st.binary(max_size=8))
def test_parse(name: bytes, text: bytes, rest: bytes) -> None:
    assert rewriting.split_parse(rewriting.parse(name, text, rest)) == (name, text, rest)


@given(NAME, st.integers(0, 1 << 30))
def test_execute(portal: bytes, rows: int) -> None:
    assert rewriting.split_execute(rewriting.execute(portal, rows)) == (portal, rows)


def test_texts_without_an_end_are_malformed() -> None:
    for message in (frame(ord("P"), b"name"), frame(ord("B"), b""), frame(ord("E"), b"p\x00\x00")):
        with pytest.raises(MalformedMessage):
            {ord("P"): rewriting.split_parse, ord("B"): rewriting.bind_names}.get(
                message[0], rewriting.split_execute
            )(message)


@given(st.lists(NAME, max_size=5), NAME)
def test_the_last_column_leaves_a_description(names: list[bytes], last: bytes) -> None:
    texts = [name.decode("latin-1") for name in names]
    whole = description(*texts, last.decode("latin-1"))
    wanted = description(*texts) if texts else rewriting.NO_DATA
    assert rewriting.without_last_field(whole) == wanted


@given(VALUES, st.binary(max_size=40))
def test_the_last_column_leaves_a_row(values: list[bytes | None], ours: bytes) -> None:
    assert rewriting.cut_last_column(row(*values, ours)) == (row(*values), ours)
    assert rewriting.values_of(row(*values)) == values


@given(st.binary(max_size=60))
def test_bytea_in_any_output_format(data: bytes) -> None:
    value = b"\x00" + data
    escaped = b"".join(
        b"\\\\" if byte == 0x5C else bytes([byte]) if 0x20 <= byte < 0x7F else b"\\%03o" % byte
        for byte in value
    )
    assert rewriting.bytea(value) == value
    assert rewriting.bytea(as_text(value)) == value
    assert rewriting.bytea(escaped) == value


def test_a_position_moves_and_nothing_else() -> None:
    message = frame(ord("E"), b"SERROR\x00C42703\x00Mno P5 here\x00P7\x00\x00")
    moved = rewriting.moved_position(message, 20)
    assert error_fields(moved[5:]) == {"S": "ERROR", "C": "42703", "M": "no P5 here", "P": "27"}
    assert rewriting.moved_position(error("42703"), 20) == error("42703")


@pytest.mark.parametrize(
    ("sent", "shown"), [(5, 5), (10, 10), (11, 10), (60, 10), (61, 11), (70, 20), (79, 20), (99, 40)]
)
def test_a_position_is_put_back(sent: int, shown: int) -> None:
    message = frame(ord("E"), b"P%d\x00\x00" % sent)
    put_back = rewriting.unshifted_position(message, [(10, 50), (20, 9)])
    assert error_fields(put_back[5:]) == {"P": str(shown)}


def test_describe_and_close_say_what_they_mean() -> None:
    assert rewriting.target(rewriting.describe(b"P", b"c1")) == (b"P", b"c1")
    assert rewriting.target(rewriting.close(b"S", b"")) == (b"S", b"")
