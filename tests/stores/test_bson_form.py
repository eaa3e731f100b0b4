"""What is written to BSON is read back as plain dicts."""

from __future__ import annotations

import bson
from hypothesis import given
from hypothesis import strategies as st

from proxy.stores.bson_form import OPTIONS, decode

NAMES = st.sampled_from(["$ref", "$id", "$db", "a", "a.b", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_names_of_references_are_names_like_any_other(document: dict[str, object]) -> None:
    assert decode(bson.encode({"x": document}, codec_options=OPTIONS)) == {"x": document}
