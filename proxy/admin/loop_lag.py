"""How late the event loop is: what every connection of a process waits on top of the network."""

from __future__ import annotations

import asyncio

from proxy.admin.counters import Counters

TICK = 0.5
"""Seconds between measurements. Short enough to meet a stall of a scrape interval, cheap enough to forget."""


async def measure_loop_lag(counters: Counters, *, tick: float = TICK) -> None:
    """Keeps `loop_lag_seconds` and `loop_lag_max` up to date until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + tick
        await asyncio.sleep(tick)
        lag = max(0.0, loop.time() - due)
        counters.loop_lag_seconds = lag
        counters.loop_lag_max = max(counters.loop_lag_max, lag)
