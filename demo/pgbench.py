"""pgbench through the proxy: fill its tables, run its TPC-B-like transactions, read what it reports."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from demo.errors import DemoError
from demo.programs import end, lines
from devstack.supervision import clean_environment


@dataclass(frozen=True)
class Progress:
    """A line of `--progress`."""

    tps: float
    latency: float
    """Average, seconds."""
    failed: int


@dataclass(frozen=True)
class Outcome:
    """What a run reports at its end."""

    transactions: int
    failed: int
    latency: float
    """Average, seconds."""


_PROGRESS = re.compile(
    r"progress: [\d.]+ s, ([\d.]+) tps, lat ([\d.]+|NaN) ms stddev \S+?(?:, (\d+) failed)?$"
)
_FILLING = re.compile(r"(\d+) of (\d+) tuples \((\d+)%\)")


def parse_progress(line: str) -> Progress | None:
    """None where it is another line. PostgreSQL 14 and earlier do not tell of failures here."""
    found = _PROGRESS.match(line.strip())
    if found is None:
        return None
    latency = 0.0 if found[2] == "NaN" else float(found[2]) / 1000
    return Progress(float(found[1]), latency, int(found[3] or 0))


def parse_outcome(output: str) -> Outcome:
    """Raises DemoError where this is not a report."""
    done = re.search(r"^number of transactions actually processed: (\d+)", output, flags=re.MULTILINE)
    latency = re.search(r"^latency average = ([\d.]+) ms", output, flags=re.MULTILINE)
    failed = re.search(r"^number of failed transactions: (\d+)", output, flags=re.MULTILINE)
    if done is None or latency is None:
        raise DemoError(f"pgbench ended without its report:\n{output.strip()[-500:]}")
    return Outcome(int(done[1]), int(failed[1]) if failed else 0, float(latency[1]) / 1000)


class Run:
    """One pgbench at work."""

    def __init__(self, process: asyncio.subprocess.Process, on_progress: Callable[[Progress], None]) -> None:
        self._process = process
        self._on_progress = on_progress
        self._output: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def outcome(self) -> Outcome:
        """When its time is up. Raises DemoError where it failed."""
        await self._reading
        code = await self._process.wait()
        output = "\n".join(self._output)
        if code != 0:
            raise DemoError(f"pgbench ended with code {code}:\n{output[-500:]}")
        return parse_outcome(output)

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def close(self) -> None:
        await end(self._process)
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in lines(self._process.stdout):
            progress = parse_progress(line)
            if progress is None:
                self._output.append(line)
            else:
                self._on_progress(progress)


class Pgbench:
    """pgbench of one installation, against one database."""

    def __init__(self, binaries: Path, dsn: str) -> None:
        self._program = str(binaries / "pgbench")
        self._dsn = dsn

    async def fill(self, scale: int, on_progress: Callable[[int], None]) -> None:
        """Make the tables, 100,000 accounts for each step of `scale`; `on_progress` is told the percentage."""
        process = await self._start("--initialize", f"--scale={scale}")
        said = []
        try:
            assert process.stdout is not None
            async for line in lines(process.stdout):
                said.append(line)
                found = _FILLING.search(line)
                if found:
                    on_progress(int(found[3]))
            code = await process.wait()
        finally:
            await end(process)
        if code != 0:
            raise DemoError(f"pgbench --initialize ended with code {code}: {' / '.join(said[-3:])}")

    async def start(
        self, protocol: str, clients: int, seconds: int, on_progress: Callable[[Progress], None]
    ) -> Run:
        """`protocol`: `simple`, `extended` or `prepared`."""
        process = await self._start(
            f"--protocol={protocol}",
            f"--client={clients}",
            f"--time={seconds}",
            "--no-vacuum",
            "--progress=1",
        )
        return Run(process, on_progress)

    async def _start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            self._program,
            *arguments,
            self._dsn,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=clean_environment(PGAPPNAME="pgbench"),
            start_new_session=True,
        )
