from __future__ import annotations

import pytest

from proxy.phases import Phase
from proxy.rulefiles.ruleset import RuleSet
from tests.rulefiles.texts import rules

SHOP = "database: shop\ntables: {orders: {phase: dark_read}, sales.carts: {}}\n"
ANY = "tables: {logs: {}}\n"


def test_rules_are_found_by_database_schema_and_table() -> None:
    found = rules(SHOP, ANY)
    orders = found.lookup("shop", "public", "orders")
    assert orders is not None
    assert orders.phase is Phase.DARK_READ
    assert str(orders.name) == "shop.public.orders"
    assert found.lookup("shop", "sales", "carts") is not None
    assert found.lookup("shop", "public", "carts") is None
    assert found.lookup("other", "public", "orders") is None
    assert found.lookup("shop", "public", "logs") is found.lookup("other", "public", "logs") is not None
    assert set(found.for_database("shop")) == {("public", "orders"), ("sales", "carts"), ("public", "logs")}
    assert set(found.for_database("other")) == {("public", "logs")}


def test_a_rule_set_does_not_change() -> None:
    found = rules(SHOP)
    with pytest.raises(AttributeError):
        found.digest = "x"
    with pytest.raises(TypeError):
        found.tables["x"] = None  # type: ignore[index]
    with pytest.raises(TypeError):
        found.for_database("shop")["x"] = None  # type: ignore[index]


def test_the_digest_is_of_what_the_rules_say() -> None:
    same = rules(
        "# moved, reordered and written at length\n"
        "database: [shop]\n"
        "defaults: {phase: dark_read}\n"
        "tables:\n"
        "  sales.carts: {phase: passthrough, shadow: {sample: 5%}}\n"
        "  public.orders: {ack: {timeout: 1000ms}}\n"
    )
    assert same == rules(SHOP)
    assert hash(same) == hash(rules(SHOP))
    assert len(same.digest) == 16
    others = [
        rules(SHOP.replace("shop", "shop2")),
        rules(SHOP.replace("dark_read", "backfill")),
        rules(SHOP + "gates: {max_lag: 11s}\n"),
        rules(SHOP.replace("sales", "public")),
        rules(SHOP.replace("sales.carts: {}", "sales.carts: {rename: {a: b}}")),
        rules(SHOP, ANY),
        RuleSet(),
    ]
    assert len({other.digest for other in others} | {same.digest}) == len(others) + 1
    assert all(other != same for other in others)
    assert same != same.digest


def test_no_rules() -> None:
    none = RuleSet()
    assert not none.tables
    assert not none.needs_sql
    assert none.lookup("shop", "public", "orders") is None
    assert none == rules("tables: {}")
