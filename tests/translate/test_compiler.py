"""A plan as a whole: which statements have one, what it says of itself, and what a run of it may cost."""

from __future__ import annotations

from typing import Any

import bson
import pytest

from proxy.translate.api import Inexact, ReadError, ReadLimits, SessionSettings, TooMuch, Unsupported
from tests.translate.made import SESSION, plan

TEXTS = (
    ("SELECT 1; SELECT 2", "more or fewer statements than one"),
    ("", "more or fewer statements than one"),
    ("SELEC 1", "a text that cannot be parsed"),
    ("INSERT INTO people VALUES (1)", "a statement that is not a SELECT"),
    ("EXPLAIN SELECT 1", "a statement that is not a SELECT"),
    ("SELECT $2 + 1", "a parameter whose type is not known"),
    ("SELECT id INTO x FROM people", "SELECT"),
)


@pytest.mark.parametrize(("text", "reason"), TEXTS)
def test_texts_without_a_plan(text: str, reason: str) -> None:
    with pytest.raises(Unsupported) as caught:
        plan(text)
    assert caught.value.reason.startswith(reason)


def test_a_text_that_cannot_be_parsed_says_where() -> None:
    with pytest.raises(Unsupported) as caught:
        plan("SELECT 'é' FORM people x")
    assert caught.value.position == len("SELECT 'é' FORM ")


def test_what_is_nested_too_deeply_is_refused_and_not_an_error() -> None:
    for depth in (500, 5000):
        try:
            plan(f"SELECT {'(1 + ' * depth}1{')' * depth}")
        except Unsupported:
            pass


@pytest.mark.parametrize(
    ("text", "volatile"),
    [
        ("SELECT id FROM people", set()),
        ("SELECT now()", {"now"}),
        ("SELECT id FROM people WHERE seen > now() - interval '1 day'", {"now", "timezone"}),
        ("SELECT seen::date FROM people", {"timezone"}),
        ("SELECT id FROM people WHERE seen = '2024-01-01'", {"timezone"}),
        ("SELECT current_date", {"now", "timezone"}),
    ],
)
def test_a_plan_says_what_else_its_result_hangs_on(text: str, volatile: set[str]) -> None:
    assert plan(text).order.volatile == volatile


def test_a_plan_says_how_its_rows_come() -> None:
    order = plan("SELECT id FROM people ORDER BY id OFFSET 1").order
    assert (order.ordered, order.limited) == (True, True)
    assert not plan("SELECT id FROM people").order.ordered
    made: Any = plan("SELECT sum(paid::float8), id FROM people GROUP BY id")
    assert made.approximate == (True, True)
    made = plan("SELECT sum(paid), id FROM people GROUP BY id")
    assert made.approximate == (False, False)


class Store:
    """Answers every question with the same documents, and counts how many were taken."""

    def __init__(self, *documents: dict[str, Any]) -> None:
        self.documents = documents
        self.taken = 0
        self.asked: list[Any] = []

    async def find(self, namespace: Any, condition: Any, projection: Any, sort: Any, limit: int) -> Any:
        self.asked.append((condition, limit))
        for document in self.documents:
            self.taken += 1
            yield bson.encode(document)

    async def aggregate(self, namespace: Any, pipeline: Any) -> Any:
        self.asked.append(pipeline)
        for document in self.documents:
            yield bson.encode(document)


PEOPLE = [{"_id": number, "name": "n" * 50, "_cw": {"v": 1, "r": 0}} for number in range(20)]


async def test_a_run_stops_at_its_limits() -> None:
    made = plan("SELECT name FROM people")
    for limits, most in ((ReadLimits(max_rows=5), 6), (ReadLimits(max_bytes=300), 5)):
        store = Store(*PEOPLE)
        with pytest.raises(TooMuch):
            await made.bind((), (), SESSION).run(store, limits)
        assert store.taken <= most
    store = Store(*PEOPLE)
    result = await made.bind((), (), SESSION).run(store, ReadLimits(max_rows=21))
    assert len(result.texts) == 20
    (fetched,) = result.fetched
    assert (fetched.table, fetched.documents) == ("public.people", 20)
    assert store.asked == [({}, 22)]


async def test_limits_are_of_all_questions_together() -> None:
    made = plan("SELECT a.id FROM people a, people b")
    with pytest.raises(TooMuch):
        await made.bind((), (), SESSION).run(Store(*PEOPLE), ReadLimits(max_rows=30))


async def test_texts_are_made_where_they_are_wanted() -> None:
    made = plan("SELECT id FROM people ORDER BY id LIMIT 2")
    result = await made.bind((), (), SESSION).run(Store(*PEOPLE[:3]), ReadLimits(), texts=False)
    assert (result.rows, result.texts, result.ties) == ([(0,), (1,)], [], (1, 1))


async def test_a_count_is_asked_for_as_one() -> None:
    made = plan("SELECT count(*) FROM people WHERE age > 1")
    store = Store({"n": 7})
    result = await made.bind((), (), SESSION).run(store, ReadLimits())
    assert result.texts == [("7",)]
    assert store.asked == [[{"$match": {"age": {"$gt": 1}}}, {"$count": "n"}]]
    assert (await made.bind((), (), SESSION).run(Store(), ReadLimits())).texts == [("0",)]


def test_parameters_are_read_by_their_types() -> None:
    made = plan("SELECT id FROM people WHERE age = $1 AND seen < $2")
    assert made.parameter_types == (20, 1184)
    made.bind([b"1", b"2024-01-01 00:00+00"], (), SESSION)
    with pytest.raises(ReadError):
        made.bind([b"x", None], (), SESSION)
    with pytest.raises(Inexact):
        made.bind([None, b"next friday"], (), SESSION)


def test_settings_that_values_cannot_be_written_in_are_not_followed() -> None:
    made = plan("SELECT seen FROM people")
    made.bind((), (), SESSION)
    with pytest.raises(Inexact):
        made.bind((), (), SessionSettings(date_style="German, DMY"))
    with pytest.raises(Inexact):
        made.bind((), (), SessionSettings(time_zone="Nowhere/City"))
