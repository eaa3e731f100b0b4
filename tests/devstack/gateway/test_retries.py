"""Retryable writes are remembered within limits."""

from __future__ import annotations

import asyncio

import pytest

from devstack.gateway.errors import CommandError
from devstack.gateway.retries import RetryableWrites


class Writes:
    """A write that counts how often it is done, and can be held."""

    def __init__(self, reply: bytes = b"done") -> None:
        self.reply = reply
        self.done = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self) -> bytes:
        await self.go.wait()
        self.done += 1
        return self.reply


async def test_second_time_is_answered_from_memory() -> None:
    writes, memory = Writes(), RetryableWrites(10)
    assert await memory.run(b"s", 1, writes) == b"done"
    assert await memory.run(b"s", 1, writes) == b"done"
    assert await memory.run(b"other", 1, writes) == b"done"
    assert await memory.run(b"s", 2, writes) == b"done"
    assert (writes.done, memory.answered_again) == (3, 1)
    with pytest.raises(CommandError) as caught:
        await memory.run(b"s", 1, writes)
    assert caught.value.code == 225


async def test_retry_waits_for_the_first_that_is_still_running() -> None:
    writes, memory = Writes(), RetryableWrites(10)
    writes.go.clear()
    first = asyncio.create_task(memory.run(b"s", 1, writes))
    second = asyncio.create_task(memory.run(b"s", 1, writes))
    await asyncio.sleep(0)
    assert not second.done()
    writes.go.set()
    assert await first == await second == b"done"
    assert writes.done == 1


async def test_failed_write_is_done_again() -> None:
    memory = RetryableWrites(10)

    async def fail() -> bytes:
        raise CommandError(112, "")

    with pytest.raises(CommandError):
        await memory.run(b"s", 1, fail)
    assert await memory.run(b"s", 1, Writes()) == b"done"


async def test_memory_is_bounded() -> None:
    by_number = RetryableWrites(3)
    for session in range(10):
        await by_number.run(bytes([session]), 1, Writes())
    assert len(by_number) == 3
    by_size = RetryableWrites(100, max_bytes=1000)
    for session in range(10):
        await by_size.run(bytes([session]), 1, Writes(b"x" * 300))
    assert len(by_size) == 3
    again = Writes()
    await by_size.run(bytes([0]), 1, again)
    assert again.done == 1
