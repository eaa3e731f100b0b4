"""Problems and the error that carries them."""

from __future__ import annotations

import pytest

from proxy.rulefiles.problems import Place, Problem, RulesError


def problem(file: str = "a.yaml", line: int | None = 1, message: str = "wrong") -> Problem:
    return Problem(file, line, None if line is None else 2, "tables.t", message)


def test_a_problem_says_where_what_and_what_would_be_right() -> None:
    assert str(Problem("a.yaml", 3, 5, "tables.t", "wrong", "write right")) == (
        "a.yaml:3:5: tables.t: wrong (write right)"
    )
    assert str(Problem("missing", None, None, "", "cannot be read")) == "missing: cannot be read"
    assert str(Place("a.yaml", 3, 5)) == "a.yaml:3:5"


def test_all_are_carried_once_in_the_order_of_the_text() -> None:
    late, early, other = problem(line=9), problem(line=2), problem("b.yaml")
    error = RulesError([other, late, early, late])
    assert error.problems == (early, late, other)
    assert str(error).splitlines() == [str(early), str(late), str(other)]


def test_an_error_without_a_problem_is_none() -> None:
    with pytest.raises(ValueError, match="needs a problem"):
        RulesError([])
