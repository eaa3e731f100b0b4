from __future__ import annotations

import asyncio
import sys

import pytest

from demo import programs
from demo.programs import end, lines

STUBBORN = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
signal.pause()
"""


async def test_lines_end_with_line_feeds_and_carriage_returns() -> None:
    stream = asyncio.StreamReader()
    for chunk in (b"one\r\ntw", b"o\rthree\n\nfo", b"ur"):
        stream.feed_data(chunk)
    stream.feed_eof()
    assert [line async for line in lines(stream)] == ["one", "two", "three", "four"]


async def test_the_end_of_a_program_that_ignores_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_END_SECONDS", 0.3)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STUBBORN, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"up\n"
    await end(process)
    assert process.returncode == -9
    await end(process)
