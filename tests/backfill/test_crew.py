"""Only so many run at once; a failure ends the others and is told."""

from __future__ import annotations

import asyncio

import pytest

from proxy.backfill.crew import Crew


async def test_no_more_than_its_size_run_at_once() -> None:
    running, most, done = 0, 0, 0

    async def work() -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done += 1

    async with Crew(3) as crew:
        for _ in range(20):
            await crew.begin(work())
        await crew.wait()
    assert (most, done) == (3, 20)


async def test_what_one_fails_with_is_raised_and_the_others_end() -> None:
    ended = asyncio.Event()

    async def fail() -> None:
        raise ValueError("broken")

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def together() -> None:
        async with Crew(2) as crew:
            await crew.begin(endless())
            await crew.begin(fail())
            await crew.begin(endless())

    with pytest.raises(ValueError, match="broken"):
        await together()
    assert ended.is_set()


async def test_leaving_early_ends_what_runs() -> None:
    ended = asyncio.Event()
    begun = asyncio.Event()

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with Crew(1) as crew:
        await crew.begin(endless())
        await begun.wait()
    assert ended.is_set()
