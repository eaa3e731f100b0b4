"""Waits end with what they are for, or when the process is told to end."""

from __future__ import annotations

import asyncio

import pytest

from proxy.backfill.stopping import Stopped, any_of, or_stop


async def never() -> int:
    await asyncio.Event().wait()
    return 0


async def test_what_is_done_is_returned() -> None:
    async def work() -> int:
        return 7

    assert await or_stop(work(), asyncio.Event()) == 7


async def test_what_fails_raises() -> None:
    async def work() -> int:
        raise LookupError

    with pytest.raises(LookupError):
        await or_stop(work(), asyncio.Event())


async def test_told_to_end_the_work_is_cancelled() -> None:
    stop = asyncio.Event()
    ended = asyncio.Event()

    async def work() -> None:
        try:
            stop.set()
            await never()
        finally:
            ended.set()

    with pytest.raises(Stopped):
        await or_stop(work(), stop)
    assert ended.is_set()


async def test_what_it_waits_for_is_told_once() -> None:
    told: list[str] = []
    texts = ["", "a", "a", "b"]
    asked = asyncio.Event()

    def waiting() -> str:
        if len(texts) == 1:
            asked.set()
        return texts.pop(0) if texts else ""

    await or_stop(asked.wait(), asyncio.Event(), waiting=waiting, tell=told.append, every=0.001)
    assert told == ["waiting: a", "waiting: b"]


async def test_an_event_ends_a_pause() -> None:
    one, other = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, other.set)
    async with asyncio.timeout(5):
        await any_of(60, one, other)
    async with asyncio.timeout(5):
        await any_of(0.01, one)
