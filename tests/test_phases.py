from __future__ import annotations

import pytest

from proxy.phases import (
    DECISIONS,
    LAST_BUILT,
    Decision,
    Holding,
    MixedStores,
    Phase,
    effective_phase,
    statement_phase,
)

P = Phase


def test_phases_stand_in_the_order_in_which_a_table_walks_through_them() -> None:
    assert sorted([P.DECOMMISSION, P.BACKFILL, P.PASSTHROUGH]) == [P.PASSTHROUGH, P.BACKFILL, P.DECOMMISSION]
    assert [str(phase) for phase in P] == [
        "passthrough",
        "dual_write",
        "backfill",
        "dark_read",
        "primary_switch",
        "decommission",
    ]
    assert P.DUAL_WRITE < P.DARK_READ <= P.DARK_READ
    with pytest.raises(TypeError):
        _ = P.DUAL_WRITE < "dark_read"


@pytest.mark.parametrize(
    ("phase", "decision"),
    [
        (P.PASSTHROUGH, Decision(True, False, "none", "postgres", False, "nothing")),
        (P.DUAL_WRITE, Decision(True, True, "async", "postgres", False, "nothing")),
        (P.BACKFILL, Decision(True, True, "async", "postgres", True, "nothing")),
        (P.DARK_READ, Decision(True, True, "async", "postgres", False, "postgres_with_store")),
        (
            P.PRIMARY_SWITCH,
            Decision(True, True, "sync", "store_else_postgres", False, "store_with_postgres"),
        ),
        (P.DECOMMISSION, Decision(False, True, "sync", "store", False, "nothing")),
    ],
)
def test_the_decision_table(phase: Phase, decision: Decision) -> None:
    assert DECISIONS[phase] == decision


def test_every_phase_has_its_row() -> None:
    assert list(DECISIONS) == list(P)


@pytest.mark.parametrize("requested", P)
def test_what_is_not_built_is_held_at_the_last_phase_that_is(requested: Phase) -> None:
    holding = effective_phase(requested, force=True)
    assert holding.requested is requested
    assert holding.effective is min(requested, LAST_BUILT)
    assert holding.held == (requested > LAST_BUILT)
    if holding.held:
        first_missing = list(P)[LAST_BUILT.rank + 1]
        assert holding.reasons == (f"{first_missing} is not built yet; this version stops at {LAST_BUILT}",)
        assert str(holding).startswith(f"requested {requested}, effective {LAST_BUILT}: ")
    else:
        assert holding.reasons == ()
        assert str(holding) == str(requested)


def test_a_closed_gate_holds_the_table_before_it() -> None:
    closed = {P.PRIMARY_SWITCH: ["3 open gaps", "mismatch rate 0.4% > 0.01%"], P.BACKFILL: []}
    holding = effective_phase(P.DECOMMISSION, closed=closed, last_built=P.DECOMMISSION)
    assert holding == Holding(P.DECOMMISSION, P.DARK_READ, ("3 open gaps", "mismatch rate 0.4% > 0.01%"))
    assert str(holding) == (
        "requested decommission, effective dark_read: 3 open gaps; mismatch rate 0.4% > 0.01%"
    )


def test_a_gate_beyond_the_requested_phase_does_not_matter() -> None:
    closed = {P.PRIMARY_SWITCH: ["3 open gaps"]}
    assert effective_phase(P.DARK_READ, closed=closed, last_built=P.DECOMMISSION) == Holding(
        P.DARK_READ, P.DARK_READ
    )


def test_force_goes_through_gates_and_is_seen() -> None:
    closed = {P.DARK_READ: ["backfill at 40%"]}
    holding = effective_phase(P.DARK_READ, closed=closed, force=True, last_built=P.DECOMMISSION)
    assert holding == Holding(P.DARK_READ, P.DARK_READ, (), ("backfill at 40%",))
    assert str(holding) == "dark_read (forced past: backfill at 40%)"


def test_force_does_not_go_past_what_is_firm() -> None:
    holding = effective_phase(
        P.DARK_READ,
        closed={P.DUAL_WRITE: ["no spool"]},
        firm={P.DARK_READ: ["rolled back"]},
        force=True,
        last_built=P.DECOMMISSION,
    )
    assert holding == Holding(P.DARK_READ, P.BACKFILL, ("rolled back",), ("no spool",))


def test_force_does_not_go_past_what_is_built() -> None:
    closed = {P.DARK_READ: ["backfill at 40%"]}
    holding = effective_phase(P.PRIMARY_SWITCH, closed=closed, force=True, last_built=P.DARK_READ)
    assert holding.effective is P.DARK_READ
    assert holding.overridden == ("backfill at 40%",)
    assert holding.reasons == ("primary_switch is not built yet; this version stops at dark_read",)


def test_a_statement_follows_the_earliest_phase_among_its_tables() -> None:
    assert statement_phase([]) is P.PASSTHROUGH
    assert statement_phase([("a", P.DARK_READ)]) is P.DARK_READ
    assert statement_phase([("a", P.PRIMARY_SWITCH), ("b", P.DUAL_WRITE)]) is P.DUAL_WRITE
    assert statement_phase([("a", P.DECOMMISSION), ("b", P.DECOMMISSION)]) is P.DECOMMISSION


def test_a_decommissioned_table_does_not_mix_with_one_on_postgres() -> None:
    with pytest.raises(MixedStores, match=r"uses a, which is decommissioned.* b, which is still") as caught:
        statement_phase([("b", P.PRIMARY_SWITCH), ("a", P.DECOMMISSION)])
    assert caught.value.sqlstate == "0A000"
    assert (caught.value.decommissioned, caught.value.on_postgres) == ("a", "b")
