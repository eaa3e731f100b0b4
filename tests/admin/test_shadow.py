"""Reports of dark reads add up in whatever order they come, and what differs is shown first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.shadow import (
    ShadowReads,
    ShadowReason,
    ShadowReport,
    ShadowStatement,
    merge_shadows,
    shadow_status,
)

COUNTS = st.dictionaries(st.sampled_from(["match", "mismatch", "error"]), st.integers(1, 9), max_size=3)
BUCKETS = st.lists(st.integers(0, 5), max_size=4)
REPORTS = st.builds(
    ShadowReport,
    tables=st.lists(
        st.builds(ShadowReads, database=st.just("shop"), table=st.sampled_from("ab"), outcomes=COUNTS),
        unique_by=lambda one: one.table,
    ),
    statements=st.lists(
        st.builds(
            ShadowStatement,
            database=st.just("shop"),
            fingerprint=st.sampled_from("fg"),
            statement=st.just("SELECT $1"),
            tables=st.lists(st.sampled_from("ab"), unique=True).map(sorted),
            outcomes=COUNTS,
            source=BUCKETS,
            store=BUCKETS,
        ),
        unique_by=lambda one: one.fingerprint,
    ),
    reasons=st.lists(
        st.builds(
            ShadowReason, outcome=st.just("error"), reason=st.sampled_from("xy"), count=st.integers(1, 9)
        ),
        unique_by=lambda one: one.reason,
    ),
    waiting=st.integers(0, 9),
    up=st.booleans(),
    restarts=st.integers(0, 9),
)


@given(REPORTS, REPORTS, REPORTS)
def test_the_order_of_processes_says_nothing(
    one: ShadowReport, other: ShadowReport, third: ShadowReport
) -> None:
    together = merge_shadows([one, other, third])
    assert together == merge_shadows([third, None, one, other])
    assert together == merge_shadows([merge_shadows([one, other]), third])
    assert together is not None
    assert sum(reason.count for reason in together.reasons) == sum(
        reason.count for report in (one, other, third) for reason in report.reasons
    )
    assert together.up == (one.up and other.up and third.up)


@given(REPORTS)
def test_what_differs_is_shown_first_and_then_what_is_read_most(report: ShadowReport) -> None:
    shown = shadow_status(report)
    order = [(-one.outcomes.get("mismatch", 0), -sum(one.outcomes.values())) for one in shown.statements]
    assert order == sorted(order)
    assert [one.count for one in shown.reasons] == sorted((one.count for one in report.reasons), reverse=True)
    assert {one.fingerprint for one in shown.statements} == {one.fingerprint for one in report.statements}


def test_where_no_process_has_a_shadow_there_is_none() -> None:
    assert merge_shadows([]) is None
    assert merge_shadows([None, None]) is None
