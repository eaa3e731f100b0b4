"""What the store tells of a fleet and of the gates before a table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import MappingProxyType
from typing import Any

import pytest

from devstack.document_store import DocumentStore
from proxy.backfill.run import KIND as BACKFILL
from proxy.fleet.beats import Beat, TableFact
from proxy.fleet.losses import LOST, PROXIES
from proxy.fleet.standings import Standing
from proxy.fleet.switches import KIND, Switch, Switched
from proxy.fleet.tallies import NOTHING, Counts
from proxy.mirror.effects import TableId
from proxy.names import TableName
from proxy.phases import Phase
from proxy.phasing.fleet import Observer
from proxy.stores.mongo import open_store
from proxy.stores.protocol import GapEntry, Store
from tests.fleet.test_beats import beat
from tests.phasing.test_running import NOW
from tests.rulefiles.texts import rule
from tests.support.fleet import forget_fleet

pytestmark = pytest.mark.integration

ORDERS = TableId("public", "orders")
NAME = TableName("public", "orders", "phasing_shop")
RULE = rule("tables: {orders: {phase: primary_switch}}")


@pytest.fixture
async def store(document_store: DocumentStore) -> AsyncIterator[Store]:
    forget_fleet(document_store.uri)
    made = open_store(document_store.uri)
    for name in await made.get_state(KIND):
        await made.delete_state(KIND, name)
    yield made
    forget_fleet(document_store.uri)
    await made.delete_state(KIND, str(NAME))
    await made.delete_state(BACKFILL, str(NAME))
    await made.close()


def told(
    proxy: str, phase: str = "dark_read", counts: Counts = NOTHING, lag: float = 0.0, **more: Any
) -> Beat:
    fact = TableFact(NAME.database or "", ORDERS, phase, "strict")
    standing = Standing(NAME.database or "", ORDERS, "primary_switch", "", lag, counts)
    given: dict[str, Any] = {"tables": (fact,), "standings": (standing,), "source": "7", **more}
    return beat(proxy, passed=MappingProxyType({NAME.database or "": 1}), **given)


async def put(store: Store, *beats: Beat) -> None:
    for one in beats:
        await store.put_state(PROXIES, one.proxy, one.document())


async def gates(store: Store) -> dict[str, str]:
    """The closed ones."""
    observer = Observer(store, "7")
    judged = await observer.gates(RULE, NAME, Phase.PRIMARY_SWITCH, await observer.proxies())
    return {one.gate.value: one.text for one in judged if not one.open}


async def test_proxies_that_live_in_front_of_the_same_server(store: Store) -> None:
    await put(
        store, told("a"), told("b", clean=True), told("c", source="8"), told("d", role="verify"),
        told("e"), told("f", source=""),
    )  # fmt: skip
    await store.put_state(LOST, "e", {})
    observer = Observer(store, "7")
    assert {one.proxy for one in await observer.proxies()} == {"a", "f"}
    assert observer.met(ORDERS, await observer.proxies()) == (NAME.database,)
    assert observer.silent(0.0) >= {"a", "f"}
    assert observer.silent(60.0) == frozenset()


async def test_the_gates_are_read_from_the_store(store: Store) -> None:
    await put(store, told("a", counts=Counts(600, 1)), told("b", counts=Counts(300), lag=40.0))
    assert await gates(store) == {
        "history": "its history has not been copied; run `causeway backfill public.orders`",
        "lag": "mirror lag 40.0 s > 10s (proxy b)",
        "comparisons": "900 of 1000 comparisons within 1h",
        "mismatches": "mismatch rate 0.111 % > 0.01 %",
    }
    await put(
        store, told("a", counts=Counts(10_000, 1)), told("b", "backfill"), told("c", tables=(), standings=())
    )
    gap = GapEntry(
        "phasing gap", NAME.database or "", "public.orders", "ddl", "table", None, "", "a", 0, 1, NOW, NOW
    )
    await store.open_gap(gap)
    back = Switch(Switched.ROLLED_BACK, "rules", NOW, "a", "mirror lag 40.0 s > 30s")
    await store.swap_state(KIND, str(NAME), 0, back.document())
    found = await gates(store)
    found.pop("history")
    assert found == {
        "gaps": "1 open gap",
        "fleet": "proxy b is in backfill; proxy c does not mirror it",
        "rollback": back.rolled_back,
    }


async def test_a_gap_that_only_its_proxy_knows_counts(store: Store) -> None:
    gaps = MappingProxyType({(NAME.database or "", "public.orders"): 2})
    await put(store, told("a", counts=Counts(2000), gaps=gaps))
    assert (await gates(store))["gaps"] == "2 open gaps"


async def test_only_what_fell_back_is_let_again(store: Store) -> None:
    other = TableName("public", "items", "phasing_shop")
    observer = Observer(store, "7")
    assert await observer.let_again([NAME, other], "new") == []
    admitted = Switch(Switched.ADMITTED, "old", NOW, "a")
    await store.swap_state(KIND, str(other), 0, admitted.document())
    await store.swap_state(KIND, str(NAME), 0, Switch(Switched.ROLLED_BACK, "old", NOW, "a", "x").document())
    assert await observer.let_again([NAME, other], "new") == [NAME]
    kept = await store.get_state(KIND)
    assert (kept[str(NAME)]["state"], kept[str(NAME)]["rules"]) == ("gated", "new")
    assert kept[str(other)]["state"] == "admitted"
    await store.delete_state(KIND, str(other))
