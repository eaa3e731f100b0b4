"""Effects survive the way through bytes; bytes that are none are told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.mirror.effects import Cause, Effect, Image, Rows, TableId, Truncation, Unseen
from proxy.mirror.packing import Damaged, pack, unpack
from proxy.sql.model import Verb

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
TABLE = st.builds(TableId, TEXT, TEXT)
ROWS = st.integers(1, 3).flatmap(
    lambda width: st.builds(
        Rows,
        st.tuples(*[TEXT] * width),
        st.lists(st.tuples(*[st.none() | TEXT] * width), max_size=3).map(tuple),
    )
)
EFFECTS = st.lists(
    st.one_of(
        st.builds(Image, st.sampled_from(Verb), st.binary(max_size=40)),
        st.builds(Unseen, st.sampled_from(Cause), TABLE, st.none() | ROWS, TEXT),
        st.builds(Truncation, st.lists(TABLE, min_size=1, max_size=3).map(tuple), st.integers(0, 2**63 - 1)),
    ),
    max_size=6,
)


@given(EFFECTS)
def test_there_and_back(effects: list[Effect]) -> None:
    assert unpack(pack(effects)) == effects


@given(EFFECTS.filter(bool), st.data())
def test_a_piece_of_it_is_damaged_or_ends_between_two_effects(
    effects: list[Effect], data: st.DataObject
) -> None:
    whole = pack(effects)
    cut = data.draw(st.integers(0, len(whole) - 1))
    try:
        found = unpack(whole[:cut])
    except Damaged:
        return
    assert found == effects[: len(found)]
    assert pack(found) == whole[:cut]


@pytest.mark.parametrize("data", [b"X\0\0\0\1x", b"?\0\0\0\2{]", b"?\0\0\0\2[]", b"T\0\0\0\4null", b"I"])
def test_other_bytes_are_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        unpack(data)
