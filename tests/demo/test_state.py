from __future__ import annotations

import pytest

from demo.clerks import Report
from demo.metrics import Reading, Traffic
from demo.pgbench import Progress
from demo.shop import TABLES
from demo.state import KEPT_READINGS, Copying, Expectation, State, Step, Waiting, Work
from tests.demo.states import beginning, ended, status, under_load


def test_what_did_not_hold_once_stays_so() -> None:
    state = beginning()
    state.expect("statements go on", True, "5")
    state.expect("statements go on", False, "0")
    state.expect("statements go on", True, "7")
    assert state.expectations == [Expectation("statements go on", False, "0")]


def test_what_was_seen_is_kept_where_there_is_nothing_new() -> None:
    state = beginning()
    state.expect("held", True, "orders")
    state.expect("held", True)
    assert state.expectations == [Expectation("held", True, "orders")]


def test_success_needs_every_step_and_every_expectation() -> None:
    assert ended().success
    state = ended()
    state.expect("another", False)
    assert not state.success
    state = ended()
    state.steps[-1].status = "skipped"
    assert not state.success
    state = ended()
    state.interrupted = True
    assert not state.success
    assert not beginning().success


def test_application_errors_are_those_of_all_applications() -> None:
    state = under_load()
    assert state.application_errors == 0
    state.pgbench["simple"] = Progress(1.0, 1.0, 2)
    state.pgbench_failed = 3
    assert state.application_errors == 5


def test_traffic_is_that_of_the_last_two_seconds() -> None:
    state = State(0.0, [])
    assert state.traffic == Traffic()
    state.add(Reading(at=0.0, statements={"SELECT": 0}))
    assert state.traffic == Traffic()
    for at, count in ((5.0, 1000), (6.0, 1010), (7.0, 1020)):
        state.add(Reading(at=at, statements={"SELECT": count}))
    assert state.traffic.statements_per_second == 10
    assert state.rates(2) == [10, 10]
    assert len(state.rates(50)) == 3


def test_readings_are_bounded() -> None:
    state = State(0.0, [])
    for at in range(KEPT_READINGS + 10):
        state.add(Reading(at=float(at)))
    assert len(state.readings) == KEPT_READINGS
    assert state.last == Reading(at=KEPT_READINGS + 9.0)


def test_what_waits_is_the_sum_of_the_tables_and_the_worst_of_their_lags() -> None:
    waiting = Waiting.of(status(), 7.0)
    assert waiting == Waiting(7.0, len(TABLES) * 34, 3, 0.25)
    bare = status().model_copy(update={"tables": [], "mirror": None})
    assert Waiting.of(bare, 7.0) == Waiting(7.0)


def test_work_is_that_between_two_moments() -> None:
    state = State(0.0, [])
    for at, actions, p50 in ((1.0, 0, 9.0), (2.0, 10, 0.2), (3.0, 20, 0.4), (4.0, 50, 0.3), (5.0, 51, 9.0)):
        state.report(Report(actions=actions, p50=p50), at)
    assert state.work(2.0, 4.0) == Work(0.35, 20.0)
    work = state.work(1.0, 3.0)
    assert work.p50 == pytest.approx(0.3)
    assert work.actions_per_second == 10.0
    assert state.work(6.0, 9.0) == Work(0.0, 0.0)
    assert state.shop is not None
    assert state.shop.actions == 51


def test_the_time_of_a_step() -> None:
    step = Step("one")
    assert step.seconds(50.0) == 0
    step.status, step.began = "running", 40.0
    assert step.seconds(50.0) == 10
    step.status, step.ended = "done", 42.5
    assert step.seconds(50.0) == 2.5


def test_how_far_a_backfill_is() -> None:
    line = {
        "table": "shop.public.visits",
        "share": 0.4199,
        "rows": 12_345,
        "rate": 3456.7,
        "remaining_seconds": 5.04,
        "throttled": "",
        "status": "running",
    }
    assert Copying.of(line).told == "12,345 rows (41 %), 3,457/s, 5.04 s left, running"
    held = {**line, "throttled": "replication lag", "rate": 0.0, "remaining_seconds": None, "share": None}
    assert Copying.of(held).told == "12,345 rows, replication lag"
    assert Copying.of({**line, "status": "done", "rate": 0.0}).told == "12,345 rows (41 %), done"
