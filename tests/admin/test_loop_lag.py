"""The measurement of the event loop's lateness."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from proxy.admin.counters import Counters
from proxy.admin.loop_lag import measure_loop_lag


class Told(Counters):
    """Tells of every measurement."""

    def __init__(self) -> None:
        self.measured: asyncio.Queue[float] = asyncio.Queue()
        super().__init__()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "loop_lag_seconds":
            self.measured.put_nowait(value)


async def test_a_stall_is_measured_and_the_largest_kept() -> None:
    counters = Told()
    counters.measured.get_nowait()  # the zero it starts with
    task = asyncio.create_task(measure_loop_lag(counters, tick=0.02))
    try:
        await asyncio.sleep(0)
        time.sleep(0.2)  # noqa: ASYNC251 - the stall that is to be measured
        async with asyncio.timeout(10):
            stalled = await counters.measured.get()
            assert 0.15 <= stalled < 5
            while await counters.measured.get() >= stalled:
                pass
        assert counters.loop_lag_max >= stalled
        assert counters.loop_lag_seconds < stalled
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
