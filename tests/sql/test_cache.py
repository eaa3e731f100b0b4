from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sql.analysis import Unparsed, analyse
from proxy.sql.bounded import CHARACTERS_PER_ENTRY
from proxy.sql.cache import AnalysisCache
from proxy.sql.model import Analysis, Kind, Literal
from tests.sql.texts import texts


def fresh(text: str) -> Analysis | str:
    try:
        return analyse(text)
    except Unparsed as error:
        return f"{error.message} at {error.position}"


def cached(cache: AnalysisCache, text: str) -> Analysis | str:
    found = cache.get(text)
    return f"{found.message} at {found.position}" if isinstance(found, Unparsed) else found


def test_a_text_is_known_the_second_time() -> None:
    cache = AnalysisCache(10)
    first = cache.get("DELETE FROM t WHERE id = $1")
    assert cache.get("DELETE FROM t WHERE id = $1") is first
    assert (cache.hits, cache.shape_hits, cache.misses, len(cache)) == (1, 0, 1, 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("UPDATE t SET a = 1 WHERE id = 5", "UPDATE t SET a = 22 WHERE id = 678"),
        ("UPDATE t SET a = 'x;' WHERE id = 'it''s'", "UPDATE t SET a = '' WHERE id = ''''"),
        ("INSERT INTO t VALUES (1, 'a'); ", "INSERT INTO t VALUES (22, 'bcd'); "),
        ("/* a */ DELETE FROM t WHERE id = 007 /* b */", "/* */ DELETE FROM t WHERE id = 99999999999 /**/"),
        ('BEGIN; DELETE FROM "T 1" WHERE id = 1; COMMIT', 'BEGIN; DELETE FROM "T 1" WHERE id = 234; COMMIT'),
        ("EXECUTE p(1, 'a')", "EXECUTE p(234, 'b;')"),
        ("DELETE FROM t WHERE a = 1.5 AND b = 2", "DELETE FROM t WHERE a = 1.75 AND b = 345"),
        ("SELECT '€', 1; DELETE FROM é WHERE id = '€'", "SELECT '', 234; DELETE FROM é WHERE id = 'abc'"),
        ("DELETE FROM t WHERE id IN (1) AND 5::int8 = b", "DELETE FROM t WHERE id IN (12) AND 678::int8 = b"),
    ],
)
def test_texts_of_one_shape_share_an_analysis(one: str, other: str) -> None:
    cache = AnalysisCache(10)
    cache.get(one)
    assert cache.get(other) == analyse(other)
    assert cache.get(one) == analyse(one)
    assert (cache.hits, cache.shape_hits, cache.misses) == (0, 2, 1)


def test_pinned_literals_are_those_of_the_text() -> None:
    cache = AnalysisCache(10)
    for value in (5, 6, 70):
        found = cache.get(f"DELETE FROM t WHERE id = {value}")
        assert isinstance(found, Analysis)
        (statement,) = found.statements
        assert statement.write is not None
        assert dict(statement.write.pinned) == {"id": Literal(str(value))}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SET x = 'a'", "SET x = 'b'"),
        ("SET x = 1", "SET x = 2"),
        ("COMMIT PREPARED 'a'", "COMMIT PREPARED 'b'"),
        ("COPY t FROM STDIN (NULL 'a')", "COPY t FROM STDIN (NULL 'b')"),
        ("EXPLAIN (ANALYZE 0) DELETE FROM t", "EXPLAIN (ANALYZE 1) DELETE FROM t"),
        ("PREPARE p AS DELETE FROM t WHERE id = 1", "PREPARE p AS DELETE FROM t WHERE id = 2"),
        ("DELETE FROM t WHERE id = -1", "DELETE FROM t WHERE id = -2"),
        ("DELETE FROM t WHERE id = 'a'\n'b'", "DELETE FROM t WHERE id = 'a'\n'c'"),
        ("SELECT E'\\''", "SELECT E'a'"),
        ("DO 'a'", "DO 'b'"),
    ],
)
def test_what_keeps_its_constants_is_not_shared(one: str, other: str) -> None:
    cache = AnalysisCache(10)
    assert cache.get(one) == analyse(one)
    assert cache.get(other) == analyse(other)
    assert (cache.shape_hits, cache.misses) == (0, 2)
    assert cache.get(one) == analyse(one)
    assert cache.hits == 1


def test_an_error_is_returned_and_remembered() -> None:
    cache = AnalysisCache(10)
    first = cache.get("DELETE FORM t")
    assert isinstance(first, Unparsed)
    assert first.__traceback__ is None
    assert cache.get("DELETE FORM t") is first


def test_a_shape_first_seen_in_an_error_is_parsed_again() -> None:
    cache = AnalysisCache(10)
    assert isinstance(cache.get("FETCH 99999999999 FROM c"), Unparsed)
    found = cache.get("FETCH 9 FROM c")
    assert isinstance(found, Analysis)
    assert found.statements[0].kind is Kind.READ


def test_the_one_used_last_stays() -> None:
    cache = AnalysisCache(2)
    for text in ("SELECT a", "SELECT b", "SELECT a", "SELECT c"):
        cache.get(text)
    assert (cache.hits, cache.misses, len(cache)) == (1, 3, 2)
    cache.get("SELECT a")
    assert cache.hits == 2
    cache.get("SELECT b")
    assert cache.misses == 4


def test_size_zero_keeps_nothing() -> None:
    cache = AnalysisCache(0)
    for _ in range(2):
        cache.get("SELECT a")
        cache.get("SELECT 1")
    assert (cache.misses, len(cache)) == (4, 0)


def test_long_texts_are_bounded_together() -> None:
    cache = AnalysisCache(4)
    room = 4 * CHARACTERS_PER_ENTRY
    long = [f"SELECT {letter}{'x' * (room // 2 - 20)}" for letter in "abc"]
    for text in long:
        cache.get(text)
    assert len(cache) == 2
    cache.get("SELECT d" + "x" * room)
    assert len(cache) == 2
    assert cache.get(long[2]) is cache.get(long[2])


@given(given=st.lists(texts(), min_size=1, max_size=4), seed=st.integers(0, 2**32))
def test_a_cache_gives_what_the_analysis_would(given: list[str], seed: int) -> None:
    """Each text also in dresses of its own shape: other numbers and strings in the same places."""
    chance = random.Random(seed)
    cache = AnalysisCache(8)
    for text in [*given, *(_other(text, chance) for text in given * 3), *given]:
        assert cached(cache, text) == fresh(text)


def _other(text: str, chance: random.Random) -> str:
    """Change some digits and letters, wherever they stand: at times the shape stays, at times it does not."""
    swap = {"5": "88", "1": "0", "a": "bc", "x": "", "4": "123456789012"}
    return "".join(swap[char] if char in swap and chance.random() < 0.3 else char for char in text)
