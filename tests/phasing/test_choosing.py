"""The one place of the rule files that a table and a phase mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.phases import Phase
from proxy.phasing.choosing import Choice, Unchosen, choose, databases

SHOP = "database: shop\ntables:\n  orders: {phase: dual_write}\n  items:  # all\n    phase: backfill\n"
BLOG = "database: [blog, wiki]\ntables:\n  posts: {phase: dual_write}\n  orders: {phase: dual_write}\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text(SHOP)
    (tmp_path / "b.yaml").write_text(BLOG)
    return tmp_path


def chosen(path: Path, table: str, phase: Phase = Phase.DARK_READ) -> Choice:
    return choose(path, table, phase, max_size=1 << 20)


def test_the_file_of_the_table_is_edited_and_the_others_count(rules: Path) -> None:
    choice = chosen(rules, "public.items")
    assert choice.file == str(rules / "a.yaml")
    assert (choice.edit.line, choice.edit.old, choice.edit.new) == (5, "phase: backfill", "phase: dark_read")
    assert [str(rule.name) for rule in choice.rules] == ["shop.public.items"]
    assert choice.rules[0].phase is Phase.DARK_READ
    assert choice.before.digest != choice.after.digest
    assert len(choice.after.tables) == 6
    assert (rules / "a.yaml").read_text() == SHOP, "nothing is written"


def test_a_rule_for_several_databases_is_one_place(rules: Path) -> None:
    choice = chosen(rules, "posts")
    assert databases(choice.rules) == ("blog", "wiki")
    assert databases(chosen(rules, "wiki:posts").rules) == ("blog", "wiki")


def test_a_table_that_several_rules_are_about_must_be_named_with_its_database(rules: Path) -> None:
    with pytest.raises(Unchosen, match=r"several rules .*a.yaml:3.*b.yaml:4.*DATABASE:public.orders"):
        chosen(rules, "orders")
    assert chosen(rules, "shop:orders").file == str(rules / "a.yaml")
    assert chosen(rules, "blog:orders").file == str(rules / "b.yaml")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("ordrs", "no rule is about table public.ordrs; add `public.ordrs:`"),
        ("stock:orders", "no rule is about table public.orders in database stock"),
        ("a.b.c", "a.b.c"),
    ],
)
def test_what_no_rule_is_about_is_refused(rules: Path, table: str, words: str) -> None:
    with pytest.raises(Unchosen, match=words):
        chosen(rules, table)


def test_rules_that_are_or_would_be_bad_are_left_alone(rules: Path) -> None:
    (rules / "a.yaml").write_text("database: shop\ntables:\n  orders: {reads: 10%, phase: dual_write}\n")
    with pytest.raises(Unchosen, match=r"would not be good then:\n.*write 100%") as refused:
        chosen(rules, "shop:orders", Phase.DECOMMISSION)
    assert "nothing was changed" in str(refused.value)
    (rules / "a.yaml").write_text("tables: {orders: {phase: dual}}\n")
    with pytest.raises(Unchosen, match="not good as they are"):
        chosen(rules, "blog:orders")
