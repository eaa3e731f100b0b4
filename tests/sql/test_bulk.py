from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sql.analysis import analyse
from proxy.sql.bulk import Abridged, abridged
from proxy.sql.cache import LONG_TEXT, AnalysisCache
from proxy.sql.model import Analysis, Kind
from proxy.sql.shapes import pieces_of


def short(text: str) -> str | None:
    found = abridged(text, pieces_of(text))
    return None if found is None else found.text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("VALUES (1), (2), (3), (4);", "VALUES (1), (2);"),
        (
            "VALUES (1,'a'),(2,'b'),(3,'c') ON CONFLICT DO NOTHING",
            "VALUES (1,'a'),(2,'b') ON CONFLICT DO NOTHING",
        ),
        ("VALUES (f(1)), (2), (3), (4), (f(5))", "VALUES (f(1)), (2), (f(5))"),
        ('VALUES ("a"), (1), (2), ("b"), (3), (4)', 'VALUES ("a"), (1), ("b"), (3)'),
        (
            "VALUES (-1, null, 'x'::text), (- 2, TRUE, default),\n( 3 , '', false )",
            "VALUES (-1, null, 'x'::text), (- 2, TRUE, default)",
        ),
        (
            "SELECT 1 WHERE (a, b) IN ((1, 2), (3, 4), (5, 6), (7, 8))",
            "SELECT 1 WHERE (a, b) IN ((1, 2), (3, 4))",
        ),
        (
            'INSERT INTO "T 1" VALUES (1), (2), (3); INSERT INTO u VALUES (4), (5), (6), (7)',
            'INSERT INTO "T 1" VALUES (1), (2); INSERT INTO u VALUES (4), (5)',
        ),
    ],
)
def test_rows_of_constants_beyond_the_second_are_left_out(text: str, left: str) -> None:
    assert short(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "VALUES (1), (2)",
        "VALUES (a), (b), (c)",
        "VALUES (f()), (f()), (g())",
        "VALUES ($1), ($2), ($3)",
        "VALUES (1), (2), (3) -- x",
        "VALUES (E'a'), (E'b'), (E'c')",
        "VALUES (nullx), (nullx), (nully)",
        "SELECT 1",
        "SELECT (1, 2), 3, 4, 5",
    ],
)
def test_others_stay(text: str) -> None:
    assert short(text) is None


def test_offsets_of_the_whole_text() -> None:
    text = "VALUES (1), (2), (333), (4); VALUES ('€'), ('b'), ('c'); SELECT 1"
    found = abridged(text, pieces_of(text))
    assert isinstance(found, Abridged)
    assert found.text == "VALUES (1), (2); VALUES ('€'), ('b'); SELECT 1"
    for word in ("VALUES (1", "; VALUES", "VALUES ('€'", "; SELECT", "SELECT"):
        assert found.original(found.text.index(word) + 1) == text.index(word) + 1
    assert found.original(len(found.text)) == len(text)


ITEMS = st.sampled_from(
    [
        "1",
        "-2",
        "'x'",
        "''",
        "'it''s),(1),(2'",
        "NULL",
        "DEFAULT",
        "'€'::text",
        '"a"',
        "f(1)",
        "$1",
        "1.5",
        "E'\\''",
    ]
)


@given(
    rows=st.lists(st.lists(ITEMS, min_size=1, max_size=3), min_size=1, max_size=8),
    times=st.integers(1, 60),
    joint=st.sampled_from([",", ", ", " ,\n"]),
    tail=st.sampled_from(
        [
            "",
            ";",
            " ON CONFLICT DO NOTHING ;",
            " RETURNING id; DELETE FROM u WHERE id = 5",
            " /* x */ ; COMMIT",
        ]
    ),
)
def test_the_analysis_is_that_of_the_whole_text(
    rows: list[list[str]], times: int, joint: str, tail: str
) -> None:
    values = joint.join(f"({', '.join(row)})" for row in rows * times)
    text = f"INSERT INTO t (id) VALUES {values}{tail}"
    cache = AnalysisCache(10)
    assert cache.get(text) == analyse(text)
    assert cache.get(text) == analyse(text)


def test_any_number_of_rows_is_one_shape() -> None:
    cache = AnalysisCache(10)
    for count in (200, 300, 301):
        text = (
            "INSERT INTO t VALUES " + ",".join(f"({number + count}, 'x')" for number in range(count)) + " ;"
        )
        assert len(text) > LONG_TEXT
        found = cache.get(text)
        assert isinstance(found, Analysis)
        (statement,) = found.statements
        assert (statement.kind, statement.end) == (Kind.WRITE, len(text) - 2)
    assert (cache.misses, cache.shape_hits) == (1, 2)
