"""Tombstones of keys that lie side by side are found, as one by one, whatever lies between them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from bson import Int64

from proxy.stores.convergence import FLOOR, Area
from proxy.stores.identity import identity
from proxy.stores.mongo import MongoStore
from proxy.stores.mongo_commands import MongoCollections
from proxy.stores.protocol import Key, Namespace, Outcome, Write

pytestmark = pytest.mark.integration

KINDS: dict[str, Callable[[int], Any]] = {
    "int": lambda n: n - 40,
    "Int64": lambda n: Int64(n + 2**40),
    "text": lambda n: f"kä'{n:04}\U0001f600"[n % 3 :],
    "uuid": lambda n: uuid.uuid5(uuid.NAMESPACE_URL, str(n)),
    "several": lambda n: {"a": n // 10, "b": n % 10},
    "float": float,
    "mixed": lambda n: n if n % 2 else str(n),
}


def deleted(values: list[Any]) -> list[Write]:
    return [Write(Key(value, identity(value)), None, 100 + n) for n, value in enumerate(values)]


async def check(store: MongoStore, namespace: Namespace, ids: list[Any]) -> int:
    """The number found."""
    table = MongoCollections(store._link, namespace)
    one_by_one = await table.pairs(Area.TOMBSTONES, [FLOOR, *ids])
    near = await table.graves(ids)
    wanted = {identity(FLOOR), *map(identity, ids)}
    assert {key: pair for key, pair in near.items() if key in wanted} == one_by_one
    return len(one_by_one)


@pytest.mark.parametrize("kind", KINDS)
async def test_both_ways_find_the_same(store: MongoStore, namespace: Namespace, kind: str) -> None:
    values = [KINDS[kind](n) for n in range(120)]
    await store.apply(namespace, deleted(values[::7]))
    assert await check(store, namespace, values) == 18
    assert await check(store, namespace, values[30:60]) == 4
    assert await check(store, namespace, values[:5]) == 1
    await store.truncate(namespace, 50)
    assert await check(store, namespace, values[30:60]) == 5


async def test_where_more_lie_between_than_are_looked_for(store: MongoStore, namespace: Namespace) -> None:
    await store.apply(namespace, deleted(list(range(200))))
    assert await check(store, namespace, list(range(0, 400, 10))) == 20


async def test_a_seed_among_tombstones(store: MongoStore, namespace: Namespace) -> None:
    await store.apply(namespace, deleted(list(range(0, 100, 9))))
    writes = [Write(Key(n, n), {"_id": n}, 0) for n in range(100)]
    answers = await store.seed(namespace, writes)
    assert [n for n, answer in enumerate(answers) if answer is Outcome.STALE] == list(range(0, 100, 9))
    there = {document["_id"] for document in await store._link.find(namespace, {}, {"_id": 1})}
    assert there == set(range(100)) - set(range(0, 100, 9))
