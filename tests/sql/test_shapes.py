from __future__ import annotations

import pytest
from hypothesis import given

from proxy.sql.parse import Source
from proxy.sql.shapes import pieces_of, shape_of, starts_of
from tests.sql.texts import texts


@pytest.mark.parametrize(
    ("text", "constants"),
    [
        ("SELECT 1", ["1"]),
        ("SELECT 'a', 'it''s', '', 5", ["'a'", "'it''s'", "''", "5"]),
        ("SELECT 1.50, 12", ["1.50", "12"]),
        ("(1,2,-3)", ["1", "2", "3"]),
        ("SELECT /* x */ 1", ["/* x */", "1"]),
        ("SELECT $1, t1.a2, a$5 FROM \"t 5\" WHERE b='x'", ["", "'x'"]),
        ("SELECT 1e5, 1.5e-3, 2.E+4, .5, 1., 0x1F, 1_000, 5a", []),
        ("SELECT '--', '/*', '\"', '$$'", ["'--'", "'/*'", "'\"'", "'$$'"]),
        ("SELECT é5, 6", ["6"]),
        ("SELECT a/2 FROM t", ["2"]),
        ("5", ["5"]),
        ("SELECT 'a\nb'", ["'a\nb'"]),
    ],
)
def test_constants(text: str, constants: list[str]) -> None:
    shape = shape_of(text)
    assert shape is not None
    assert [item for item in shape.constants if item or '"' not in text] == [
        item for item in constants if item or '"' not in text
    ]


@pytest.mark.parametrize(
    "text",
    [
        r"SELECT E'\''",
        "SELECT e'a'",
        r"SELECT 'a\b'",
        "SELECT U&'a'",
        "SELECT U&\"a!0061\" UESCAPE '!'",
        "SELECT B'1'",
        "SELECT N'1'",
        "SELECT date'2020-01-01'",
        "SELECT é'1'",
        "SELECT $$a$$",
        "SELECT $a$b$a$",
        "SELECT 1 -- x",
        "SELECT /* a /* b */ */ 1",
        "SELECT 'a' 'b'",
        "SELECT 'a'\n'b'",
        "SELECT 'open",
        'SELECT "open',
        "SELECT /* open",
        "SELECT 'a''",
        "SELECT 'a\0b'\0",
    ],
)
def test_no_shape_without_certainty(text: str) -> None:
    assert shape_of(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("UPDATE t SET a = 1 WHERE b = 'x'", "UPDATE t SET a = 22 WHERE b = ''"),
        ("SELECT 1.5", "SELECT 7"),
        ("/* a */ SELECT 1", "/* bcd */ SELECT 1"),
    ],
)
def test_texts_of_one_shape(one: str, other: str) -> None:
    first, second = shape_of(one), shape_of(other)
    assert first is not None
    assert second is not None
    assert first.key == second.key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT 1", "SELECT '1'"),
        ("SELECT 1 /* x */", "SELECT 1 2"),
        ("SELECT t1", "SELECT t2"),
        ('SELECT "a 1"', 'SELECT "a 2"'),
        ("SELECT $1", "SELECT $2"),
        ("SELECT 5", "SELECT -5"),
        ("SELECT 5", "SELECT  5"),
        ("SELECT (1), (2)", "SELECT (1, 2)"),
        ('SELECT 1, "a"', 'SELECT "a", 1'),
        ("SELECT 'a', \"b\"", "SELECT \"b\", 'a'"),
        ("SELECT 1_000", "SELECT 2_000"),
    ],
)
def test_texts_of_different_shapes(one: str, other: str) -> None:
    first, second = shape_of(one), shape_of(other)
    assert first is not None
    assert second is not None
    assert first.key != second.key


@given(text=texts())
def test_constants_are_tokens_of_the_parser(text: str) -> None:
    if shape_of(text) is None:
        return
    kinds = {begin: (text[begin:end], name) for begin, end, name in Source(text).tokens()}
    for start in starts_of(pieces_of(text)):
        if text.startswith("/*", start):
            continue
        token, name = kinds[start]
        assert name in ("SCONST", "ICONST", "FCONST")
        shape = shape_of(text[start : start + len(token)])
        assert shape is not None
        assert shape.constants == (token,)
