from __future__ import annotations

from struct import pack

import pytest

from proxy.documents.composites import composite, multirange_of, range_of, unsent
from proxy.documents.numbers import INT4
from proxy.documents.strings import text_like
from tests.documents.made import int4, record

TEXT = text_like("utf-8")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(b"", '""'), (None, ""), (b"x", "x"), (b'a"b', '"a""b"'), (b"a\\b", '"a\\\\b"'), (b"a b", '"a b"'), (b"(", '"("')],
)  # fmt: skip
def test_a_composite_is_its_text(value: bytes | None, shown: str) -> None:
    codec = composite([INT4, TEXT])
    assert codec.decode(record((23, int4(-1)), (25, value))) == f"(-1,{shown})"
    assert codec.key is None


def bound(value: int) -> bytes:
    return pack(">i", 4) + int4(value)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"\x01", "empty"),
        (b"\x02" + bound(1) + bound(5), "[1,5)"),
        (b"\x06" + bound(1) + bound(5), "[1,5]"),
        (b"\x18", "(,)"),
        (b"\x12" + bound(3), "[3,)"),
        (b"\x08" + bound(7), "(,7)"),
    ],
)
def test_a_range_is_its_text(raw: bytes, shown: str) -> None:
    assert range_of(INT4).decode(raw) == shown


def test_a_multirange_is_its_ranges() -> None:
    one, two = b"\x02" + bound(1) + bound(5), b"\x12" + bound(7)
    raw = pack(">ii", 2, len(one)) + one + pack(">i", len(two)) + two
    assert multirange_of(INT4).decode(raw) == "{[1,5),[7,)}"
    assert multirange_of(INT4).decode(pack(">i", 0)) == "{}"


def test_parts_without_a_decoder_make_the_whole_come_as_text() -> None:
    part = unsent(keyed=False)
    for codec in (composite([INT4, part]), range_of(part), multirange_of(part)):
        assert not codec.binary
        assert codec.parse("as it is") == "as it is"
