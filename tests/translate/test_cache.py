from __future__ import annotations

from typing import Any

import pytest

from proxy.mirror.tables import Surroundings, TableBook
from proxy.phases import Phase
from proxy.translate.api import Unsupported
from proxy.translate.cache import PlanCache
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
