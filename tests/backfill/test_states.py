"""States of comparisons change by compare-and-set: nobody's change is lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from proxy.backfill.report import KIND, Verification, begun
from proxy.backfill.states import all_states, keep, parsed
from proxy.stores.model import ModelStore

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Slow(ModelStore):
    """Others get a turn between reading and writing."""

    async def swap_state(self, *arguments: Any) -> bool:
        await asyncio.sleep(0)
        return await super().swap_state(*arguments)


async def test_every_change_counts() -> None:
    store = Slow()

    def one_more(before: Verification | None) -> Verification:
        state = before or begun(None, "shop.public.t", "me", NOW)
        return replace(state, estimate=state.estimate + 1)

    await asyncio.gather(*(keep(store, "shop.public.t", one_more) for _ in range(10)))
    [state] = (await all_states(store)).values()
    assert (state.estimate, state.revision) == (10, 10)


async def test_no_change_writes_nothing() -> None:
    store = ModelStore()
    assert await keep(store, "shop.public.t", lambda before: None) is None
    assert await all_states(store) == {}


async def test_what_another_version_wrote_is_passed_over_and_replaced() -> None:
    store = ModelStore()
    await store.swap_state(KIND, "shop.public.t", 0, {"quite": "different"})
    assert parsed({"quite": "different", "revision": 1}) is None
    assert await all_states(store) == {}
    await keep(store, "shop.public.t", lambda before: begun(before, "shop.public.t", "me", NOW))
    assert (await all_states(store))["shop.public.t"].revision == 2
