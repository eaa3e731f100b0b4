"""`causeway run` beside the demo, as a user starts it: its log, its admin interface, its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from demo.errors import DemoError
from demo.metrics import Reading, parse
from demo.programs import end
from devstack.supervision import Server, Supervised, clean_environment
from proxy.admin.status import Readiness, Status

_PROJECT = Path(__file__).resolve().parents[1]
_START_SECONDS = 20.0
_LOOK_SECONDS = 0.02
DRAIN_SECONDS = 10
_LINE_BYTES = 1 << 20


class Causeway:
    """One proxy. It ends with this process, however that ends."""

    def __init__(self, *, upstream: str, control: str, store: str, rules: Path, directory: Path) -> None:
        """`control` is its own DSN at the source. `directory` takes log and spool and is deleted in the end."""
        self._log = directory / "causeway.log"
        self._read = 0
        self.events: list[dict[str, Any]] = []
        """What it has logged, as far as `look` has read."""
        self.host = "127.0.0.1"
        self.port = 0
        self.admin = ""
        """Where /status and /metrics answer."""
        self._http: aiohttp.ClientSession | None = None
        self._directory = directory
        self._settings = {
            **{
                name: value for name, value in clean_environment().items() if not name.startswith("CAUSEWAY_")
            },
            "CAUSEWAY_STORE": store,
            "CAUSEWAY_CONTROL_DSN": control,
            "CAUSEWAY_RULES": str(rules),
            "CAUSEWAY_HEARTBEAT_INTERVAL": "250ms",  # what waits for the whole fleet waits for some of them
            "PYTHONPATH": str(_PROJECT),
        }
        arguments = {
            "listen": "127.0.0.1:0",
            "admin": "127.0.0.1:0",
            "upstream": upstream,
            "spool": directory / "spool",
            "retry-backoff-max": "2s",
            "log-format": "json",
            "drain-timeout": f"{DRAIN_SECONDS}s",
        }
        self._supervised = Supervised(
            Server(
                argv=[
                    sys.executable,
                    "-m",
                    "proxy",
                    "run",
                    *(f"--{name}={value}" for name, value in arguments.items()),
                ],
                log=self._log,
                env=self._settings,
                cwd=_PROJECT,
                stop_signal=signal.SIGTERM,
                remove=[directory],
            )
        )

    async def start(self) -> None:
        """Returns when it listens. Raises DemoError with what it said instead."""
        await asyncio.to_thread(self._supervised.start)
        deadline = time.monotonic() + _START_SECONDS
        while (started := self._event("started")) is None:
            if not self._supervised.status().running or time.monotonic() > deadline:
                raise DemoError(f"the proxy did not start:\n{self._supervised.log_tail()}")
            await asyncio.sleep(_LOOK_SECONDS)
        self.host, _, port = started["listen"][0].rpartition(":")
        self.port = int(port)
        self.admin = started["admin"]
        self._http = aiohttp.ClientSession(f"http://{self.admin}", timeout=aiohttp.ClientTimeout(total=5))

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def look(self) -> list[dict[str, Any]]:
        """What it has logged since the last look."""
        try:
            with self._log.open("rb") as file:
                file.seek(self._read)
                chunk = file.read()
        except FileNotFoundError:
            return []
        complete = chunk[: chunk.rfind(b"\n") + 1]
        self._read += len(complete)
        new = []
        for line in complete.splitlines():
            try:
                new.append(json.loads(line))
            except ValueError:
                new.append({"event": line.decode(errors="replace"), "level": "error"})
        self.events += new
        return new

    def _event(self, name: str) -> dict[str, Any] | None:
        self.look()
        return next((event for event in self.events if event.get("event") == name), None)

    async def status(self) -> Status:
        return Status.model_validate(await self._get("/status"))

    async def told(self) -> str:
        """What `causeway status` prints, on 100 columns. Raises DemoError where it fails."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "proxy", "status", f"--admin={self.admin}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=clean_environment(PYTHONPATH=str(_PROJECT), COLUMNS="100", NO_COLOR="1"),
            cwd=_PROJECT,
            start_new_session=True,
        )
        try:
            said, _ = await process.communicate()
        finally:
            await end(process)
        if process.returncode != 0:
            raise DemoError(f"causeway status failed:\n{said.decode(errors='replace').strip()}")
        return said.decode(errors="replace")

    async def command(
        self, *arguments: str, said: Callable[[dict[str, Any]], None] = lambda line: None
    ) -> tuple[int, Any]:
        """Runs `causeway ... --json` to its end: exit code and what it printed, of several lines the last.

        `said` is called with each line as it comes, where a line is JSON by itself. Raises DemoError where it fails.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxy", *arguments, "--json"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._settings,
            cwd=_PROJECT,
            start_new_session=True,
            limit=_LINE_BYTES,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        errors = asyncio.create_task(process.stderr.read())
        printed = b""
        last: Any = None
        try:
            async for line in process.stdout:
                printed += line
                with contextlib.suppress(ValueError):
                    last = json.loads(line)
                    said(last)
            code = await process.wait()
        finally:
            await end(process)
            told = (await errors).decode(errors="replace").strip()
        with contextlib.suppress(ValueError):
            last = json.loads(printed)
        if code not in (0, 1) or not isinstance(last, dict):
            raise DemoError(f"causeway {' '.join(arguments)} ended with {code}:\n{told}")
        return code, last

    async def readiness(self) -> Readiness:
        """Also while it is not ready."""
        return Readiness.model_validate(await self._get("/readyz"))

    async def reading(self) -> Reading:
        assert self._http is not None
        async with self._http.get("/metrics") as answer:
            return parse(await answer.text(), time.monotonic())

    async def _get(self, path: str) -> Any:
        assert self._http is not None
        async with self._http.get(path) as answer:
            return await answer.json()

    def terminate(self) -> None:
        """SIGTERM: drain."""
        self._supervised.stop(signal.SIGTERM, 0)

    async def wait(self, timeout: float) -> int:
        """The exit code. Raises DemoError where it does not end."""
        deadline = time.monotonic() + timeout
        while (state := self._supervised.status()).running:
            if time.monotonic() > deadline:
                raise DemoError(
                    f"the proxy did not end within {timeout:.0f} s:\n{self._supervised.log_tail()}"
                )
            await asyncio.sleep(_LOOK_SECONDS)
        self.look()
        return -1 if state.returncode is None else state.returncode

    def log_tail(self) -> str:
        return self._supervised.log_tail()

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
        await asyncio.to_thread(self._supervised.close)
