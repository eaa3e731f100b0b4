"""A table falls back by itself when what it serves is wrong, everywhere and for good, until it is told otherwise."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from devstack.document_store import DocumentStore
from proxy.phases import Phase
from tests.mirroring.relays import StoreRelay
from tests.mirroring.test_outages import store_address
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


class Cable:
    """Between the proxy and the store, on a loop of its own."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._relay = StoreRelay(target)
        self.call(self._relay.listen())

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self._relay.port}/?directConnection=true"

    def call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30.0)

    def pull(self) -> None:
        self.call(self._relay.leave())

    def plug(self) -> None:
        self.call(self._relay.listen())

    def end(self) -> None:
        self.pull()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def cable(document_store: DocumentStore) -> Iterator[Cable]:
    made = Cable(store_address(document_store))
    yield made
    made.end()


def test_a_store_that_fails_takes_the_table_back_and_hears_of_it_later(shop: Shop, cable: Cable) -> None:
    shop.store_uri = cable.uri
    rule = {
        "gates": {"min_comparisons": 0},
        "reads": {"timeout": "1s"},
        "auto_rollback": {"min_reads": 10, "max_error_rate": "50%"},
    }
    with shop.dark(**rule) as proxy, proxy.connect(shop.database) as client:
        shop.asked("primary_switch", **rule)
        shop.reaches(SWITCH)
        assert client.execute("SELECT total FROM orders WHERE id = 7").fetchone() == (7,)
        cable.pull()

        def fallen() -> bool:
            for key in range(1, 6):
                found = client.execute("SELECT total FROM orders WHERE id = %s", (key,)).fetchone()
                assert found == (key,), "clients have their answers all the time"
            return shop.holding()[0] is DARK

        eventually(fallen, lambda: f"{shop.holding()}, {shop.proxy.report().serving}")
        assert shop.holding()[1].startswith("falls back by itself: store errors ")
        assert shop.switch == "admitted", "the store could not be told"
        cable.plug()
        eventually(lambda: shop.switch == "rolled_back")
        eventually(lambda: shop.holding()[1].startswith("rolled back by itself on "))
        assert client.execute("SELECT total FROM orders WHERE id = 7").fetchone() == (7,)
