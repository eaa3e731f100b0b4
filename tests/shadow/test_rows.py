"""Replies are read into texts, whatever their format; what cannot be read is said to be."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.shadow.rows import Unreadable, copied, described_otherwise, description, reader, texts, values
from proxy.translate.api import OutputColumn
from tests.shadow.made import described
from tests.support.capture import row

ID, NOTE = OutputColumn("id", 23, -1, 16384, 1), OutputColumn("note", 25, -1, 16384, 3)
FIELD = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


def copy_text(value: str | None) -> str:
    """As COPY writes it."""
    if value is None:
        return "\\N"
    for char, letter in (
        ("\\", "\\"),
        ("\b", "b"),
        ("\f", "f"),
        ("\n", "n"),
        ("\r", "r"),
        ("\t", "t"),
        ("\v", "v"),
    ):
        value = value.replace(char, "\\" + letter) if char != "\\" else value.replace("\\", "\\\\")
    return value


@given(st.lists(st.tuples(FIELD, FIELD), max_size=5))
def test_what_copy_writes_is_read_back(rows: list[tuple[str | None, str | None]]) -> None:
    data = "".join("\t".join(map(copy_text, one)) + "\n" for one in rows)
    assert copied(data.encode()) == rows


@given(st.lists(st.tuples(FIELD, FIELD), max_size=5))
def test_data_rows_are_read_back(rows: list[tuple[str | None, str | None]]) -> None:
    raw = b"".join(row(*(None if one is None else one.encode() for one in each)) for each in rows)
    assert texts(raw, (NOTE, NOTE), (0, 0), {}) == rows


def test_binary_values_become_text() -> None:
    raw = row(struct.pack("!i", -7), b"a")
    assert texts(raw, (ID, NOTE), (1, 1), {}) == [("-7", "a")]
    assert reader(1184, -1, {})(struct.pack("!q", 0)) == "2000-01-01 00:00:00+00"
    assert reader(1700, -1, {})(bytes.fromhex("0002000000000002000109c4")) == "1.25"
    with pytest.raises(Unreadable, match="catalogue"):
        reader(99999, -1, {})


@pytest.mark.parametrize(
    ("raw", "columns"),
    [
        (row(b"1")[:-1], (ID,)),
        (row(b"1"), (ID, NOTE)),
        (row(b"\xff"), (NOTE,)),
        (b"C" + row(b"1")[1:], (ID,)),
    ],
)
def test_what_is_no_reply_is_unreadable(raw: bytes, columns: tuple[OutputColumn, ...]) -> None:
    with pytest.raises(Unreadable):
        texts(raw, columns, (0,) * len(columns), {})


def test_descriptions_are_compared() -> None:
    told = description(described(("id", 16384, 1, 23, -1), ("note", 16384, 3, 25, -1)))
    assert described_otherwise(told, (ID, NOTE)) == ""
    assert described_otherwise(told, (ID,)) == "number of columns"
    assert (
        described_otherwise(told, (ID, OutputColumn("note", 1043, -1, 16384, 3))) == "type_oid of column note"
    )
    with pytest.raises(Unreadable):
        description(described(("id", 1, 1, 23, -1))[:-3])


def test_values_of_no_rows_are_none() -> None:
    assert values(b"", 3) == []
