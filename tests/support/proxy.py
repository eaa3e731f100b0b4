"""A proxy in a process of its own, as a user runs it, for tests."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

START_TIMEOUT = 20.0
STOP_TIMEOUT = 40.0


class ProxyProcess:
    """`causeway run` with the given settings, started and stopped; its log is kept line by line."""

    def __init__(
        self,
        *,
        upstream: str,
        listen: str = "127.0.0.1:0",
        env: Mapping[str, str] | None = None,
        **settings: Any,
    ):
        """`settings` are names of `proxy.config.Settings`; values are written as on the command line."""
        self.settings = {
            "listen": listen,
            "upstream": upstream,
            "admin": "off",
            "log_format": "json",
            **settings,
        }
        self._env = dict(env or {})
        self._process: subprocess.Popen[str] | None = None
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.log: list[str] = []
        """Every line the proxy has written."""
        self.addresses: list[str] = []
        """Where it listens."""
        self.admin: str | None = None
        """Where its admin interface listens."""

    def start(self) -> ProxyProcess:
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in self.settings.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "proxy", "run", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **self._env},
        )
        threading.Thread(target=self._read, daemon=True).start()
        started = self.wait_for("started", START_TIMEOUT)
        self.addresses = started["listen"]
        self.admin = started.get("admin")
        return self

    def wait_for(self, event: str, timeout: float = 10.0) -> dict[str, Any]:
        """The next log event of this name from here on; AssertionError with the log if it does not come."""
        while True:
            try:
                line = self._events.get(timeout=timeout)
            except queue.Empty:
                raise AssertionError(
                    f"no event {event!r} within {timeout} s:\n" + "\n".join(self.log)
                ) from None
            if line is None:
                raise AssertionError(f"the proxy ended before {event!r}:\n" + "\n".join(self.log))
            if line.get("event") == event:
                return line

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def host(self) -> str:
        return self.addresses[0].rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.addresses[0].rpartition(":")[2])

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, timeout: float = STOP_TIMEOUT) -> int:
        """The exit code, once it has ended."""
        assert self._process is not None
        return self._process.wait(timeout)

    def stop(self) -> int:
        """SIGTERM, and the exit code; killed if it does not end."""
        if self._process is None or self._process.poll() is not None:
            return 0 if self._process is None else self._process.returncode
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for line in stream:
                self.log.append(line.rstrip("\n"))
                try:
                    self._events.put(json.loads(line))
                except ValueError:
                    continue
        self._events.put(None)

    def __enter__(self) -> ProxyProcess:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
