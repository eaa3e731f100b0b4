"""Regular expressions say what PostgreSQL's say, or nothing."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from proxy.translate import regexes
from proxy.translate.api import Inexact
from tests.translate.world import World

MANY = settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

_ATOMS = [
    "a",
    "b",
    "K",
    "ab",
    ".",
    "[ab]",
    "[^a]",
    "[a-c]",
    "[0-9]",
    r"\.",
    r"\*",
    r"\\",
    "é",
    " ",
    "\n",
    "-",
    "[a^]",
    "[.]",
    "[b-]",
]
_OTHER = [
    "(",
    "(?:",
    ")",
    "|",
    "^",
    "$",
    "*",
    "+",
    "?",
    "{1}",
    "{1,2}",
    "{2,}",
    "*?",
    "+?",
    r"\d",
    "]",
    "{",
    "[]a]",
    "[[:alpha:]]",
    "(?i)",
    r"\y",
]
PATTERNS = st.lists(st.sampled_from(_ATOMS) | st.sampled_from(_OTHER), max_size=7).map("".join)
PLAIN = st.recursive(
    st.sampled_from(_ATOMS),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        inner.map(lambda one: f"(?:{one})?"),
        inner.map(lambda one: f"^{one}"),
        inner.map(lambda one: f"{one}$"),
        st.sampled_from(_ATOMS).map(lambda one: f"{one}*"),
    ),
    max_leaves=6,
)
TEXTS = st.text(st.sampled_from("abcABkK0.*\\-^ é\nſ\u212a"), max_size=8)


@pytest.mark.integration
async def test_what_is_read_matches_where_postgres_matches(world: World) -> None:
    read = 0

    @MANY
    @given(st.lists(TEXTS, min_size=1, max_size=8), PLAIN | PATTERNS, st.booleans())
    @example(["K", "\u212a", "k"], "k", True)
    @example(["a\n", "\na"], "^a$", False)
    @example(["ab"], "a|", False)
    @example(["ab"], "(|b)$", False)
    @example(["aa"], "a{,2}", False)
    def check(texts: list[str], pattern: str, ignore_case: bool) -> None:
        nonlocal read
        try:
            ours = [regexes.matches(text, pattern, ignore_case=ignore_case) for text in texts]
        except Inexact:
            return
        read += 1
        operator = "~*" if ignore_case else "~"
        rows = ", ".join(f"(${place})" for place in range(2, len(texts) + 2))
        given = [pattern.encode(), *(text.encode() for text in texts)]
        answer = world.oracle.ask(
            f"SELECT t {operator} $1 FROM (VALUES {rows}) v (t)", given, [25] * len(given)
        )
        assert not answer.sqlstate, (pattern, answer.sqlstate)
        assert [row[0] == "t" for row in answer.rows] == ours, (pattern, texts)

    check()
    assert read > 300  # of each run: the law is not about refusals


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "(a",
            "a)",
            "*a",
            "a**",
            "^*",
            "a|*",
            "(?i)a",
            "(?=a)",
            "***=a",
            r"\d",
            r"\1",
            "\\",
            "[",
            "[]a]",
            "[[:alpha:]]",
            "[z-a]",
        ),
        *("a{,2}", "a{3,1}", "a{200}", "a{", "a}", "a]", "(ab)*(c)+x*", "(a*)*", "(a|b)*", ".*.*", "a" * 300),
    ],
)
def test_what_might_mean_something_else_is_refused(pattern: str) -> None:
    with pytest.raises(Inexact):
        regexes.matches("abc", pattern, ignore_case=False)


def test_letters_beyond_ascii_have_no_case_that_is_known() -> None:
    with pytest.raises(Inexact):
        regexes.matches("É", "é", ignore_case=True)
    assert regexes.matches("é", "é", ignore_case=False)


def test_none_takes_long() -> None:
    with pytest.raises(Inexact):
        regexes.matches("a" * (regexes.MAX_TEXT + 1), ".*b", ignore_case=False)
    began = time.process_time()
    for pattern in (".*b", "a*b", "(?:a?){9}b", "a{1,20}b"):
        try:
            regexes.matches("a" * regexes.MAX_TEXT, pattern, ignore_case=True)
        except Inexact:
            continue
    assert time.process_time() - began < 20
