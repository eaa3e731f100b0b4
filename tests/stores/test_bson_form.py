"""What is written to BSON is read back as plain dicts."""

from __future__ import annotations

import bson
import pytest
from bson import Int64
from bson.raw_bson import RawBSONDocument
from hypothesis import given
from hypothesis import strategies as st

from proxy.stores.bson_form import OPTIONS, SEEDED, Encoded, decode, element

NAMES = st.sampled_from(["$ref", "$id", "$db", "a", "a.b", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_names_of_references_are_names_like_any_other(document: dict[str, object]) -> None:
    assert decode(bson.encode({"x": document}, codec_options=OPTIONS)) == {"x": document}


def test_what_is_encoded_is_a_document_like_any_other() -> None:
    raw = bson.encode({"_id": 1, "a": {"b": [Int64(2)]}}, codec_options=OPTIONS)
    one = Encoded(1, raw)
    assert bson.encode(one) == raw
    assert bson.encode({"x": one, "y": [one]}) == bson.encode({"x": decode(raw), "y": [decode(raw)]})
    assert dict(one) == decode(raw)
    assert list(one.items()) == list(decode(raw).items())
    assert (one["_id"], one.get("b"), len(one)) == (1, None, 2)
    assert one == Encoded(1, raw) == RawBSONDocument(raw)
    assert one != decode(raw)
    assert repr(one).startswith("Encoded(1, b'")
    with pytest.raises(TypeError):
        hash(one)


def test_an_element_is_a_document_without_its_ends() -> None:
    document = {"v": Int64(0), "r": 0}
    assert element("v", Int64(0)) + element("r", 0) == SEEDED
    assert bson.encode(document) == bytes([len(SEEDED) + 5, 0, 0, 0]) + SEEDED + b"\0"
