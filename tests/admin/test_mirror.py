"""What the mirrors of several processes tell as one."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from proxy.admin.mirror import (
    LATENCY_BUCKETS,
    NOTHING_MIRRORED,
    TABLE_COUNTERS,
    CatalogueReport,
    MirrorReport,
    TableHolding,
    TableReport,
    compose,
    describe,
    merge,
    overview,
)
from proxy.mirror.meters import COUNTERS, Meters
from proxy.mirror.meters import LATENCY_BUCKETS as meters_buckets
from proxy.phases import Holding, Phase


def holding(effective: Phase, *reasons: str) -> TableHolding:
    return TableHolding(requested=Phase.DUAL_WRITE, effective=effective, reasons=list(reasons))


def table(name: str = "public.orders", database: str = "shop", **values: object) -> TableReport:
    return TableReport.model_validate({"database": database, "table": name, **values})


def test_counts_add_up_and_of_lags_the_worst_counts() -> None:
    one = MirrorReport(tables=[table(captured=3, queued=1, lag_seconds=2.0, lag_bytes=10)], memory_bytes=5)
    other = MirrorReport(tables=[table(captured=4, queued=2, lag_seconds=1.0, lag_bytes=20)], memory_bytes=6)
    total = merge([one, other])
    assert total is not None
    assert total.tables == [table(captured=7, queued=3, lag_seconds=2.0, lag_bytes=20)]
    assert total.memory_bytes == 11


def test_tables_of_different_databases_stay_apart_and_in_order() -> None:
    total = merge([MirrorReport(tables=[table(database="b")]), MirrorReport(tables=[table(database="a")])])
    assert total is not None
    assert [one.database for one in total.tables] == ["a", "b"]


def test_a_gap_that_two_processes_see_is_one_gap() -> None:
    one = MirrorReport(tables=[table(gaps={"copy": 2, "ddl": 1})])
    other = MirrorReport(tables=[table(gaps={"copy": 2, "trigger": 1})])
    total = merge([one, other])
    assert total is not None
    assert total.tables[0].gaps == {"copy": 2, "ddl": 1, "trigger": 1}


def test_a_table_is_in_the_earliest_phase_any_process_has_it_in() -> None:
    held = holding(Phase.PASSTHROUGH, "no store")
    one = MirrorReport(tables=[table(holding=holding(Phase.DUAL_WRITE))])
    other = MirrorReport(tables=[table(holding=held)])
    for pair in ([one, other], [other, one]):
        total = merge(pair)
        assert total is not None
        assert total.tables[0].holding == held


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        (("ok", "away"), "away"),
        (("away", "refused"), "refused"),
        (("unknown", "ok"), "ok"),
        (("unknown", "unknown"), "unknown"),
    ],
)
def test_of_states_the_worst_is_shown(states: Sequence[str], worst: str) -> None:
    reports = [
        MirrorReport.model_validate(
            {"store": state, "store_error": state, "catalogues": [{"database": "shop", "state": state}]}
        )
        for state in states
    ]
    for order in (reports, reports[::-1]):
        total = merge(order)
        assert total is not None
        assert (total.store, total.store_error) == (worst, worst)
        assert [one.state for one in total.catalogues] == [worst]


def test_a_report_is_composed_of_its_parts() -> None:
    meters = Meters(lambda: 10.0)
    meters.store = "ok"
    meters.table("shop", "public.orders").captured = 3
    meters.table("shop", "public.orders").took(0.001)
    report = compose(
        meters.snapshot(),
        gaps={("shop", "public.orders", "copy"): 2, ("shop", "public.carts", "ddl"): 1},
        holdings={("shop", "public.notes"): Holding(Phase.DUAL_WRITE, Phase.PASSTHROUGH, ("no key",))},
        catalogues=[CatalogueReport(database="shop", state="ok")],
        cache=(5, 1),
    )
    carts, notes, orders = report.tables
    assert (carts.table, carts.gaps) == ("public.carts", {"ddl": 1})
    assert notes.holding == holding(Phase.PASSTHROUGH, "no key")
    assert (orders.captured, orders.gaps, sum(orders.latency)) == (3, {"copy": 2}, 1)
    assert (report.store, report.statement_cache_hits, report.statement_cache_misses) == ("ok", 5, 1)
    assert [one.state for one in report.catalogues] == ["ok"]


def test_meters_and_report_have_the_same_buckets() -> None:
    assert meters_buckets == LATENCY_BUCKETS
    assert set(TABLE_COUNTERS) == set(COUNTERS)


def test_nothing_is_merged_of_nothing() -> None:
    assert merge([]) is None


def test_without_writes_there_is_nothing_to_tell() -> None:
    assert describe(table()) == NOTHING_MIRRORED


def test_a_report_crosses_the_wire_unchanged() -> None:
    report = MirrorReport(
        tables=[table(gaps={"copy": 1}, latency=[0, 1], holding=holding(Phase.PASSTHROUGH, "no store"))],
        store="away",
        catalogues=[CatalogueReport(database="shop", state="ok", generation=3)],
    )
    assert MirrorReport.model_validate(json.loads(json.dumps(report.model_dump(mode="json")))) == report
    assert overview(report).catalogues == report.catalogues
