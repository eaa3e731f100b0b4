"""Verdicts on single keys; and a small world of a row, an image queue and looks, in which they must be right."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.backfill.recheck import MAX_LOOKS, Look, Verdict, verdict
from proxy.stores.convergence import Pair

EQUAL = Look(False, Pair(5, 0))
WRONG = Look(True, Pair(5, 0))
WRITTEN = Look(True, Pair(6, 0))
REPAIRED = Look(True, Pair(5, 1))


@pytest.mark.parametrize(
    ("before", "now", "looks", "expected"),
    [
        (None, EQUAL, 1, Verdict.EQUAL),
        (None, WRONG, 1, Verdict.AGAIN),
        (WRONG, EQUAL, 2, Verdict.EQUAL),
        (WRONG, WRONG, 2, Verdict.LASTS),
        (WRONG, WRITTEN, 2, Verdict.AGAIN),
        (WRONG, WRITTEN, MAX_LOOKS, Verdict.FOLLOWED),
        (WRONG, REPAIRED, 2, Verdict.AGAIN),
        (WRONG, REPAIRED, MAX_LOOKS, Verdict.UNSETTLED),
        (WRITTEN, WRITTEN, MAX_LOOKS, Verdict.LASTS),
    ],
)
def test_verdicts(before: Look | None, now: Look, looks: int, expected: Verdict) -> None:
    assert verdict(before, now, looks) is expected


class World:
    """One row, its document, and images that are applied late, some never."""

    def __init__(self) -> None:
        self.clock = 1
        self.row = 0
        self.document = 0
        self.pair = Pair(1, 0)
        self.waiting: list[tuple[int, int]] = []
        """(version, value) of images under way."""
        self.unseen = 0
        """Version of the last write that nobody mirrors, or damage; 0: there is none."""

    def write(self, value: int, *, seen: bool) -> None:
        self.clock += 1
        self.row = value
        if seen:
            self.waiting.append((self.clock, value))
        else:
            self.unseen = self.clock

    def apply(self, up_to: int | None = None) -> None:
        """One image, or all up to a version."""
        while self.waiting and (up_to is None or self.waiting[0][0] <= up_to):
            version, value = self.waiting.pop(0)
            if version > self.pair.version:
                self.pair, self.document = Pair(version, 0), value
            if up_to is None:
                return


steps = st.lists(st.tuples(st.sampled_from(["write", "unseen", "apply"]), st.integers(0, 2)), max_size=4)


@given(st.lists(st.tuples(steps, steps, steps), min_size=MAX_LOOKS, max_size=MAX_LOOKS), st.integers(0, 2))
@settings(max_examples=500)
def test_only_what_nobody_mirrors_lasts(rounds: list[tuple[object, object, object]], damage: int) -> None:
    """`steps` happen between reading the row and noting the position, before and after the document is read."""
    world = World()
    world.document = damage  # by hand
    tampered = damage != world.row
    before: Look | None = None

    def happen(things: object) -> None:
        assert isinstance(things, list)
        for what, value in things:
            if what == "apply":
                world.apply()
            else:
                world.write(value, seen=what == "write")

    for looks, (first, second, third) in enumerate(rounds, 1):
        row = world.row
        happen(first)
        world.clock += 1
        position = world.clock
        happen(second)
        world.apply(up_to=position)
        now = Look(row != world.document, world.pair)
        found = verdict(before, now, looks)
        if found is Verdict.LASTS:
            assert tampered or world.unseen, "nothing was written unseen, and yet it differs"
            return
        if found is not Verdict.AGAIN:
            return
        before = now
        happen(third)
