"""The shop as a process of its own, told nothing but a DSN."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

from demo.clerks import Report
from demo.errors import DemoError
from demo.programs import end, lines
from devstack.supervision import clean_environment

_PROJECT = Path(__file__).resolve().parents[1]


class ShopProcess:
    """Opens, sells until `close_shop`, and reports all the while."""

    def __init__(self, process: asyncio.subprocess.Process, on_report: Callable[[Report], None]) -> None:
        self._process = process
        self._on_report = on_report
        self._opened = asyncio.Event()
        self._said: list[str] = []
        self.report = Report()
        """The latest."""
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls,
        dsn: str,
        *,
        clerks: int,
        think: float,
        on_report: Callable[[Report], None],
        make_tables: bool = False,
    ) -> ShopProcess:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "demo.clerks",
            f"--clerks={clerks}",
            f"--think={think}",
            *(("--make-tables",) if make_tables else ()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=clean_environment(DATABASE_URL=dsn, PYTHONPATH=str(_PROJECT)),
            cwd=_PROJECT,
            start_new_session=True,
        )
        return cls(process, on_report)

    async def opened(self) -> None:
        """When its tables are filled. Raises DemoError where it ended instead."""
        opened = asyncio.ensure_future(self._opened.wait())
        try:
            await asyncio.wait({opened, self._reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            opened.cancel()
        if not self._opened.is_set():
            raise self._failure()

    def check(self) -> None:
        """Raises DemoError where it is not at work any more."""
        if self._reading.done():
            raise self._failure()

    async def close_shop(self) -> Report:
        """Let the clerks finish; the last report. Raises DemoError where it did not end well."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._reading
        code = await self._process.wait()
        if not self.report.closed or (code != 0 and not self.report.errors):
            raise self._failure()
        return self.report

    async def close(self) -> None:
        await end(self._process)
        await self._reading

    def _failure(self) -> DemoError:
        return DemoError("the shop ended by itself:\n" + "\n".join(self._said[-15:]))

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in lines(self._process.stdout):
            try:
                self.report = Report(**json.loads(line))
            except (ValueError, TypeError):
                self._said.append(line)
                continue
            self._opened.set()
            self._on_report(self.report)
