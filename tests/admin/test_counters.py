"""Counters, their snapshots and sums."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.counters import MAX_VERBS, OWN_SHARE_BUCKETS, Counters, merge
from proxy.admin.mirror import MirrorReport, TableReport

amounts = st.dictionaries(st.sampled_from(["08", "22", "57"]), st.integers(0, 1000))


@given(first=amounts, second=amounts)
def test_a_merge_is_a_sum(first: dict[str, int], second: dict[str, int]) -> None:
    snapshots = []
    for part in (first, second):
        counters = Counters()
        counters.errors.update(part)
        counters.bytes_from_client = sum(part.values())
        counters.own_share[3] = len(part)
        counters.loop_lag_max = float(len(part))
        snapshots.append(json.loads(json.dumps(counters.snapshot())))
    total = merge(snapshots)
    assert total["errors"] == {k: first.get(k, 0) + second.get(k, 0) for k in first.keys() | second.keys()}
    assert total["bytes_from_client"] == sum(first.values()) + sum(second.values())
    assert total["own_share"][3] == len(first) + len(second)
    assert len(total["own_share"]) == OWN_SHARE_BUCKETS
    assert total["loop_lag_max"] == max(len(first), len(second))


def test_a_snapshot_is_a_copy() -> None:
    counters = Counters()
    snapshot = counters.snapshot()
    counters.errors["22"] += 1
    counters.own_share[0] += 1
    assert snapshot["errors"] == {}
    assert snapshot["own_share"][0] == 0


def test_merge_ignores_what_a_newer_process_counts_and_nothing_is_zero() -> None:
    assert merge([]) == Counters().snapshot()
    assert merge([{"unheard_of": 5}]) == Counters().snapshot()


def test_the_mirrors_of_several_processes_are_merged() -> None:
    table = TableReport(database="shop", table="public.orders", captured=2)
    counters = Counters()
    assert counters.snapshot()["mirror"] is None
    counters.mirror = lambda: MirrorReport(tables=[table], spool_bytes=10)
    snapshot = json.loads(json.dumps(counters.snapshot()))
    total = MirrorReport.model_validate(merge([snapshot, Counters().snapshot(), snapshot])["mirror"])
    assert total.spool_bytes == 20
    assert [one.captured for one in total.tables] == [4]


def test_verbs_are_bounded_and_named() -> None:
    counters = Counters()
    counters.new_verb(b"BEGIN\x00")
    for number in range(MAX_VERBS + 10):
        counters.new_verb(b"V%d" % number)
    shown = counters.snapshot()["statements"]
    assert shown["BEGIN"] == 1
    assert shown["OTHER"] == 11
    assert len(shown) == MAX_VERBS + 1
