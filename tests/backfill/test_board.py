"""Changes of a run by several processes at once all take effect, each on the newest state."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from proxy.backfill.board import NoRun, RunBoard
from proxy.backfill.moves import tune
from proxy.backfill.run import KIND, Counts, Run
from proxy.stores.model import ModelStore
from proxy.stores.protocol import Document, StoreRefused, StoreUnavailable
from tests.backfill.test_moves import new

TABLE = "shop.public.orders"


class SlowStore(ModelStore):
    """Lets others come between reading and writing; may lose the answer of a write."""

    def __init__(self) -> None:
        super().__init__()
        self.lose_next_answer = False

    async def swap_state(self, kind: str, name: str, expected: int, value: Document | None) -> bool:
        await asyncio.sleep(0)
        done = await super().swap_state(kind, name, expected, value)
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise StoreUnavailable("no answer")
        return done


def one_more(run: Run) -> Run:
    return replace(run, totals=run.totals + Counts(rows=1))


async def board(store: ModelStore) -> RunBoard:
    made = RunBoard(store, TABLE)
    await made.read()
    return made


async def test_no_change_is_lost() -> None:
    store = SlowStore()
    assert await (await board(store)).begin(new())
    boards = [await board(store) for _ in range(5)]
    await asyncio.gather(*(one.change(one_more) for one in boards for _ in range(8)))
    run = await (await board(store)).read()
    assert run is not None
    assert run.totals.rows == 40
    assert run.revision == 41


async def test_one_of_two_begins() -> None:
    store = SlowStore()
    boards = [await board(store) for _ in range(2)]
    assert sorted(await asyncio.gather(*(one.begin(new()) for one in boards))) == [False, True]


async def test_what_changes_nothing_is_not_written() -> None:
    store = ModelStore()
    one = await board(store)
    await one.begin(new())
    assert await one.change(lambda run: run) is one.run
    assert await one.change(lambda run: None) is None
    assert one.run.revision == 1


async def test_after_an_answer_that_was_lost_the_state_is_read_again() -> None:
    store = SlowStore()
    one = await board(store)
    await one.begin(new())
    store.lose_next_answer = True
    with pytest.raises(StoreUnavailable):
        await one.change(one_more)
    assert one.run.totals.rows == 1
    assert one.run.revision == 2


async def test_news() -> None:
    store = ModelStore()
    one, other = await board(store), await board(store)
    await one.begin(new())
    other.news.clear()
    await other.read()
    assert other.news.is_set()
    other.news.clear()
    await other.read()
    assert not other.news.is_set()
    await one.change(lambda run: tune(run, rate=1.0))
    await other.read()
    assert other.news.is_set()


async def test_no_run_and_one_that_cannot_be_read() -> None:
    store = ModelStore()
    with pytest.raises(NoRun):
        await (await board(store)).change(one_more)
    damaged: dict[str, Any] = {"revision": 1, "table": TABLE}
    await store.put_state(KIND, TABLE, damaged)
    with pytest.raises(StoreRefused, match="another version"):
        await board(store)
