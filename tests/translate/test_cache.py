from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from proxy.mirror.tables import Surroundings, TableBook
from proxy.phases import Phase
from proxy.translate.api import Unsupported
from proxy.translate.cache import MAX_VARIANTS, PlanCache
from tests.catalog.made import INT4, TEXT, attribute, relation, snapshot
from tests.rulefiles.texts import rules


def book() -> TableBook:
    from dataclasses import replace

    from proxy.catalog.language import Language, Traits

    orders = relation(1001, "orders", attribute(1, "id", INT4, not_null=True), attribute(2, "note", TEXT))
    given: Any = replace(snapshot(orders), language=Language("UTF8", Traits(True, True, "utf8")))
    text = "database: shop\ntables: {orders: {phase: dual_write}}"
    return TableBook(
        rules(text), {"shop": given}, Surroundings(True, True, True), last_built=Phase.DUAL_WRITE
    )


def test_a_plan_is_made_once_for_a_book() -> None:
    cache, first = PlanCache(), book()
    plan = cache.plan("SELECT id FROM orders", first, "shop", ("public",))
    assert cache.plan("SELECT id FROM orders", first, "shop", ("public",)) is plan
    assert (cache.hits, cache.misses) == (1, 1)
    assert cache.plan("SELECT id FROM orders", book(), "shop", ("public",)) is not plan
    assert len(cache) == 1


def test_what_is_unsupported_is_remembered_and_raised_anew() -> None:
    cache, given = PlanCache(), book()
    for _ in range(2):
        with pytest.raises(Unsupported, match="a table that is not mirrored") as caught:
            cache.plan("SELECT id FROM other", given, "shop", ("public",))
        assert caught.value.position == 15
    assert (cache.hits, cache.misses) == (1, 1)


def test_types_and_paths_are_told_apart_and_the_oldest_goes() -> None:
    cache, given = PlanCache(size=2), book()
    text = "SELECT id FROM orders WHERE id = $1"
    first = cache.plan(text, given, "shop", ("public",))
    assert first.parameter_types == (23,)
    assert cache.plan(text, given, "shop", ("public",), (20,)).parameter_types == (20,)
    cache.plan("SELECT 1", given, "shop", ("public",))
    assert len(cache) == 2
    assert cache.plan(text, given, "shop", ("public",)) is not first


def test_a_shape_is_compiled_once_and_its_constants_are_put_in() -> None:
    cache, given = PlanCache(), book()
    plans = [
        cache.plan(f"SELECT id FROM orders WHERE id = {n} LIMIT {n}", given, "shop", ("public",))
        for n in range(1, 6)
    ]
    assert (cache.hits, cache.shape_hits, cache.misses) == (0, 4, 1)
    filters = [question["filter"] for plan in plans for question in plan.explain().questions]
    assert filters == [{"_id": {"$in": [n]}} for n in range(1, 6)]


@pytest.mark.parametrize(
    "texts",
    [
        ("SELECT id FROM orders WHERE id = 2147483647", "SELECT id FROM orders WHERE id = 2147483648"),
        ("SELECT id FROM orders WHERE id = 1", "SELECT id FROM orders WHERE id = 1.0"),
        ("SELECT id FROM orders WHERE id = 1", "SELECT id FROM orders WHERE id = '1'"),
        ("SELECT id FROM orders WHERE id = -1", "SELECT id FROM orders WHERE id = 1"),
        ("SELECT id + 1 FROM orders GROUP BY id + 1", "SELECT id + 2 FROM orders GROUP BY id + 2"),
        ("SELECT id, note FROM orders ORDER BY 1", "SELECT id, note FROM orders ORDER BY 2"),
        ("SELECT 'x'::varchar(3)", "SELECT 'x'::varchar(4)"),
        ("SELECT 'it''s'", "SELECT 'it' 's'"),
    ],
)
def test_what_decides_over_the_plan_is_told_apart(texts: tuple[str, str]) -> None:
    cache, given = PlanCache(), book()
    for text in texts:
        with suppress(Unsupported):
            cache.plan(text, given, "shop", ("public",))
    assert (cache.hits, cache.shape_hits) == (0, 0)


def test_a_constant_that_is_none_says_nothing_of_others() -> None:
    cache, given = PlanCache(), book()
    for text, wrong in (
        ("SELECT id FROM orders WHERE id = 'five'", "refuses"),
        ("SELECT id FROM orders WHERE id = '5'", ""),
        ("SELECT id FROM orders WHERE id = 'six'", "refuses"),
        ("SELECT id FROM orders WHERE id = 1 / 0", "fails"),
        ("SELECT id FROM orders WHERE id = 1 / 1", ""),
        ("SELECT id FROM orders WHERE id = 2 / 0", "fails"),
    ):
        if wrong:
            with pytest.raises(Unsupported, match=wrong):
                cache.plan(text, given, "shop", ("public",))
        else:
            cache.plan(text, given, "shop", ("public",))
    assert cache.shape_hits == 2


def test_plans_of_one_shape_are_bounded() -> None:
    cache, given = PlanCache(), book()
    for n in range(3 * MAX_VARIANTS):
        cache.plan(f"SELECT id + {n} FROM orders GROUP BY id + {n}", given, "shop", ("public",))
    (family,) = cache._families.values()
    assert len(family.plans) == MAX_VARIANTS
    cache.plan(f"SELECT id + {n} FROM orders  GROUP BY id + {n}", given, "shop", ("public",))
    assert len(cache._families) == 2
