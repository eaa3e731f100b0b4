"""Tables enter `dark_read` once their history is in the store and no gap is open."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from proxy.admin.history import BackfillStatus, TableHistory, VerifyStatus
from proxy.gates import held_back
from proxy.names import TableName
from proxy.phases import Holding, Phase

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAME = TableName("public", "orders", "shop")
OUTSIDE, INSIDE = Holding(Phase.DARK_READ, Phase.BACKFILL), Holding(Phase.DARK_READ, Phase.DARK_READ)


def copied(status: Any = "done") -> TableHistory:
    return TableHistory(BackfillStatus(status=status, started_at=NOW, updated_at=NOW))


def verified(left: int | None = 0) -> TableHistory:
    whole = None if left is None else NOW
    return TableHistory(
        None,
        VerifyStatus(outcome="equal", started_at=NOW, updated_at=NOW, whole_ended_at=whole, whole_left=left),
    )


def why(history: TableHistory | None, holding: Holding = OUTSIDE, gaps: int = 0) -> str:
    found = held_back(
        [(NAME, holding)],
        {} if history is None else {str(NAME): history},
        {("shop", "public.orders", "trigger"): gaps, ("blog", "public.orders", "trigger"): 5},
    )
    assert found is not None
    return found.get(str(NAME), "")


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        (None, "its history has not been copied; run `causeway backfill public.orders`"),
        (copied(), ""),
        (copied("running"), "its backfill is running"),
        (copied("failed"), "its backfill is failed"),
        (verified(), ""),
        (verified(3), "has not been copied"),
        (verified(None), "has not been copied"),
    ],
)
def test_the_history_must_be_there(history: TableHistory | None, reason: str) -> None:
    assert reason in why(history)
    assert bool(why(history)) == bool(reason)


def test_open_gaps_keep_out_and_do_not_throw_out() -> None:
    assert why(copied(), gaps=1) == "1 open gap"
    assert why(copied(), gaps=2) == "2 open gaps"
    assert why(copied(), INSIDE, gaps=2) == ""
    assert why(copied("running"), INSIDE) == "its backfill is running"


def test_a_store_that_has_told_nothing_lets_nobody_in() -> None:
    assert held_back([(NAME, OUTSIDE)], None, {}) is None
