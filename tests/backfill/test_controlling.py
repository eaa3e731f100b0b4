"""Runs are found by the names people write, and changed wherever they are."""

from __future__ import annotations

import pytest

from proxy.backfill.controlling import NotFound, all_runs, change, chosen
from proxy.backfill.moves import tune
from proxy.backfill.run import KIND
from proxy.stores.model import ModelStore
from tests.backfill.test_moves import new

RUNS = [
    new(table="blog.public.orders"),
    new(table="shop.public.orders"),
    new(table="shop.public.items"),
    new(table='"Big Shop".public."Items"'),
    new(table="shop.s.public"),
]


def names(*written: str, every: bool = False) -> list[str]:
    return [run.table for run in chosen(RUNS, written, every=every)]


def test_by_name() -> None:
    assert names("items") == ["shop.public.items"]
    assert names("public.items", "items") == ["shop.public.items"]
    assert names("blog:orders", "shop:public.orders") == ["blog.public.orders", "shop.public.orders"]
    assert names('"Items"') == ['"Big Shop".public."Items"']
    assert names('Big Shop:"Items"') == ['"Big Shop".public."Items"']
    assert names("s.public") == ["shop.s.public"]
    assert names(every=True) == [run.table for run in RUNS]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("orders", "in several databases: blog.public.orders, shop.public.orders"),
        ("nothing", "no backfill of nothing; there are: blog.public.orders"),
        ("news:orders", "no backfill of news:orders"),
        ("Items", "capitals"),
        ("a.b.c", "parts"),
    ],
)
def test_what_is_not_meant_by_a_name(name: str, said: str) -> None:
    with pytest.raises(NotFound, match=said):
        names(name)
    with pytest.raises(NotFound, match="there are: none"):
        chosen([], ["orders"])


async def test_changes_are_written() -> None:
    store = ModelStore()
    for run in RUNS[:2]:
        assert await store.swap_state(KIND, run.table, 0, run.document())
    await store.put_state(KIND, "damaged", {"revision": 1})
    runs = await all_runs(store)
    assert [run.table for run in runs] == ["blog.public.orders", "shop.public.orders"]
    [after] = await change(store, runs[1:], lambda run: tune(run, rate=5.0))
    assert (after.tuning.rate, after.revision) == (5.0, 2)
    assert [run.tuning.rate for run in await all_runs(store)] == [0.0, 5.0]
