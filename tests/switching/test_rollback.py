"""A table falls back by itself when what it serves is wrong, everywhere and for good, until it is told otherwise."""

from __future__ import annotations

import pytest

from proxy.phases import Phase
from tests.switching.rig import ROWS, Shop, eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

DARK, SWITCH = Phase.DARK_READ, Phase.PRIMARY_SWITCH
RULE = {
    "gates": {"min_comparisons": 0, "max_mismatch_rate": "1%"},
    "reads": {"reverse_shadow": "100%"},
    "auto_rollback": {"min_reads": 10, "max_mismatch_rate": "10%"},
}


def test_reads_that_differ_take_the_table_back(shop: Shop) -> None:
    with shop.dark(**RULE) as proxy, proxy.connect(shop.database) as client:
        shop.asked("primary_switch", **RULE)
        shop.reaches(SWITCH)
        assert client.execute("SELECT total FROM orders WHERE id = 7").fetchone() == (7,)
        assert shop.served() == 1
        shop.client[shop.database]["orders"].update_many({}, {"$inc": {"total": 1000}})

        def fallen() -> bool:
            for key in range(1, ROWS + 1):
                client.execute("SELECT total FROM orders WHERE id = %s", (key,))
            return shop.holding()[0] is DARK

        eventually(fallen, lambda: f"{shop.holding()}, {shop.proxy.report().shadow}")
        eventually(lambda: shop.holding()[1].startswith("rolled back by itself on "))
        assert "mismatch rate" in shop.holding()[1]
        assert shop.switch == "rolled_back"
        (table,) = [one for one in proxy.report().tables if one.table == "public.orders"]
        assert table.rollbacks == 1
        assert client.execute("SELECT total FROM orders WHERE id = 7").fetchone() == (7,)
        shop.asked("primary_switch", force=True, **RULE)
        assert shop.holding()[0] is DARK, "not by force"
    shop.ask("primary_switch", **RULE)
    with shop.running() as shop.proxy:
        eventually(lambda: shop.holding()[1].startswith("rolled back by itself on "))
        dry = shop.command("phase", "orders", "primary_switch", "--dry-run")
        assert [one["open"] for one in dry["gates"] if one["gate"] == "rollback"] == [False]
        told = shop.command("phase", "orders", "primary_switch", "--timeout", "20s")
        assert told["let_again"] == [f"{shop.database}.public.orders"]
        assert (told["changed"], told["outcome"]) == (False, "there")
        shop.reaches(SWITCH)
