"""max_connections, in one process and over several."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.limit import LocalLimit, SharedLimit


def test_a_local_limit() -> None:
    limit = LocalLimit(2)
    assert [limit.take() for _ in range(3)] == [True, True, False]
    limit.give_back()
    assert limit.take()


@pytest.fixture
def area() -> Iterator[int]:
    fd = SharedLimit.create(3)
    yield fd
    os.close(fd)


def test_processes_share_one_limit(area: int) -> None:
    first, second = SharedLimit(3, 3, 0, area), SharedLimit(3, 3, 1, area)
    assert [first.take(), second.take(), first.take()] == [True, True, True]
    assert not second.take()
    assert not first.take()
    first.give_back()
    assert second.take()


def test_a_process_that_starts_anew_gives_back_what_its_predecessor_held(area: int) -> None:
    SharedLimit(1, 3, 2, area).take()
    other = SharedLimit(1, 3, 0, area)
    assert not other.take()
    SharedLimit(1, 3, 2, area)
    assert other.take()


@given(steps=st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=60))
def test_the_sum_never_passes_the_limit(steps: list[tuple[int, bool]]) -> None:
    fd = SharedLimit.create(3)
    try:
        limits = [SharedLimit(4, 3, slot, fd) for slot in range(3)]
        held = [0, 0, 0]
        for slot, takes in steps:
            if takes:
                assert limits[slot].take() == (sum(held) < 4)
                held[slot] += sum(held) < 4
            elif held[slot]:
                limits[slot].give_back()
                held[slot] -= 1
    finally:
        os.close(fd)


def _take_and_give_back(slot: int, fd: int, rounds: int, results: multiprocessing.Queue[bool]) -> None:
    limit = SharedLimit(2, 3, slot, fd)
    overrun = False
    for _ in range(rounds):
        if limit.take():
            overrun |= sum(limit._held) > 2 + 2  # a refused taker is counted for a moment, one per other slot
            limit.give_back()
    results.put(overrun)


def test_processes_at_once(area: int) -> None:
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[bool] = context.Queue()
    processes = [
        context.Process(target=_take_and_give_back, args=(slot, area, 20_000, results)) for slot in range(3)
    ]
    for process in processes:
        process.start()
    assert [results.get(timeout=30) for _ in processes] == [False] * 3
    for process in processes:
        process.join(10)
    assert not any(SharedLimit(2, 3, slot, area)._held[slot] for slot in range(3))
