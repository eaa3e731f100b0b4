"""What is shown of a plan."""

from __future__ import annotations

import pytest

from tests.translate.made import plan, question


@pytest.mark.parametrize(
    ("sql", "steps"),
    [
        ("SELECT id FROM people", ()),
        ("SELECT id FROM people WHERE age = 1", ("conditions are checked again",)),
        ("SELECT count(*) FROM people", ("aggregates",)),
        ("SELECT age, count(*) FROM people GROUP BY age", ("groups and aggregates",)),
        ("SELECT DISTINCT age FROM people ORDER BY age LIMIT 3", ("DISTINCT", "sorting", "limit and offset")),
        ("SELECT DISTINCT ON (age) age FROM people", ("DISTINCT ON",)),
        ("SELECT rank() OVER (ORDER BY id) FROM people", ("window functions",)),
        ("SELECT p.id FROM people p LEFT JOIN visits v ON v.person = p.id", ("left join",)),
        ("SELECT 1 UNION ALL SELECT 2", ("union all", "values")),
        ("SELECT id FROM people UNION SELECT day FROM visits", ("union",)),
        ("SELECT x FROM (SELECT id AS x FROM people) s", ("derived tables",)),
        ("WITH w AS (SELECT 1 AS a) SELECT a FROM w", ("derived tables", "values")),
    ],
)
def test_what_the_proxy_does_itself(sql: str, steps: tuple[str, ...]) -> None:
    assert plan(sql).explain().steps == steps


def test_a_question() -> None:
    asked = question("SELECT name FROM people WHERE age = 5 AND length(name) > 3")
    assert asked["table"] == "public.people"
    assert asked["collection"] == "shop.people"
    assert (asked["filter on"], asked["filter is exact"]) == (["age"], False)
    assert asked["filter"] == {"age": {"$in": [5]}}
    assert set(asked["fields"]) >= {"name"}
    assert "sort" not in asked
    asked = question("SELECT id FROM people ORDER BY id DESC LIMIT 3")
    assert asked["sort"] == ["_id desc"]
    assert asked["limit"] is True
    assert question("SELECT count(*) FROM people")["count"] is True


def test_without_parameters_there_is_no_filter_to_show() -> None:
    (asked,) = plan("SELECT name FROM people WHERE age = $1").explain().questions
    assert (asked["filter on"], "filter" in asked) == (["age"], False)


def test_indexes_are_proposed_for_what_is_asked_by_no_key() -> None:
    assert plan("SELECT 1 FROM people WHERE age = 1 AND nick = 'x'").explain().indexes == (
        "shop.people: age, nick",
    )
    assert plan("SELECT 1 FROM people WHERE id = 1").explain().indexes == ()
    sql = "SELECT 1 FROM people p JOIN people b ON b.boss = p.id WHERE p.id = 1"
    assert plan(sql).explain().indexes == ("shop.people: boss",)
