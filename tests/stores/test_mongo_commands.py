"""The elementary writes, each by itself: what they may replace and take away, and how they go into commands."""

from __future__ import annotations

import math
import uuid
from random import Random
from typing import Any

import bson
import pytest
from bson import Decimal128, Int64
from hypothesis import given
from hypothesis import strategies as st

from proxy.stores import mongo_commands
from proxy.stores.convergence import Area, Item, Pair, Wrote
from proxy.stores.identity import identity
from proxy.stores.mongo import MongoStore
from proxy.stores.mongo_commands import (
    MAX_DOCUMENT,
    MongoCollections,
    _encoded,
    _pair,
    _portions,
    _possible,
    _whole,
)
from proxy.stores.protocol import Namespace, Poison

PAIRS = [Pair(version, repairs) for version in (0, 1, 2, 7) for repairs in (0, 1, 3)]


def item(id_: Any, pair: Pair, **document: Any) -> Item:
    return Item(id_, pair, document)


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(3))
async def test_the_pair_in_one_place_only_grows(store: MongoStore, namespace: Namespace, seed: int) -> None:
    """Whatever the order of the writes, the largest stands, and each answer says what its write did."""
    table, random = MongoCollections(store.link, namespace), Random(seed)
    there: dict[int, Pair] = {}
    for _ in range(40):
        key, pair = random.randrange(4), random.choice(PAIRS)
        (answer,) = await table.upsert(Area.DOCUMENTS, [item(key, pair, x=str(pair))])
        if key not in there:
            assert answer is Wrote.CREATED
        else:
            assert answer is (Wrote.REPLACED if there[key] < pair else Wrote.EXISTS)
        there[key] = max(pair, there.get(key, pair))
    found = await table.documents(list(range(4)))
    assert {key: found[identity(key)].pair for key in there} == there
    assert all(one.document["x"] == str(one.pair) for one in found.values())
    assert await table.pairs(Area.DOCUMENTS, list(range(9))) == {
        identity(key): pair for key, pair in there.items()
    }


@pytest.mark.integration
async def test_only_what_is_smaller_is_taken_away(store: MongoStore, namespace: Namespace) -> None:
    table = MongoCollections(store.link, namespace)
    for limit in PAIRS:
        await table.upsert(Area.DOCUMENTS, [item(number, pair) for number, pair in enumerate(PAIRS)])
        removed = await table.remove([item(number, limit) for number in range(len(PAIRS))])
        left = await table.pairs(Area.DOCUMENTS, list(range(len(PAIRS))))
        assert set(left.values()) == {pair for pair in PAIRS if pair >= limit}
        assert removed == len(PAIRS) - len(left)


MARKS: list[tuple[Any, Pair]] = [
    (None, Pair(0, 0)),
    ("text", Pair(0, 0)),
    ({}, Pair(0, 0)),
    ({"v": Int64(5), "r": 2}, Pair(5, 2)),
    ({"v": 5.7, "r": "x"}, Pair(5, 0)),
    ({"v": Decimal128("5"), "r": True}, Pair(5, 0)),
    ({"v": math.nan}, Pair(0, 0)),
    ({"v": math.inf}, Pair(2**63 - 1, 0)),
    ({"v": [5]}, Pair(0, 0)),
]


@pytest.mark.integration
@pytest.mark.parametrize(("mark", "pair"), MARKS)
async def test_marks_that_others_have_spoilt(
    store: MongoStore, namespace: Namespace, mark: Any, pair: Pair
) -> None:
    """A document that somebody else has put there counts as older than any image, and equals no row's."""
    assert _pair(mark) == pair
    table = MongoCollections(store.link, namespace)
    document = {"_id": 1, "x": 1} if mark is None else {"_id": 1, "x": 1, "_cw": mark}
    await store.link.client[namespace.database][namespace.collection].insert_one(document)
    found = (await table.documents([1]))[identity(1)]
    assert (found.pair, found.document) == (pair, {"_id": 1, "x": 1})
    if not isinstance(mark, dict):
        assert found.extra != {}
    if pair.version < 2**63 - 1:
        assert await table.upsert(Area.DOCUMENTS, [item(1, Pair(9, 0), x=2)]) == [Wrote.REPLACED]


@pytest.mark.integration
async def test_answers_stand_in_the_order_of_the_writes(
    store: MongoStore, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they are cut into commands, and whatever is wrong with some."""
    table = MongoCollections(store.link, namespace)
    await table.insert([item(3, Pair(1, 0))])
    never = object()
    items = [item(number, Pair(1, 0), **({"bad": never} if number == 5 else {})) for number in range(10)]
    monkeypatch.setattr(mongo_commands, "MAX_STATEMENTS", 4)
    answers = await table.insert(items)
    assert [answers[3], answers[4]] == [Wrote.EXISTS, Wrote.CREATED]
    assert isinstance(answers[5], Poison)
    assert "bad" in str(answers[5])
    assert [number for number, one in enumerate(answers) if one is Wrote.CREATED] == [0, 1, 2, 4, 6, 7, 8, 9]


@pytest.mark.integration
async def test_a_key_with_operators_in_it_is_a_value_or_none(store: MongoStore, namespace: Namespace) -> None:
    table = MongoCollections(store.link, namespace)
    key = {"a": 1, "b": "$x"}
    assert await table.upsert(Area.DOCUMENTS, [item(key, Pair(1, 0))]) == [Wrote.CREATED]
    assert await table.upsert(Area.DOCUMENTS, [item(key, Pair(1, 0))]) == [Wrote.EXISTS]
    found = await table.pairs(Area.DOCUMENTS, [key, {"$gt": 0}, [1], "\0"])
    assert found == {identity(key): Pair(1, 0)}


def test_what_is_no_key_anywhere_is_not_asked_for() -> None:
    keys = [1, "a", uuid.UUID(int=1), Int64(1), {"a": 1}, 1.5, None]
    assert _possible([*keys, [1], (1,), {"$gt": 1}, object(), 2**70]) == keys


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(20, 200), st.integers(1, 9))
def test_portions_are_all_of_it_in_order_and_each_fits(sizes: list[int], most: int, count: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mongo_commands, "MAX_COMMAND", most)
        patch.setattr(mongo_commands, "MAX_STATEMENTS", count)
        _, statements = _encoded([{"x": "x" * size} for size in sizes], None)
        parts = list(_portions(statements))
    assert [one for part in parts for one in part] == statements
    for part in parts:
        assert 1 <= len(part) <= count
        assert len(part) == 1 or sum(len(raw.raw) for _, raw in part) <= most


def test_a_document_that_is_too_large_is_said_to_be_and_no_other_is() -> None:
    large = {"_id": 1, "x": "x" * MAX_DOCUMENT}
    answers, good = _encoded([{"q": {}, "u": one} for one in ({"_id": 0}, large)], "u")
    assert list(answers) == [1]
    assert "16,777,2" in str(answers[1])
    assert [number for number, _ in good] == [0]
    # The statement may be larger than a document may be: what it holds counts.
    fitting = {"_id": 1, "x": "x" * (MAX_DOCUMENT - len(bson.encode({"_id": 1, "x": ""})))}
    answers, good = _encoded([{"q": {"_id": {"$eq": 1}}, "u": fitting}], "u")
    assert (answers, len(good)) == ({}, 1)


@given(st.integers(-(2**70), 2**70) | st.floats() | st.booleans() | st.text(max_size=3) | st.none())
def test_a_mark_is_always_a_64_bit_integer(value: Any) -> None:
    assert isinstance(_whole(value), int)
    assert _whole(value) <= 2**63 - 1
