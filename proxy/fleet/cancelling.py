"""Ending tasks that run for good, also where a library has swallowed their cancellation."""

from __future__ import annotations

import asyncio


def end_if_cancelled() -> None:
    """Raises CancelledError if the task was asked to end, and what it awaited then has kept that to itself.

    The store's driver does while it connects. To be called in every turn of a loop without end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
