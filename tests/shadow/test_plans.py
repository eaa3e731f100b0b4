"""A text is compiled once for its session's names, and what cannot be compiled is remembered, too."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.mirror.tables import Surroundings, TableBook
from proxy.rulefiles.ruleset import RuleSet
from proxy.shadow.plans import ShadowPlans
from proxy.translate.api import Unsupported
from tests.shadow.made import sampled

BOOK = TableBook(RuleSet(), {}, Surroundings(True, True, True))


def test_plans_are_kept_by_text_and_names() -> None:
    asked: list[Any] = []

    def compile_(*arguments: Any) -> Any:
        asked.append(arguments[2:])
        return object()

    plans = ShadowPlans(BOOK, compile=compile_)
    first = plans.get(sampled("SELECT 1"))
    assert plans.get(sampled("SELECT 1")) is first
    assert plans.get(sampled("SELECT 2")).fingerprint == first.fingerprint
    plans.get(sampled("SELECT 1", search_path=("other",)))
    plans.get(sampled("SELECT 1", parameter_types=(23,)))
    assert asked == [
        ("shop", ("public",), ()),
        ("shop", ("public",), ()),
        ("shop", ("other",), ()),
        ("shop", ("public",), (23,)),
    ]


def test_what_has_no_plan_has_a_reason() -> None:
    asked = 0

    def refuse(*_: Any) -> Any:
        nonlocal asked
        asked += 1
        raise Unsupported("LATERAL", 7)

    plans = ShadowPlans(BOOK, compile=refuse)
    for _ in range(3):
        known = plans.get(sampled("SELECT 1"))
        assert (known.plan, known.reason) == (None, "LATERAL")
    assert asked == 1
    with pytest.raises(Unsupported, match="parser"):
        plans.get(sampled("SELECT FROM WHERE"))


def test_texts_of_one_shape_have_one_name_which_is_that_of_each() -> None:
    plans = ShadowPlans(BOOK, compile=lambda *_: object())  # type: ignore[arg-type]
    texts = (
        "SELECT id FROM orders WHERE id = 5 AND note = 'a' /* one */",
        "SELECT id FROM orders WHERE id = 6 AND note = 'it''s' /* another */",
        "SELECT id FROM orders WHERE id = 6 AND note = E'a\\n'",
    )
    alone = [ShadowPlans(BOOK, compile=lambda *_: object()).get(sampled(text)) for text in texts]  # type: ignore[arg-type]
    together = [plans.get(sampled(text)) for text in texts]
    assert [(one.statement, one.fingerprint) for one in together] == [
        (one.statement, one.fingerprint) for one in alone
    ]
    assert len({one.fingerprint for one in together}) == 1
    assert together[1].source.text == texts[1]
