"""`causeway run` beside the demo, as a user starts it: its log, its admin interface, its end."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
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
        arguments = {
            "listen": "127.0.0.1:0",
            "admin": "127.0.0.1:0",
            "upstream": upstream,
            "rules": rules,
            "spool": directory / "spool",
            "retry-backoff-max": "2s",
            "log-format": "json",
            "drain-timeout": f"{DRAIN_SECONDS}s",
        }
        environment = {
            name: value for name, value in clean_environment().items() if not name.startswith("CAUSEWAY_")
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
                env={
                    **environment,
                    "CAUSEWAY_STORE": store,
                    "CAUSEWAY_CONTROL_DSN": control,
                    "PYTHONPATH": str(_PROJECT),
                },
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
