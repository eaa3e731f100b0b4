"""Waiting for something, or for the process to be told to end, whichever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Stopped(Exception):
    """The process was asked to end."""


async def or_stop(
    work: Coroutine[Any, Any, Result],
    stop: asyncio.Event,
    *,
    waiting: Callable[[], str] = lambda: "",
    tell: Callable[[str], None] = lambda text: None,
    every: float = 1.0,
) -> Result:
    """What `work` gives. Raises Stopped where `stop` is set before.

    What it is `waiting` for is asked `every` so many seconds, and told whenever it is something else.
    """
    told = ""
    task = asyncio.create_task(work)
    stopped = asyncio.create_task(stop.wait())
    try:
        while not task.done() and not stopped.done():
            await asyncio.wait({task, stopped}, timeout=every, return_when=asyncio.FIRST_COMPLETED)
            if (now := waiting()) and now != told:
                tell(f"waiting: {now}")
                told = now
        if not task.done():
            raise Stopped
        return task.result()
    finally:
        task.cancel()
        stopped.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


async def any_of(seconds: float, *events: asyncio.Event) -> None:
    """Returns once one of them is set, or the time is over."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
