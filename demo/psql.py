"""A person at psql who stops a query with Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from demo.errors import DemoError
from demo.programs import end
from devstack.supervision import clean_environment

_START_SECONDS = 10.0
_STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.05


async def cancelled_sleep(psql: Path, dsn: str, runs: Callable[[], Awaitable[bool]]) -> float:
    """Seconds from Ctrl-C to the end of psql. `runs` says whether its query has begun.

    Raises DemoError where it is not cancelled.
    """
    process = await asyncio.create_subprocess_exec(
        str(psql),
        "--no-psqlrc",
        "--command=select pg_sleep(600)",
        dsn,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=clean_environment(PGAPPNAME="psql"),
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not await runs():
            if process.returncode is not None or time.monotonic() > deadline:
                raise DemoError("psql did not come to run its query")
            await asyncio.sleep(_LOOK_SECONDS)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(_STOP_SECONDS):
            said, _ = await process.communicate()
        taken = time.monotonic() - began
    finally:
        await end(process)
    if b"canceling statement due to user request" not in said:
        raise DemoError(f"psql was not cancelled: {' '.join(said.decode(errors='replace').split())}")
    return taken
