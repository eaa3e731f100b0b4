from __future__ import annotations

import pytest

from proxy.catalog.model import TypeInfo
from proxy.documents.codec import Codec
from proxy.documents.types import FIXED, TEXTUAL, NoCodec, codec_of, numeric_precision
from tests.documents.made import int4, record


def resolve(oid: int, typmod: int = -1, *types: TypeInfo) -> Codec:
    return codec_of(oid, typmod, {info.oid: info for info in types}, "utf-8")


def test_no_oid_is_in_two_tables() -> None:
    assert not FIXED.keys() & TEXTUAL.keys()


@pytest.mark.parametrize(
    ("typmod", "precision"), [(-1, None), ((10 << 16 | 2) + 4, 10), ((1000 << 16) + 4, 1000)]
)
def test_the_precision_of_numeric(typmod: int, precision: int | None) -> None:
    assert numeric_precision(typmod) == precision


def test_the_modifier_decides() -> None:
    assert resolve(1042, 8).text("a") == "a   "
    assert resolve(1042).text("a") == "a"
    assert (resolve(1114, 3).timed, resolve(1114, 6).timed, resolve(1184).timed) == (False, True, True)


def test_a_domain_is_its_base_with_the_modifier_of_the_domain() -> None:
    domain = TypeInfo(9000, "public", "short", "d", "S", base=1042, base_typmod=6)
    assert resolve(9000, -1, domain).text("a") == "a "


def test_an_array_hands_its_modifier_down() -> None:
    made = TypeInfo(1014, "pg_catalog", "_bpchar", "b", "A", element=1042)
    assert resolve(1014, 6, made).text((["a"], None, None)) == '{"a "}'


def test_boxes_stand_apart_by_semicolons() -> None:
    made = TypeInfo(1020, "pg_catalog", "_box", "b", "A", element=603, delimiter=";")
    assert (
        resolve(1020, -1, made).text((["(1,1),(0,0)", "(2,2),(0,0)"], None, None))
        == "{(1,1),(0,0);(2,2),(0,0)}"
    )


def test_a_multirange_may_name_its_range_or_the_type_within() -> None:
    one = TypeInfo(3904, "pg_catalog", "int4range", "r", "R", element=23)
    by_range = TypeInfo(4451, "pg_catalog", "int4multirange", "m", "R", element=3904)
    by_subtype = TypeInfo(4451, "pg_catalog", "int4multirange", "m", "R", element=23)
    raw = b"\0\0\0\1" + b"\0\0\0\x11" + b"\2" + b"\0\0\0\4" + int4(1) + b"\0\0\0\4" + int4(3)
    assert resolve(4451, -1, one, by_range).out(raw) == resolve(4451, -1, by_subtype).out(raw) == "{[1,3)}"


def test_within_a_composite_numbers_may_be_of_any_length() -> None:
    made = TypeInfo(9000, "public", "money_amount", "c", "C", fields=(("n", 9001), ("c", 25)))
    wide = TypeInfo(9001, "public", "wide", "d", "N", base=1700, base_typmod=(50 << 16) + 4)
    assert resolve(9000, -1, made, wide).binary
    with pytest.raises(NoCodec):
        resolve(9001, -1, wide)
    plain = TypeInfo(9000, "public", "pair", "c", "C", fields=(("n", 23), ("c", 25)))
    assert resolve(9000, -1, plain).decode(record((23, int4(1)), (25, b"x"))) == "(1,x)"


def test_types_of_extensions_with_a_simple_binary_form() -> None:
    assert resolve(9000, -1, TypeInfo(9000, "public", "citext", "b", "S")).decode(b"X") == "X"
    assert resolve(9000, -1, TypeInfo(9000, "public", "ltree", "b", "U")).decode(b"\1a.b") == "a.b"
    assert not resolve(9000, -1, TypeInfo(9000, "public", "hstore", "b", "U")).binary


def test_an_unknown_oid_is_refused() -> None:
    with pytest.raises(NoCodec):
        resolve(9000)
