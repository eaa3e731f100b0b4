"""What one run knows, and the work it may do."""

from __future__ import annotations

import pytest

from proxy.translate import types as t
from proxy.translate.api import Inexact, SessionSettings, TooMuch
from proxy.translate.runtime import STEPS_PER_ROW, Run
from proxy.translate.types import Types
from tests.translate.made import run as answered

TYPES = Types({})


def run(max_rows: int = 1000, **settings: object) -> Run:
    return Run(SessionSettings(**settings), TYPES, (), max_rows)  # type: ignore[arg-type]


def test_work_is_bounded_by_the_rows_that_are_allowed() -> None:
    one = run(2000)
    one.spend(2000 * STEPS_PER_ROW)
    with pytest.raises(TooMuch, match="too many steps"):
        one.spend(1)
    small = run(1)
    small.spend(1000 * STEPS_PER_ROW)  # a read of few rows may still be worked at
    small.full(1)
    with pytest.raises(TooMuch, match="too many rows"):
        small.full(2)


def test_a_read_that_multiplies_rows_is_stopped() -> None:
    ten = "(VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10))"
    tables = ", ".join(f"{ten} t{number} (x)" for number in range(6))
    with pytest.raises(TooMuch):
        answered(f"SELECT count(*) FROM {tables}")


def test_the_first_doubt_is_kept() -> None:
    one = run()
    assert one.indeterminate == ""
    one.doubt("first")
    one.doubt("second")
    assert one.indeterminate == "first"


def test_what_is_not_known_of_the_session_makes_the_read_inexact() -> None:
    assert run(now=7, user="ann").now() == 7
    assert run(now=7, user="ann").user() == "ann"
    with pytest.raises(Inexact, match="the time of the transaction"):
        run().now()
    with pytest.raises(Inexact, match="the user"):
        run().user()


def test_values_are_written_and_read_in_the_sessions_settings() -> None:
    one = run(time_zone="Asia/Tokyo", bytea_output="escape")
    text = "2024-01-01 09:00:00+09"
    assert one.write(t.TIMESTAMPTZ, one.parse(t.TIMESTAMPTZ, text)) == text
    assert one.write(t.TIMESTAMPTZ, one.parse(t.TIMESTAMPTZ, "2024-01-01 00:00:00+00")) == text
    assert one.write(t.BYTEA, b"a\\\x00") == "a\\\\\\000"
