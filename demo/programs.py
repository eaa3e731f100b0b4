"""Programs run beside the demo: what they say, line by line, and their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

_END_SECONDS = 5.0


async def lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Without their ends. A carriage return ends a line too: so do programs rewrite one on a terminal."""
    rest = ""
    while chunk := await stream.read(1 << 16):
        *complete, rest = (rest + chunk.decode(errors="replace")).replace("\r", "\n").split("\n")
        for line in complete:
            if line:
                yield line
    if rest:
        yield rest


async def end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, then SIGKILL; nothing where it has ended by itself."""
    if process.returncode is not None:
        return
    for stop in (process.terminate, process.kill):
        try:
            stop()
        except ProcessLookupError:
            pass
        try:
            async with asyncio.timeout(_END_SECONDS):
                await process.wait()
        except TimeoutError:
            continue
        return
