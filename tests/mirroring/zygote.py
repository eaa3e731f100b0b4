"""A process that has the proxy imported and forks it: proxies start in milliseconds, and are processes to kill.

`python -m tests.mirroring.zygote` reads a JSON object a line: `{"start": {settings}, "log": path}` is answered with
`{"pid": n}`, `{"wait": pid}` with `{"status": exit code, negative for a signal}`. All of its children end with it.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

_PR_SET_PDEATHSIG = 1


class Zygote:
    """The other end: what tests use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.mirroring.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )

    def start(self, settings: dict[str, Any], log: Path) -> int:
        """The process id of a proxy that starts with these settings and writes its log there."""
        return int(self._ask({"start": settings, "log": str(log)})["pid"])

    def wait(self, pid: int) -> int:
        """How it ended, once it has."""
        return int(self._ask({"wait": pid})["status"])

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            assert self._process.poll() is None, "the process that starts proxies has ended"
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        assert line, "the process that starts proxies has ended; its last words are on standard error"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Zygote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _child(settings: dict[str, Any], log: str) -> int:
    from proxy.config import Settings
    from proxy.run import run

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDWR)
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for old, new in ((nothing, 0), (nothing, 1), (written, 2)):
        os.dup2(old, new)
    return run(Settings.model_validate(settings))


def main() -> None:
    for module in ("proxy.run", "proxy.mirroring", "pglast", "asyncpg", "pymongo", "bson", "sqlite3"):
        try:
            __import__(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            answer = {"status": os.waitstatus_to_exitcode(status)}
        else:
            pid = os.fork()
            if pid == 0:
                status = 70
                try:
                    status = _child(request["start"], request["log"])
                finally:
                    os._exit(status)
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
