"""What is used stays, what is not goes, and never more than there is room for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.sql.bounded import CHARACTERS_PER_ENTRY, Bounded


def test_the_one_used_last_stays() -> None:
    entries: Bounded[str, int] = Bounded(2)
    entries.put("a", 1)
    entries.put("b", 2)
    assert entries.get("a") == 1
    entries.put("c", 3)
    assert entries.get("b") is None
    assert (entries.get("a"), entries.get("c")) == (1, 3)


def test_size_zero_keeps_nothing() -> None:
    entries: Bounded[str, int] = Bounded(0)
    entries.put("a", 1)
    assert entries.get("a") is None
    assert len(entries) == 0


def test_what_is_heavier_than_all_the_room_leaves_the_others_alone() -> None:
    entries: Bounded[str, int] = Bounded(2)
    entries.put("a", 1, CHARACTERS_PER_ENTRY)
    entries.put("b", 2, 2 * CHARACTERS_PER_ENTRY + 1)
    assert entries.get("a") == 1
    assert entries.get("b") is None


def test_a_heavy_one_takes_the_room_of_several() -> None:
    entries: Bounded[str, int] = Bounded(3)
    for key in "abc":
        entries.put(key, 1, CHARACTERS_PER_ENTRY)
    entries.put("d", 4, 2 * CHARACTERS_PER_ENTRY)
    assert [entries.get(key) for key in "abcd"] == [None, None, 1, 4]


@given(
    st.integers(0, 4),
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.none() | st.integers(0, 3 * CHARACTERS_PER_ENTRY)),
        max_size=40,
    ),
)
def test_it_holds_the_newest_that_fit(size: int, script: list[tuple[str, int | None]]) -> None:
    """Against a list, the one used last at its end."""
    entries: Bounded[str, int] = Bounded(size)
    model: list[tuple[str, int, int]] = []
    for number, (key, weight) in enumerate(script):
        found = next((entry for entry in model if entry[0] == key), None)
        if found is not None:
            model.remove(found)
        if weight is None:
            assert entries.get(key) == (None if found is None else found[1])
            if found is not None:
                model.append(found)
            continue
        entries.put(key, number, weight)
        if weight <= size * CHARACTERS_PER_ENTRY:
            model.append((key, number, weight))
            while len(model) > size or sum(entry[2] for entry in model) > size * CHARACTERS_PER_ENTRY:
                del model[0]
        assert len(entries) == len(model)
