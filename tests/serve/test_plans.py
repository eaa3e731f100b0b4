"""What is known of texts, without a server: the tables are made up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.serving_micro import SHAPES, book
from proxy.serve import plans
from proxy.serve.binary import Unencodable
from proxy.serve.plans import ENCODERS, ServingPlans
from proxy.serve.reasons import APPROXIMATE, FAILED, LONG, TIMED
from proxy.translate.api import SessionSettings
from proxy.translate.cache import PlanCache

PATH = ("public",)
SESSION = SessionSettings()


def known(text: str, made: ServingPlans | None = None) -> plans.Known:
    if made is None:
        made = ServingPlans()
        made.use(book("shop"))
    return made.get("shop", text, (), PATH)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SHAPES["join"].text, ""),
        ("SELECT now() FROM orders", TIMED),
        ("SELECT sum(total::float8) FROM orders", APPROXIMATE),
        ("SELECT id FROM orders WHERE note = '" + "x" * plans.MAX_STATEMENT + "'", LONG),
    ],
)
def test_why_a_text_is_not_served(text: str, reason: str) -> None:
    assert known(text).reason == reason


def test_places_and_bounds_are_those_of_the_tables() -> None:
    found = known(SHAPES["join"].text)
    assert set(found.places) == {("shop", "public.orders"), ("shop", "public.customers")}
    assert found.concurrency == (50, 50)
    assert set(found.candidate.names) == {"public.orders", "public.customers"}


def test_rows_that_all_look_alike() -> None:
    assert known("SELECT 1 AS a FROM orders LIMIT 1").constant
    assert not known("SELECT id FROM orders LIMIT 1").constant


def test_a_compiler_that_fails_leaves_the_text_to_postgres_and_is_not_asked_again() -> None:
    asked = []

    class Failing(PlanCache):
        def plan(self, text: str, *_: Any) -> Any:
            asked.append(text)
            raise ZeroDivisionError

    made = ServingPlans(Failing())
    made.use(book("shop"))
    assert [known("SELECT 1 FROM orders", made).reason for _ in range(3)] == [FAILED] * 3
    assert len(asked) == 1


def test_encoders_are_made_once_for_formats_and_settings_and_bounded() -> None:
    found = known(SHAPES["key"].text)
    assert found.encoder((), SESSION) is found.encoder((), replace(SESSION, user="bob"))
    assert found.encoder((1,), SESSION) is not found.encoder((), SESSION)
    for place in range(2 * ENCODERS):
        found.encoder((), replace(SESSION, time_zone=f"+{place % 14}", extra_float_digits=1 + place))
        assert len(found._encoders) <= ENCODERS
    with pytest.raises(Unencodable):
        found.encoder((0, 1), SESSION)
