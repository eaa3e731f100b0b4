from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from proxy.translate.api import Inexact, ReadError, SessionSettings
from proxy.translate.logic import conjunction, decided
from proxy.translate.runtime import Row, Run
from proxy.translate.types import Types

RUN = Run(SessionSettings(), Types({}), (), 10)


def failing(row: Row, run: Run) -> Any:
    raise ReadError("22012", "division by zero")


def given(*values: Any) -> list[Any]:
    return [failing if value is ... else lambda row, run, value=value: value for value in values]


@pytest.mark.parametrize("values", list(product((True, False, None), repeat=3)))
def test_and_and_or_are_those_of_sql(values: tuple[bool | None, ...]) -> None:
    every = False if False in values else None if None in values else True
    some = True if True in values else None if None in values else False
    assert conjunction(given(*values))((), RUN) is every
    assert decided(given(*values), True)((), RUN) is some


def test_an_error_counts_where_nothing_else_decides() -> None:
    for values in ((..., True), (True, ...), (None, ...)):
        with pytest.raises(ReadError):
            conjunction(given(*values))((), RUN)
    with pytest.raises(ReadError):
        decided(given(..., False), True)((), RUN)


def test_an_error_before_what_decides_is_left_to_postgres() -> None:
    with pytest.raises(Inexact):
        conjunction(given(..., False))((), RUN)
    assert conjunction(given(False, ...))((), RUN) is False
