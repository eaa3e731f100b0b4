"""Many waits are few questions, and nobody returns too early."""

from __future__ import annotations

import asyncio

import pytest

from proxy.shadow.passing import Passing


async def test_all_who_wait_share_a_question() -> None:
    asked: list[int] = []
    gates: list[asyncio.Event] = []

    async def ask(version: int) -> None:
        asked.append(version)
        gate = asyncio.Event()
        gates.append(gate)
        await gate.wait()

    passing = Passing(ask)
    waits = [asyncio.create_task(passing.reach(version)) for version in (5, 9, 3, 7)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asked == [5]
    gates[0].set()
    await asyncio.sleep(0.01)
    assert [wait.done() for wait in waits] == [True, False, True, False]
    assert asked == [5, 9]
    gates[1].set()
    await asyncio.gather(*waits)
    await passing.reach(8)
    assert asked == [5, 9]


async def test_failures_reach_those_who_wait_and_no_others() -> None:
    failing = True

    async def ask(version: int) -> None:
        await asyncio.sleep(0)
        if failing:
            raise RuntimeError("away")

    passing = Passing(ask)
    found = await asyncio.gather(passing.reach(1), passing.reach(2), return_exceptions=True)
    assert all(isinstance(one, RuntimeError) for one in found)
    failing = False
    await passing.reach(2)


async def test_one_who_gives_up_ends_nothing() -> None:
    gate = asyncio.Event()

    async def ask(version: int) -> None:
        await gate.wait()

    passing = Passing(ask)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await passing.reach(1)
    other = asyncio.create_task(passing.reach(1))
    await asyncio.sleep(0)
    gate.set()
    await other
