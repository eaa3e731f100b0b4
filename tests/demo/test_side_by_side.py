from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from demo.side_by_side import Latency, compare, latency


@pytest.mark.parametrize(
    ("durations", "expected"),
    [
        ([3.0], Latency(3.0, 3.0)),
        ([4.0, 1.0, 3.0, 2.0], Latency(2.0, 4.0)),
        ([float(n) for n in range(1, 101)], Latency(50.0, 99.0)),
        ([float(n) for n in range(1, 201)], Latency(100.0, 198.0)),
    ],
)
def test_nearest_rank(durations: list[float], expected: Latency) -> None:
    assert latency(durations) == expected


async def test_both_are_done_equally_often_and_in_turns() -> None:
    done: list[str] = []

    async def direct() -> None:
        done.append("direct")

    async def proxied() -> None:
        done.append("proxied")
        await asyncio.sleep(0.001)

    result = await compare("work", direct, proxied, 0.05)
    assert result.rounds > 0
    assert done.count("direct") == done.count("proxied") > result.rounds
    turns = sum(one != other for one, other in pairwise(done))
    assert turns > 2
    assert result.proxied.p50 >= 0.001 > result.direct.p50
