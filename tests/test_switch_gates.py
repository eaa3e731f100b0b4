"""Each gate before `primary_switch` by itself, and the limits past which a table falls back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.fleet.standings import Seat, Standing
from proxy.fleet.switches import Switch, Switched
from proxy.fleet.tallies import Counts
from proxy.mirror.effects import TableId
from proxy.mirror.tables import Closed
from proxy.phases import Holding, Phase
from proxy.rulefiles.schema import AutoRollback, Gates
from proxy.switch_gates import Evidence, closed, entering, past_limits, refreshed, shown

ORDERS = TableId("public", "orders")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
BACK = Switch(Switched.ROLLED_BACK, "digest", NOW, "p", "mirror lag 40.0 s > 30s")


def seat(
    proxy: str = "p",
    phase: Phase | None = Phase.DARK_READ,
    compared: int = 1000,
    mismatched: int = 0,
    lag: float = 0.0,
    **more: Any,
) -> Seat:
    counts = Counts(compared, mismatched)
    return Seat(proxy, phase, Standing("shop", ORDERS, "primary_switch", "", lag, counts), **more)


def known(*seats: Seat, gaps: int = 0, switch: Switch | None = None, **gates: Any) -> Evidence:
    return Evidence(Gates.model_construct(**gates), gaps, seats or (seat(),), switch)


def reasons(evidence: Evidence, *, inside: bool = False) -> str:
    return "; ".join(closed(evidence, inside=inside).reasons)


@pytest.mark.parametrize(
    ("evidence", "why"),
    [
        (known(), ""),
        (known(gaps=1), "1 open gap"),
        (known(gaps=3), "3 open gaps"),
        (known(seat(lag=10.0)), ""),
        (known(seat(lag=12.34)), "mirror lag 12.3 s > 10s"),
        (known(seat("one"), seat("another one", lag=11.0)), "mirror lag 11.0 s > 10s (proxy another )"),
        (known(seat(compared=412)), "412 of 1000 comparisons within 1h"),
        (known(seat("a", compared=400), seat("b", compared=600)), ""),
        (known(seat(compared=0), min_comparisons=0), ""),
        (known(seat(mismatched=4)), "mismatch rate 0.4 % > 0.01 %"),
        (known(seat("a", mismatched=1), seat("b", compared=9000)), ""),
        (known(seat("a", mismatched=2), seat("b", compared=9000)), "mismatch rate 0.02 % > 0.01 %"),
        (known(seat(), seat("0123456789", Phase.BACKFILL)), "proxy 01234567 is in backfill"),
        (known(seat(), seat("0123456789", None)), "proxy 01234567 does not mirror it"),
        (known(seat(), seat("0123456789", Phase.PRIMARY_SWITCH)), ""),
        (known(seat(), seat("idle", None, unused=True)), ""),
        (
            known(seat(), *(seat(name, None) for name in "abcde")),
            "proxy a does not mirror it; proxy b does not mirror it; proxy c does not mirror it; and 2 more",
        ),
        (
            known(seat(mismatched=4), gaps=3),
            "3 open gaps; mismatch rate 0.4 % > 0.01 %",
        ),
    ],
)
def test_the_gates_on_the_way_in(evidence: Evidence, why: str) -> None:
    assert reasons(evidence) == why
    assert {one.open for one in entering(evidence)} == ({True} if not why else {True, False})


def test_inside_only_a_proxy_that_does_not_mirror_counts() -> None:
    bad = known(seat(lag=99.0, mismatched=500, compared=600), gaps=9)
    assert reasons(bad, inside=True) == ""
    assert reasons(known(seat(), seat("b", Phase.DUAL_WRITE)), inside=True) == ""
    assert reasons(known(seat(), seat("b", None)), inside=True) == "proxy b does not mirror it"


def test_a_table_that_was_rolled_back_stays_out_whatever_is_forced() -> None:
    found = closed(known(switch=BACK), inside=False)
    assert found == Closed((), (BACK.rolled_back,))


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=5), st.floats(0, 1))
def test_the_rate_is_that_of_the_fleet(counted: list[tuple[int, int]], most: float) -> None:
    seats = [
        seat(str(number), compared=good + bad, mismatched=bad) for number, (good, bad) in enumerate(counted)
    ]
    compared, mismatched = sum(good + bad for good, bad in counted), sum(bad for _, bad in counted)
    text = reasons(known(*seats, min_comparisons=0, max_mismatch_rate=most))
    assert ("mismatch rate" in text) == (compared > 0 and mismatched / compared > most)


def limits(least: int = 10, **given: Any) -> AutoRollback:
    return AutoRollback.model_construct(min_reads=least, **given)


@pytest.mark.parametrize(
    ("given", "counts", "lag", "why"),
    [
        ({"max_mismatch_rate": 0.01}, Counts(100, 2), 0.0, "mismatch rate 2 % > 1 %"),
        ({"max_mismatch_rate": 0.01}, Counts(100, 1), 0.0, ""),
        ({"max_mismatch_rate": 0.01}, Counts(9, 9), 0.0, ""),
        ({"max_mismatch_rate": 0.0}, Counts(10, 1), 0.0, "mismatch rate 10 % > 0 %"),
        ({"max_error_rate": 0.05}, Counts(0, 0, 94, 6), 0.0, "store errors 6 % > 5 % of the reads"),
        ({"max_error_rate": 0.05}, Counts(0, 0, 95, 5), 0.0, ""),
        ({"max_error_rate": 0.05}, Counts(0, 0, 0, 9), 0.0, ""),
        ({"max_error_rate": 0.05}, Counts(500, 500), 0.0, ""),
        ({"max_lag": 30.0}, Counts(), 30.0, ""),
        ({"max_lag": 30.0}, Counts(), 30.5, "mirror lag 30.5 s > 30s"),
        ({"max_mismatch_rate": 0.01}, Counts(0, 0, 0, 99), 1e6, ""),
    ],
)
def test_the_limits(given: dict[str, Any], counts: Counts, lag: float, why: str) -> None:
    assert past_limits(limits(**given), counts, lag) == why


def test_without_limits_nothing_falls_back() -> None:
    assert past_limits(None, Counts(100, 100, 100, 100), 1e9) == ""


@given(
    st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.floats(0, 100),
    st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 100), st.integers(1, 200),
)  # fmt: skip
def test_exactly_what_is_past_a_limit_falls_back(
    good: int,
    bad: int,
    served: int,
    failed: int,
    lag: float,
    rate: float,
    errors: float,
    most: float,
    least: int,
) -> None:
    rule = limits(least, max_mismatch_rate=rate, max_error_rate=errors, max_lag=most)
    past = (
        (good + bad >= least and bad / (good + bad) > rate)
        or (served + failed >= least and failed / (served + failed) > errors)
        or lag > most
    )
    assert bool(past_limits(rule, Counts(good + bad, bad, served, failed), lag)) == past


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.004, "0.4 %"),
        (0.0001, "0.01 %"),
        (1 / 3, "33.3 %"),
        (1e-7, "1e-05 %"),
    ],
)
def test_rates_are_shown_with_three_digits(rate: float, text: str) -> None:
    assert shown(rate) == text


def test_a_holding_is_told_in_the_figures_of_now() -> None:
    used, fresh = Closed(("9 of 1000 comparisons within 1h",)), Closed(("1 open gap", "10 of 1000"))
    held = Holding(Phase.PRIMARY_SWITCH, Phase.DARK_READ, used.reasons)
    assert refreshed(held, used, fresh).reasons == fresh.reasons
    forced = Holding(Phase.PRIMARY_SWITCH, Phase.PRIMARY_SWITCH, (), ("its history", *used.reasons))
    assert refreshed(forced, used, fresh).overridden == ("its history", "1 open gap", "10 of 1000")
    elsewhere = Holding(Phase.PRIMARY_SWITCH, Phase.BACKFILL, ("its history",))
    assert refreshed(elsewhere, used, fresh) == elsewhere
    firm = Holding(Phase.PRIMARY_SWITCH, Phase.DARK_READ, ("falls back",))
    assert refreshed(firm, Closed((), ("falls back",)), Closed((), ("rolled back",))).reasons == (
        "rolled back",
    )
