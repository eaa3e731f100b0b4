"""The oldest version of what is held is never told as newer than it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.mirror.tides import PER_TIDE, Tide, Tides


@given(
    st.lists(st.tuples(st.one_of(st.integers(1, 1000), st.just(None)), st.booleans()), max_size=60),
    st.randoms(),
)
def test_never_newer_than_anything_held(steps: list[tuple[int | None, bool]], chance: object) -> None:
    tides = Tides()
    held: list[tuple[int, Tide]] = []
    for step, asks in steps:
        if step is not None:
            held.append((step, tides.come(step)))
        elif held:
            _, tide = held.pop(chance.randrange(len(held)))  # type: ignore[attr-defined]
            tides.go(tide)
        if not asks:
            continue
        if held:
            assert tides.oldest is not None
            assert tides.oldest <= min(version for version, _ in held)
        else:
            assert tides.oldest is None


def test_one_run_behind_at_most() -> None:
    tides = Tides()
    first = [tides.come(n) for n in range(PER_TIDE)]
    second = [tides.come(1000 + n) for n in range(PER_TIDE)]
    assert tides.oldest == 0
    for tide in first:
        tides.go(tide)
    assert tides.oldest == 1000
    for tide in second:
        tides.go(tide)
    assert tides.oldest is None
    tides.come(5000)
    assert tides.oldest == 5000


def test_where_something_is_always_held_the_answer_moves_on_with_each_question() -> None:
    tides = Tides()
    before = tides.come(1)
    for version in range(2, PER_TIDE):
        asked = tides.oldest
        after = tides.come(version)
        tides.go(before)
        assert asked == version - 1
        before = after
    assert tides.oldest == PER_TIDE - 1
