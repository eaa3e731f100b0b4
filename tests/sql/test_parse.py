from __future__ import annotations

import subprocess
import sys

import pytest

from proxy.sql.parse import Source, Unparsed, load


def bounds(text: str) -> list[str]:
    return [text[item.start : item.end] for item in Source(text).statements]


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        (" -- nothing\n ; /* ; */ ;", []),
        ("SELECT 1", ["SELECT 1"]),
        ("\n\t SELECT 1 \v\f;", ["SELECT 1"]),
        ("SELECT 1;;SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("-- a; b\nSELECT 1 -- c; d", ["SELECT 1"]),
        ("/* a /* b */ ; */ SELECT 1 /* c */ ; /* d */ SELECT 2 /* e /* f */ */", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';--' -- x", ["SELECT ';--'"]),
        ("SELECT $a$ ; -- $a$ /* x */", ["SELECT $a$ ; -- $a$"]),
        ("SELECT E'\\'; --' ; SELECT 2", ["SELECT E'\\'; --'", "SELECT 2"]),
        ("SELECT 'a'\n'b' --", ["SELECT 'a'\n'b'"]),
        ("SELECT 'é€𝄞' /* é */ ; /* € */ SELECT é FROM \"𝄞\" -- 𝄞", ["SELECT 'é€𝄞'", 'SELECT é FROM "𝄞"']),
        ("SELECT a\u00a0", ["SELECT a\u00a0"]),
        ("SELECT U&'d!0061' UESCAPE '!' -- x", ["SELECT U&'d!0061' UESCAPE '!'"]),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3",
            ["CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END", "SELECT 3"],
        ),
    ],
)
def test_a_statement_begins_with_its_first_token_and_ends_behind_its_last(
    text: str, statements: list[str]
) -> None:
    assert bounds(text) == statements


def test_locations_are_turned_into_characters() -> None:
    text = "SELECT 'é€𝄞', x"
    assert Source(text).place(len(text.encode()) - 1) == text.index("x")


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("SELEC 1", 0),
        ("SELECT é é é", 11),
        ("SELECT 'open", 7),
        ("SELECT 1\0; DELETE FROM t", 8),
        ("SELECT '\ud800'", 8),
        ("SELECT " + "+".join("1" * 2000), -1),
    ],
)
def test_what_cannot_be_parsed_says_where(text: str, position: int) -> None:
    with pytest.raises(Unparsed) as caught:
        Source(text)
    assert caught.value.position == position
    assert caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "+".join("1" * 100_000),
        "SELECT " + "(" * 100_000 + "1" + ")" * 100_000,
        " UNION ALL ".join(["SELECT 1"] * 50_000),
        "SELECT 1" + "::int" * 100_000,
        "SELECT * FROM t" + " JOIN t USING (a)" * 30_000,
    ],
)
def test_no_nesting_brings_the_process_down(text: str) -> None:
    with pytest.raises(Unparsed):
        Source(text)


def test_the_parser_is_loaded_when_it_is_needed() -> None:
    program = (
        "import sys, proxy.sql.analysis, proxy.sql.cache, proxy.sql.mentions, proxy.sql.splice\n"
        "assert 'pglast' not in sys.modules\n"
        "from proxy.sql.parse import load\n"
        "load()\n"
        "assert 'pglast' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    load()
