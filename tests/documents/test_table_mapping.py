"""Rows become documents, and documents rows."""

from __future__ import annotations

from struct import pack
from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128

from proxy.catalog.model import TypeInfo
from proxy.documents.codec import Foreign, Unrepresentable
from proxy.documents.mapping import Server, build_mapping
from proxy.documents.table_mapping import ForeignField, NotMirrored, TableMapping
from tests.documents.made import int4, relation, rule_of


def numeric(digits: list[int], weight: int, scale: int) -> bytes:
    return pack(f">hhHH{len(digits)}H", len(digits), weight, 0, scale, *digits)


def mapping_of(
    columns: list[tuple[str, int]],
    key: list[str],
    types: dict[int, TypeInfo] | None = None,
    encoding: str = "UTF8",
    **settings: Any,
) -> TableMapping:
    made = relation("t", columns, key=key)
    return build_mapping(made, rule_of("t", **settings), types or {}, Server("shop", encoding))


ITEMS = mapping_of([("id", 23), ("name", 25), ("at", 1114), ("price", 1700)], ["id"])
AT = pack(">q", 1_500_007)
PRICE = numeric([1, 5000], 0, 2)


def test_a_row_is_a_document() -> None:
    document, extra = ITEMS.document([int4(7), b"x", AT, PRICE])
    assert document == {"_id": 7, "name": "x", "at": DatetimeMS(946_684_801_500), "price": Decimal128("1.50")}
    assert extra == {"us": {"at": 7}}
    assert ITEMS.decode(document, extra) == {
        "id": "7",
        "name": "x",
        "at": "2000-01-01 00:00:01.500007",
        "price": "1.50",
    }


def test_null_is_null_and_microseconds_are_always_there() -> None:
    document, extra = ITEMS.document([int4(7), None, None, None])
    assert document == {"_id": 7, "name": None, "at": None, "price": None}
    assert extra == {"us": {"at": 0}}
    assert ITEMS.decode({"_id": 7}, {}) == {"id": "7", "name": None, "at": None, "price": None}


def test_nan_is_flagged() -> None:
    _, extra = ITEMS.document([int4(7), None, None, pack(">hhHH", 0, 0, 0xC000, 0)])
    assert extra["flags"] == {"price": "nan"}


def test_a_key_of_several_columns_is_a_sub_document_and_fields() -> None:
    mapping = mapping_of([("a", 23), ("b", 1700), ("c", 25)], ["b", "a"], rename={"b": "bee"})
    fields = [int4(1), PRICE, b"x"]
    document, extra = mapping.document(fields)
    assert document == {
        "_id": {"bee": Decimal128("1.5"), "a": 1},
        "a": 1,
        "bee": Decimal128("1.50"),
        "c": "x",
    }
    assert list(document["_id"]) == ["bee", "a"]
    assert extra == {}
    assert mapping.key(fields).value == document["_id"]
    assert mapping.key_text(document["_id"]) == ("1.5", "1")
    assert mapping.key_of_text(("1.50", "1")) == mapping.key(fields)
    assert mapping.key_of_id(document["_id"]) == mapping.key(fields)
    assert mapping.decode(document, extra) == {"a": "1", "b": "1.50", "c": "x"}


def test_a_key_in_normal_form_has_its_value_beside_it() -> None:
    mapping = mapping_of([("n", 1700)], ["n"])
    document, extra = mapping.document([PRICE])
    assert (document, extra) == ({"_id": Decimal128("1.5")}, {"key": Decimal128("1.50")})
    assert mapping.decode(document, extra) == {"n": "1.50"}
    assert mapping.document([numeric([1, 5000], 0, 1)]) == ({"_id": Decimal128("1.5")}, {})


def test_the_key_of_a_timestamp_keeps_its_microseconds() -> None:
    mapping = mapping_of([("at", 1114)], ["at"])
    document, extra = mapping.document([AT])
    assert (document, extra) == ({"_id": {"t": DatetimeMS(946_684_801_500), "us": 7}}, {})
    assert mapping.decode(document, extra) == {"at": "2000-01-01 00:00:01.500007"}


@pytest.mark.parametrize("identifier", [None, "7x", {"a": 1}, [1], 1.5])
def test_an_id_that_is_no_key_is_foreign(identifier: Any) -> None:
    with pytest.raises(Foreign):
        ITEMS.key_of_id(identifier)


def test_what_cannot_be_a_document_is_told_by_column_without_the_value() -> None:
    digits = numeric([1234] * 10, 9, 0)
    with pytest.raises(Unrepresentable) as caught:
        ITEMS.document([int4(7), b"secret", AT, digits])
    assert (caught.value.column, "34" in caught.value.reason) == ("price", True)
    assert "1234" not in str(caught.value)
    with pytest.raises(Unrepresentable) as caught:
        ITEMS.document([int4(7), b"secret\xff", AT, PRICE])
    assert caught.value.column == "name"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("raw", [None, b"", b"123"])
def test_a_key_that_cannot_be_read_is_unrepresentable(raw: bytes | None) -> None:
    for function in (ITEMS.key, ITEMS.document):
        with pytest.raises(Unrepresentable) as caught:
            function([raw, None, None, None])
        assert caught.value.column == "id"


def test_a_row_of_another_shape_does_not_fit() -> None:
    assert ITEMS.fits((23, 25, 1114, 1700))
    assert not ITEMS.fits((23, 25, 1114))
    assert not ITEMS.fits((23, 25, 1184, 1700))


def test_excluded_columns_are_known_but_not_kept() -> None:
    mapping = mapping_of([("id", 23), ("parent", 23), ("name", 25)], ["id"], exclude=["parent"])
    fields = [int4(1), int4(2), b"x"]
    assert mapping.document(fields)[0] == {"_id": 1, "name": "x"}
    assert mapping.values_text(["parent", "id"], fields) == ("2", "1")
    with pytest.raises(NotMirrored):
        mapping.field_of("parent")
    with pytest.raises(NotMirrored):
        mapping.bson_filter(["parent"], ["2"])
    with pytest.raises(NotMirrored):
        mapping.values_text(["gone"], fields)


def test_documents_are_found_by_the_text_of_their_columns() -> None:
    assert ITEMS.bson_filter(["id", "name"], ["7", None]) == {"_id": 7, "name": None}
    assert ITEMS.bson_filter(["at"], ["2000-01-01 00:00:01.500007"]) == {"at": DatetimeMS(946_684_801_500)}
    with pytest.raises(ValueError, match="invalid literal"):
        ITEMS.bson_filter(["id"], ["seven"])


GEOMETRY = {9000: TypeInfo(9000, "public", "geometry", "b", "U")}


def test_a_type_without_a_decoder_is_taken_from_the_text_of_the_row() -> None:
    mapping = mapping_of([("id", 23), ("g", 9000)], ["id"], GEOMETRY)
    fields = [int4(1), b"\x01\x02"]
    assert mapping.document(fields, b'(1,"POINT(1 2)")') == ({"_id": 1, "g": "POINT(1 2)"}, {})
    assert mapping.document([int4(1), None], b"(1,)") == ({"_id": 1, "g": None}, {})
    assert mapping.values_text(["g"], fields, b'(1,"POINT(1 2)")') == ("POINT(1 2)",)
    for text in (None, b"(1)", b"(", b"(1,\xff)"):
        with pytest.raises(Unrepresentable) as caught:
            mapping.document(fields, text)
        assert caught.value.column == "g"
    with pytest.raises(NotMirrored):
        mapping.values_text(["g"], fields)


def test_text_is_read_in_the_encoding_of_its_session() -> None:
    mapping = mapping_of([("id", 23), ("name", 25), ("c", 1042)], ["id"], encoding="LATIN1")
    assert mapping.document([int4(1), b"caf\xe9", b"\xe9"])[0] == {"_id": 1, "name": "café", "c": "é"}


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"_id": "7"}, "id"),
        ({"name": 5}, "name"),
        ({"at": "2000"}, "at"),
        ({"price": 1.5}, "price"),
        ({"price": {"a": 1}}, "price"),
    ],
)
def test_what_somebody_else_wrote_is_told_by_column(change: dict[str, Any], column: str) -> None:
    document, extra = ITEMS.document([int4(7), b"x", AT, PRICE])
    with pytest.raises(ForeignField) as caught:
        ITEMS.decode({**document, **change}, extra)
    assert caught.value.column == column


@pytest.mark.parametrize("extra", [{"us": {"at": 5000}}, {"us": {"at": "x"}}, {"us": 5}])
def test_a_spoilt_remainder_is_told_too(extra: dict[str, Any]) -> None:
    document, _ = ITEMS.document([int4(7), b"x", AT, PRICE])
    with pytest.raises(ForeignField):
        ITEMS.decode(document, extra)
