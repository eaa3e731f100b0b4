"""Every gate before `primary_switch`, held and opened on a real store; force; and what happens to a table inside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from proxy.fleet.losses import LOST, Mark
from proxy.fleet.tallies import Counts
from proxy.phases import Phase
from tests.switching.rig import GATES, Shop, eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

DARK, SWITCH = Phase.DARK_READ, Phase.PRIMARY_SWITCH
ENOUGH = Counts(20)


def put_gap(shop: Shop) -> None:
    now = datetime.now(UTC)
    gap = {
        "database": shop.database, "table": "public.orders", "cause": "ddl", "scope": "table", "rows": None,
        "detail": "", "proxy": "other", "version": 0, "count": 1, "first_seen": now, "last_seen": now,
    }  # fmt: skip
    shop.client["_causeway"]["gaps"].replace_one({"_id": f"gap of {shop.database}"}, gap, upsert=True)


def close_gap(shop: Shop) -> None:
    shop.client["_causeway"]["gaps"].delete_one({"_id": f"gap of {shop.database}"})


def test_each_closed_gate_holds(shop: Shop) -> None:
    with shop.dark():
        shop.asked("primary_switch")
        shop.reaches(DARK, "0 of 20 comparisons within 1h")
        cases: list[tuple[dict[str, Any], str]] = [
            ({"counts": Counts(19)}, "19 of 20 comparisons within 1h"),
            ({"counts": Counts(20, 1)}, "mismatch rate 5 % > 1 %"),
            ({"counts": ENOUGH, "lag": 9.0}, "mirror lag 9.0 s > 5s (proxy other)"),
            ({"counts": ENOUGH, "phase": "backfill"}, "proxy other is in backfill"),
            ({"counts": ENOUGH, "phase": None}, "proxy other does not mirror it"),
            ({"counts": ENOUGH, "gaps": 2}, "2 open gaps"),
            ({"counts": Counts(99, 9), "lag": 6.0}, "mirror lag 6.0 s > 5s (proxy other); mismatch rate 9.09 % > 1 %"),
        ]  # fmt: skip
        for told, why in cases:
            shop.other(**told)
            shop.reaches(DARK, why)
        shop.other(counts=ENOUGH, source="another server")
        shop.reaches(DARK, "0 of 20 comparisons within 1h")
        assert shop.switch == ""
        put_gap(shop)
        eventually(lambda: "1 open gap" in shop.holding()[1])
        shop.other(counts=ENOUGH)
        shop.reaches(DARK, "1 open gap")
        close_gap(shop)
        shop.reaches(SWITCH)
        assert shop.switch == "admitted"


def test_inside_only_what_writes_past_the_documents_puts_it_out(shop: Shop) -> None:
    with shop.dark():
        shop.other(counts=ENOUGH)
        shop.asked("primary_switch")
        shop.reaches(SWITCH)
        shop.other("dual_write", Counts(20, 20), lag=100.0, gaps=3)
        put_gap(shop)
        shop.other("dual_write", Counts(20, 20), lag=100.0, gaps=3)
        eventually(lambda: bool(shop.proxy.report().tables[-1].gaps))
        assert shop.holding() == (SWITCH, "")
        close_gap(shop)
        shop.other(None)
        shop.reaches(DARK, "1 open gap; 0 of 20 comparisons within 1h; proxy other does not mirror it")
        assert shop.gaps() == [("public.orders", "unobserved")], "what it has written is in no document"
        eventually(lambda: shop.switch == "gated")
        shop.alone()
        shop.command("verify", "orders", "--repair")
        assert shop.gaps() == []
        shop.other(counts=ENOUGH)
        shop.reaches(SWITCH)


def test_who_is_lost_or_has_ended_holds_nobody_up(shop: Shop) -> None:
    with shop.dark():
        shop.other(None, clean=True)
        shop.asked("primary_switch", gates={"min_comparisons": 0})
        shop.reaches(SWITCH)
        shop.asked("dark_read", gates={"min_comparisons": 0})
        shop.other(None)
        shop.asked("primary_switch", gates={"min_comparisons": 0})
        shop.reaches(DARK, "proxy other does not mirror it")
        mark = Mark("other", "i", (), {}, datetime.now(UTC), "test").document()
        shop.client["_causeway"][LOST].insert_one({"_id": "other", "value": mark})
        shop.reaches(SWITCH)


def test_going_back_is_immediate_and_a_restart_stays_where_it_was(shop: Shop) -> None:
    with shop.dark():
        shop.other(counts=ENOUGH)
        shop.asked("primary_switch")
        shop.reaches(SWITCH)
    shop.alone()
    with shop.running() as shop.proxy:
        shop.reaches(SWITCH)
        shop.asked("dark_read")
        assert shop.holding() == (DARK, "")
        eventually(lambda: shop.switch == "gated")
        shop.asked("primary_switch")
        shop.reaches(DARK, "0 of 20 comparisons within 1h")


def test_force_overrides_and_is_seen(shop: Shop) -> None:
    with shop.dark():
        shop.other(None)
        shop.asked("primary_switch", force=True)
        why = "0 of 20 comparisons within 1h; proxy other does not mirror it"
        shop.reaches(SWITCH, why)
        report = shop.proxy.report()
        (table,) = [one for one in report.tables if one.table == "public.orders"]
        assert table.holding is not None
        assert table.holding.overridden == why.split("; ")
        assert shop.switch == "", "nobody else is let in by that"
        with shop.proxy.connect(shop.database) as client:
            before = shop.served()
            assert client.execute("SELECT total FROM orders WHERE id = 3").fetchone() == (3,)
            assert shop.served() == before + 1
        shop.asked("primary_switch")
        shop.reaches(DARK, why)


def test_real_comparisons_open_the_gate(shop: Shop) -> None:
    """No made-up proxy: the reads of a client, sampled and compared by the shadow process."""
    shadow = {"sample": "100%"}
    with shop.dark(shadow=shadow) as proxy, proxy.connect(shop.database) as client:
        shop.asked("primary_switch", shadow=shadow)

        def read() -> bool:
            client.execute("SELECT total FROM orders WHERE id = 3")
            return shop.holding()[0] is SWITCH

        eventually(read, lambda: str(shop.holding()))
        assert shop.switch == "admitted"
        counted = shop.proxy.report().shadow
        assert counted is not None
        assert sum(one.outcomes.get("match", 0) for one in counted.tables) >= GATES["min_comparisons"]
