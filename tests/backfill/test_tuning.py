"""Limits as people write them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from proxy.backfill.run import Tuning
from proxy.backfill.tuning import Impossible, read_tuning


def test_only_what_is_given_is_changed() -> None:
    assert read_tuning() == {}
    assert read_tuning(rate=0.0, max_lag="1m30s", max_lag_bytes="64MiB", max_store_latency="0") == {
        "rate": 0.0,
        "max_lag_seconds": 90.0,
        "max_lag_bytes": 64 << 20,
        "max_store_latency": 0.0,
    }


def test_every_limit_can_be_set() -> None:
    given = read_tuning(
        rate=1.0, concurrency=2, chunk_rows=3, max_lag="1s", max_lag_bytes="1B", max_sessions=4,
        max_store_latency="1s", throttle_query="select 1", throttle_limit=0.0,
    )  # fmt: skip
    assert set(given) == {one.name for one in fields(Tuning)}
    Tuning(**given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rate": -1.0}, "--rate"),
        ({"rate": float("nan")}, "--rate"),
        ({"concurrency": 0}, "--concurrency lies between 1 and 64"),
        ({"chunk_rows": 10**6}, "--chunk-rows"),
        ({"max_sessions": -1}, "--max-sessions"),
        ({"max_lag": "soon"}, "--max-lag: 'soon' is not a duration"),
        ({"max_lag_bytes": "much"}, "--max-lag-bytes"),
        ({"max_store_latency": "-1s"}, "--max-store-latency"),
        ({"throttle_query": "select 1"}, "needs --throttle-limit"),
        ({"throttle_limit": float("inf")}, "--throttle-limit"),
    ],
)
def test_what_makes_no_sense_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Impossible, match=said):
        read_tuning(**given)
