from __future__ import annotations

import asyncio

from proxy.fleet.cancelling import end_if_cancelled


async def test_a_cancellation_that_was_swallowed_ends_the_task_all_the_same() -> None:
    turns = 0

    async def swallows() -> None:
        nonlocal turns
        while True:
            end_if_cancelled()
            turns += 1
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                pass

    task = asyncio.create_task(swallows())
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    assert done
    assert task.cancelled()
    assert turns == 1
