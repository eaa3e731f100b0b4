"""Versions order as (timeline, position) do, hold both, and say what they have no room for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.mirror.versions import (
    MAX_LSN,
    MAX_TIMELINE,
    VersionOverflow,
    format_lsn,
    pack,
    parse_lsn,
    unpack,
)

POINTS = st.tuples(st.integers(1, MAX_TIMELINE), st.integers(0, MAX_LSN))


@given(POINTS)
def test_both_come_back(point: tuple[int, int]) -> None:
    assert unpack(pack(*point)) == point


@given(POINTS, POINTS)
def test_the_order_is_that_of_timeline_and_position(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (pack(*one) < pack(*other)) == (one < other)


def test_the_greatest_is_a_signed_int64() -> None:
    assert pack(MAX_TIMELINE, MAX_LSN) == 2**63 - 1


@pytest.mark.parametrize("point", [(0, 1), (-1, 1), (MAX_TIMELINE + 1, 1), (1, -1), (1, MAX_LSN + 1)])
def test_no_room(point: tuple[int, int]) -> None:
    with pytest.raises(VersionOverflow):
        pack(*point)


@given(st.integers(0, 2**64 - 1))
def test_a_position_is_read_as_it_is_written(lsn: int) -> None:
    assert parse_lsn(format_lsn(lsn)) == lsn


def test_as_postgres_writes_it() -> None:
    assert format_lsn(parse_lsn("16/B374D848")) == "16/B374D848"


@pytest.mark.parametrize("text", ["", "16", "16/", "/1", "x/1", "16/zz"])
def test_no_position(text: str) -> None:
    with pytest.raises(ValueError, match=r"WAL position|invalid literal"):
        parse_lsn(text)
