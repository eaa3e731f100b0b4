"""Statements that differ in constants, layout and lengths of lists are called the same; no constant is kept."""

from __future__ import annotations

from proxy.shadow.fingerprint import MAX_STATEMENT, fingerprint, normalised, shown
from proxy.sql.parse import Source


def of(text: str) -> str:
    return normalised(Source(text))


def test_constants_and_layout_do_not_count() -> None:
    texts = (
        "SELECT a FROM t WHERE b = 'x' AND c IN (1, 2, 3);",
        "SELECT a\n FROM t -- secret\n WHERE b = E'y''z' AND c IN (4,5)",
        "SELECT a FROM t WHERE b = $1 AND c IN ($2, $3, $4, $5)",
    )
    assert {of(text) for text in texts} == {"SELECT a FROM t WHERE b = ? AND c IN (?, ...)"}
    assert len({fingerprint(of(text)) for text in texts}) == 1


def test_names_count() -> None:
    assert of("SELECT a1 FROM t") != of("SELECT a2 FROM t")
    assert of('SELECT "a" FROM t') != of('SELECT "A" FROM t')
    assert len(fingerprint(of("SELECT 1"))) == 16


def test_no_constant_is_left() -> None:
    kept = of("SELECT $tag$secret$tag$, U&'secret', B'101', X'1F', 1.5e3, 'secret'\n'more' FROM t")
    assert "secret" not in kept
    assert not any(char.isdigit() for char in kept)


def test_long_statements_are_cut() -> None:
    assert len(shown("x" * 10_000)) == MAX_STATEMENT
