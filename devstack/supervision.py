"""Servers that never outlive the process that started them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devstack.accounts import Account
from devstack.errors import DevstackError

_WARDEN = Path(__file__).with_name("warden.py")


@dataclass(frozen=True)
class Server:
    """What a warden runs."""

    argv: Sequence[str]
    log: Path
    account: Account | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = Path("/")
    stop_signal: int = signal.SIGTERM
    """Sent to the server when the parent is gone."""
    death_signal: int = signal.SIGKILL
    """Sent by the kernel when the warden itself is gone."""
    comm: str | None = None
    """Where `argv` is a sandbox: the name of the process inside that signals are meant for."""
    remove: Sequence[Path] = ()
    """Deleted at the very end."""


@dataclass(frozen=True)
class Running:
    running: bool
    pid: int | None
    returncode: int | None


class Supervised:
    """One server under its warden. `close` (or the death of this process) ends both."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._lock = threading.Lock()
        # Not this process's own standard error: a caller may wait for that pipe's end.
        with open(server.log, "ab") as log:
            self._warden = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_WARDEN)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
        account = server.account
        self._send(
            {
                "argv": list(server.argv),
                "log": str(server.log),
                "uid": account.uid if account else None,
                "gid": account.gid if account else None,
                "env": dict(server.env),
                "cwd": str(server.cwd),
                "stop_signal": int(server.stop_signal),
                "death_signal": int(server.death_signal),
                "comm": server.comm,
                "remove": [str(path) for path in server.remove],
            }
        )

    @property
    def warden_pid(self) -> int:
        return self._warden.pid

    def start(self) -> Running:
        return self._ask({"do": "start"})

    def status(self) -> Running:
        return self._ask({"do": "status"})

    def stop(self, number: int, timeout: float) -> Running:
        """Signal the server and wait at most `timeout` seconds for it to end."""
        return self._ask({"do": "stop", "signal": int(number), "timeout": timeout})

    def log_tail(self, lines: int = 20) -> str:
        try:
            text = self.server.log.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            return f"(no log: {error})"
        return "\n".join(text.splitlines()[-lines:])

    def close(self) -> None:
        """End the server, delete its directories, and wait until that is done. May be called twice."""
        with self._lock:
            if self._warden.stdin is not None and not self._warden.stdin.closed:
                try:
                    self._warden.stdin.close()
                except BrokenPipeError:
                    pass
            self._warden.wait()
            if self._warden.stdout is not None:
                self._warden.stdout.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._warden.stdin is not None
        try:
            self._warden.stdin.write(json.dumps(message).encode() + b"\n")
            self._warden.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise DevstackError(f"{self.server.argv[0]}: its warden has ended") from error

    def _ask(self, message: Mapping[str, Any]) -> Running:
        with self._lock:
            self._send(message)
            assert self._warden.stdout is not None
            line = self._warden.stdout.readline()
        if not line:
            raise DevstackError(f"{self.server.argv[0]}: its warden has ended")
        reply = json.loads(line)
        if "error" in reply:
            raise DevstackError(f"{self.server.argv[0]} did not start: {reply['error']}")
        return Running(reply["running"], reply.get("pid"), reply["returncode"])


def clean_environment(**more: str) -> dict[str, str]:
    """The caller's environment without what would change a server's or libpq's behaviour unasked."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "LC_", "PYTHON")) and name not in ("LANG", "LANGUAGE", "TZ")
    }
    kept.update({"LC_ALL": "C.UTF-8", **more})
    return kept
