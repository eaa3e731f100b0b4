from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.documents.records import MalformedRecord, _any_image, parse_image, parse_record, parse_row_text
from proxy.mirror.versions import pack
from tests.documents.made import image, int4, record

FIELDS = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.none() | st.binary(max_size=30)), max_size=8)


@given(FIELDS)
def test_a_record_is_read_as_it_was_written(fields: list[tuple[int, bytes | None]]) -> None:
    oids, values = parse_record(record(*fields))
    assert list(zip(oids, values, strict=True)) == fields


@given(FIELDS, st.data())
def test_a_record_cut_short_is_refused(fields: list[tuple[int, bytes | None]], data: st.DataObject) -> None:
    whole = record(*fields)
    with pytest.raises(MalformedRecord):
        parse_record(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(MalformedRecord):
        parse_record(whole + b"x")


@given(FIELDS)
def test_an_image_is_its_header_and_a_row(fields: list[tuple[int, bytes | None]]) -> None:
    header, oids, values = parse_image(image(*fields, tableoid=77, lsn=0x16B374D848, xid=1 << 33))
    assert (header.relation, header.lsn, header.timeline, header.xid) == (77, 0x16B374D848, 2, 1 << 33)
    assert header.version == pack(2, 0x16B374D848)
    assert (header.action, header.text, header.old) == (None, None, None)
    assert list(zip(oids, values, strict=True)) == fields


@given(st.data())
def test_an_image_cut_short_is_refused(data: st.DataObject) -> None:
    whole = image((23, int4(1)), (25, b"text"))
    with pytest.raises(MalformedRecord):
        parse_image(whole[: data.draw(st.integers(0, len(whole) - 1))])


def test_a_row_that_was_read_again_has_no_version() -> None:
    header, oids, fields = parse_image(image((23, int4(1)), lsn=None, xid=None))
    assert (header.version, header.timeline, header.xid) == (None, None, None)
    assert (oids, fields) == ((23,), [int4(1)])


@given(FIELDS, st.data())
def test_whatever_the_header_has_it_is_read_alike(
    fields: list[tuple[int, bytes | None]], data: st.DataObject
) -> None:
    """Short ways for the usual headers give what the long way gives, errors too."""
    header = [
        (26, data.draw(st.none() | st.just(int4(77)) | st.binary(max_size=5))),
        (3220, data.draw(st.none() | st.just(bytes(8)))),
        (25, data.draw(st.none() | st.just(b"000000020000000000000001"))),
        (5069, data.draw(st.none() | st.just(bytes(8)))),
        *((oid, data.draw(st.none() | st.just(b"x"))) for oid in (25, 25, 17)),
    ]
    whole = record(*header[: data.draw(st.integers(5, 7))], *fields)
    whole = whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole
    try:
        wanted: object = _any_image(whole)
    except MalformedRecord:
        wanted = MalformedRecord
    try:
        found: object = parse_image(whole)
    except MalformedRecord:
        found = MalformedRecord
    assert found == wanted


def test_merge_says_what_it_did_and_an_update_what_was_before() -> None:
    old = record((23, int4(1)))
    header, _, fields = parse_image(
        record(
            (26, int4(5)),
            (3220, bytes(8)),
            (25, b"00000001000000000000000A"),
            (5069, bytes(8)),
            (25, b"UPDATE"),
            (25, b"(2)"),
            (17, old),
            (23, int4(2)),
        )
    )
    assert (header.action, header.text, header.old) == ("UPDATE", b"(2)", old)
    assert fields == [int4(2)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("()", []),
        ("(1)", ["1"]),
        ("(,)", [None, None]),
        ('(1,"a ""b"" \\\\c",,"")', ["1", 'a "b" \\c', None, ""]),
        ('("a,b","(x)")', ["a,b", "(x)"]),
        ('(a\\"b)', ['a"b']),
    ],
)
def test_the_text_of_a_row(text: str, values: list[str | None]) -> None:
    assert parse_row_text(text) == values


@pytest.mark.parametrize("text", ["", "(", "1,2", '("a)'])
def test_what_is_no_row_is_refused(text: str) -> None:
    with pytest.raises(MalformedRecord):
        parse_row_text(text)
