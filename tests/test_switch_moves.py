"""What becomes of a table's switch: a table of cases, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.fleet.switches import Switch, Switched
from proxy.switch_moves import Change, View, move
from tests.rulefiles.texts import rules

NOW = datetime(2026, 3, 1, tzinfo=UTC)
IN, OUT, BACK = (
    Switch(state, "digest", NOW, "p") for state in (Switched.ADMITTED, Switched.GATED, Switched.ROLLED_BACK)
)
WANTED = View(wanted=True)


@pytest.mark.parametrize(
    ("switch", "view", "after"),
    [
        (None, replace(WANTED, ready=True), Switched.ADMITTED),
        (OUT, replace(WANTED, ready=True), Switched.ADMITTED),
        (None, WANTED, None),
        (None, View(wanted=False, ready=True), None),
        (OUT, replace(WANTED, ready=True, inside=True), None),
        (IN, WANTED, None),
        (IN, replace(WANTED, told=True), None),
        (IN, replace(WANTED, unseen=True), Switched.GATED),
        (IN, View(wanted=False, told=True, others=True), Switched.GATED),
        (IN, View(wanted=False, others=True), None),
        (IN, View(wanted=False), Switched.GATED),
        (IN, replace(WANTED, inside=True, past="lag"), Switched.ROLLED_BACK),
        (None, replace(WANTED, past="lag"), Switched.ROLLED_BACK),
        (BACK, replace(WANTED, ready=True), None),
        (BACK, replace(WANTED, told=True), Switched.GATED),
        (BACK, View(wanted=False), None),
        (BACK, View(wanted=False, told=True), Switched.GATED),
    ],
)
def test_the_next_state(switch: Switch | None, view: View, after: Switched | None) -> None:
    assert move(switch, view) is after


VIEWS = st.builds(
    View, st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans(),
    st.sampled_from(["", "lag"]),
)  # fmt: skip


@given(st.sampled_from([None, IN, OUT, BACK]), VIEWS)
def test_what_holds_for_every_move(switch: Switch | None, view: View) -> None:
    before = Switched.GATED if switch is None else switch.state
    after = move(switch, view)
    assert after is not before
    if after is Switched.ADMITTED:
        assert before is Switched.GATED
        assert view.wanted and view.ready  # noqa: PT018 - one condition
    if before is Switched.ROLLED_BACK:
        assert (after is Switched.GATED) == view.told, "it stays until told otherwise"
    if after is Switched.ROLLED_BACK:
        assert view.past and view.wanted  # noqa: PT018


def test_only_another_phase_under_other_rules_tells_a_table_otherwise() -> None:
    dark = rules("tables: {orders: {phase: dark_read}, items: {phase: dark_read}}")
    served = rules("tables: {orders: {phase: primary_switch}, items: {phase: dark_read}}")
    gone = rules("tables: {items: {phase: dark_read}}")
    back = replace(BACK, rules=served.digest)
    place = ("shop", "public", "orders")
    assert Change(served, dark).tells(back, *place)
    assert not Change(dark, served).tells(back, *place), (
        "these are the rules it was rolled back under, seen late"
    )
    assert Change(served, gone).tells(back, *place)
    assert not Change(gone, served).tells(back, *place)
    assert not Change(gone, dark).tells(back, *place), "neither asks for primary_switch"
    assert not Change(served, dark).tells(back, "shop", "public", "items"), "its phase is as it was"
    assert not Change(served, dark).tells(None, *place)
