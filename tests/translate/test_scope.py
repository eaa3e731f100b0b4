"""Names: what they stand for, and where PostgreSQL would not take them."""

from __future__ import annotations

import pytest

from proxy.translate.api import Unsupported
from tests.translate.made import plan, rows


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ("SELECT a FROM (SELECT 1 AS a) x, (SELECT 2 AS b) y", [("1",)]),
        ("SELECT y.a FROM (SELECT 1 AS a) x, (SELECT 2 AS a) y", [("2",)]),
        ("SELECT x.* FROM (SELECT 1 AS a, 2 AS b) x", [("1", "2")]),
        ("SELECT * FROM (SELECT 1 AS a) x (z)", [("1",)]),
        ("SELECT z FROM (SELECT 1 AS a, 2 AS b) x (z) WHERE b = 2", [("1",)]),
        ("SELECT (SELECT a) FROM (SELECT 1 AS a) x", [("1",)]),
        ("SELECT (SELECT a FROM (SELECT 5 AS a) y) FROM (SELECT 1 AS a) x", [("5",)]),
        ("SELECT (SELECT x.a + y.a FROM (SELECT 5 AS a) y) FROM (SELECT 1 AS a) x", [("6",)]),
        ("SELECT a AS b, b AS a FROM (SELECT 1 AS a, 2 AS b) x ORDER BY a", [("1", "2")]),
        ("SELECT * FROM (SELECT 1 AS a) x JOIN (SELECT 1 AS a, 2 AS b) y USING (a)", [("1", "2")]),
        ("WITH x AS (SELECT 1 AS a) SELECT a FROM (WITH x AS (SELECT 2 AS a) SELECT a FROM x) q", [("2",)]),
    ],
)
def test_what_a_name_stands_for(read: str, expected: list[tuple[str, ...]]) -> None:
    assert rows(read) == expected


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        ("SELECT a FROM (SELECT 1 AS a) x, (SELECT 2 AS a) y", "ambiguous"),
        ("SELECT nope FROM people", "not known"),
        ("SELECT people.nope FROM people", "not known"),
        ("SELECT people.id FROM people p", "not known|not in FROM"),
        ("SELECT people FROM people", "whole row"),
        ("SELECT 1 FROM people, people", "ambiguous|twice|same name"),
        ("SELECT (SELECT b) FROM (SELECT 1 AS a) x", "not known"),
        ("SELECT * FROM (SELECT 1 AS a) x, (SELECT a) y", "not known"),
        ("SELECT *", "nothing"),
        ("SELECT a FROM (SELECT 1 AS a) x WHERE c = 1", "not known"),
        ("SELECT 1 AS c FROM people WHERE c = 1", "not known"),
        ("SELECT xmin FROM people", "not known"),
    ],
)
def test_what_is_refused(read: str, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        plan(read)


def test_a_refusal_says_where() -> None:
    with pytest.raises(Unsupported) as caught:
        plan("SELECT 'ä', nope FROM people")
    assert caught.value.position == len("SELECT 'ä', ")
