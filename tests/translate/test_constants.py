"""Expressions without columns are tried before anything is asked: PostgreSQL computes them when it plans."""

from __future__ import annotations

import pytest

from proxy.translate.api import Inexact, SessionSettings, Unsupported, compile_read
from tests.translate.test_cache import book


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM orders WHERE id = 1 / 0",
        "SELECT CASE WHEN true THEN 1 ELSE 1 / 0 END FROM orders",
        "SELECT substring('K4'::text FROM 2 FOR 0)::int2 FROM orders",
        "SELECT 2147483647 + 1 FROM orders",
        "SELECT (SELECT 1 / 0 FROM orders) FROM orders",
    ],
)
def test_one_that_fails_is_refused_whether_it_would_be_needed_or_not(text: str) -> None:
    with pytest.raises(Unsupported):
        compile_read(text, book(), "shop", ("public",)).bind((), (), SessionSettings())


def test_of_parameters_it_is_known_when_they_are() -> None:
    plan = compile_read("SELECT id FROM orders WHERE id = 10 / $1", book(), "shop", ("public",))
    plan.bind([b"5"], (), SessionSettings())
    plan.bind([None], (), SessionSettings())
    with pytest.raises(Inexact, match="parameters that fails"):
        plan.bind([b"0"], (), SessionSettings())


def test_what_is_not_known_yet_is_left_to_the_run() -> None:
    text = "SELECT id FROM orders WHERE now() > now() - interval '1 day'"
    compile_read(text, book(), "shop", ("public",)).bind((), (), SessionSettings())


@pytest.mark.parametrize(
    "condition", ["placed = 'garbage'", "false AND placed = '1'", "placed IN ('2024-01-01', 'x')"]
)
def test_a_constant_that_the_session_has_to_read_is_read_even_if_no_row_needs_it(condition: str) -> None:
    plan = compile_read(
        f"SELECT id, placed FROM (SELECT id, NULL::timestamptz AS placed FROM orders) o WHERE {condition}",
        book(), "shop", ("public",),
    )  # fmt: skip
    with pytest.raises(Inexact):
        plan.bind((), (), SessionSettings())


def test_a_constant_that_the_session_reads_as_it_should() -> None:
    text = "SELECT id FROM orders WHERE '2024-01-01 12:00'::timestamptz < '2024-01-02 00:00+02'"
    compile_read(text, book(), "shop", ("public",)).bind((), (), SessionSettings(time_zone="Asia/Tokyo"))
