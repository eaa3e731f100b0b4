"""A small process that owns one server and ends it when the process that asked for it is gone.

Run as a script, with the standard library alone, so that it starts in a few milliseconds. Its standard
input is a pipe whose other end only the parent holds: end of file means that the parent has closed it
or has died, by whatever signal. The warden then stops the server, deletes the directories it was
given, and exits. Should the warden itself be killed, the kernel signals the server
(`PR_SET_PDEATHSIG`).

Protocol, one JSON object a line: the first line is the specification (`devstack.supervision.Server`),
then each command has exactly one reply. Commands: `start`, `stop` (`signal`, `timeout` in seconds), `status`.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import Any, BinaryIO

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 10.0
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)
"""Only the end of its input ends the warden."""


class Warden:
    """One server process and the directories that go with it."""

    def __init__(self, spec: dict[str, Any], wakeup: int) -> None:
        self._spec = spec
        self._wakeup = wakeup
        self._process: subprocess.Popen[bytes] | None = None
        self._libc = ctypes.CDLL(None, use_errno=True)

    def start(self) -> dict[str, Any]:
        if self._process is not None and self._process.poll() is None:
            return {"error": "already running"}
        spec = self._spec
        switch: dict[str, Any] = {}
        if spec["uid"] is not None:
            switch = {"user": spec["uid"], "group": spec["gid"], "extra_groups": []}
        death_signal = spec["death_signal"]

        def before_exec() -> None:
            # What the warden ignores would stay ignored in the server.
            for number in _IGNORED:
                signal.signal(number, signal.SIG_DFL)
            self._libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)

        try:
            with open(spec["log"], "ab") as log:
                self._process = subprocess.Popen(
                    spec["argv"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=spec["env"],
                    cwd=spec["cwd"],
                    start_new_session=True,
                    preexec_fn=before_exec,
                    **switch,
                )
        except (OSError, subprocess.SubprocessError) as error:
            return {"error": f"{spec['argv'][0]}: {error}"}
        return self.status()

    def status(self) -> dict[str, Any]:
        if self._process is None:
            return {"running": False, "returncode": None}
        code = self._process.poll()
        reply: dict[str, Any] = {"running": code is None, "returncode": code}
        if code is None:
            reply["pid"] = self._target(self._process.pid)
        return reply

    def stop(self, number: int, timeout: float) -> dict[str, Any]:
        """Signal the server and wait; on a time-out it is still running and the reply says so."""
        process = self._process
        if process is not None and process.poll() is None:
            target = self._target(process.pid) or process.pid
            try:
                os.kill(target, number)
            except ProcessLookupError:
                pass
            self._wait(process, timeout)
        return self.status()

    def end(self) -> None:
        """Stop whatever runs, by force if it must be, and delete what was to be deleted."""
        process = self._process
        if process is not None and process.poll() is None:
            self.stop(self._spec["stop_signal"], _GRACE_SECONDS)
            if process.poll() is None:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                process.wait()
        for path in self._spec["remove"]:
            shutil.rmtree(path, ignore_errors=True)

    def _wait(self, process: subprocess.Popen[bytes], timeout: float) -> None:
        """Until the child ends: SIGCHLD writes to the wake-up pipe."""
        deadline = time.monotonic() + timeout
        while process.poll() is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            if select.select([self._wakeup], [], [], left)[0]:
                os.read(self._wakeup, 512)

    def _target(self, pid: int) -> int | None:
        """Whom to signal: the child, or where that is a sandbox, the nearest descendant named `comm`.

        A sandbox's own process passes no signal on. None while the descendant is not there yet.
        """
        wanted = self._spec["comm"]
        if wanted is None:
            return pid
        children: dict[int, list[tuple[int, str]]] = {}
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    text = file.read()
            except OSError:
                continue
            comm = text[text.index("(") + 1 : text.rindex(")")]
            parent = int(text[text.rindex(")") + 2 :].split()[1])
            children.setdefault(parent, []).append((int(name), comm))
        generation = [pid]
        while generation:
            below = [entry for parent in generation for entry in children.get(parent, ())]
            for child, comm in below:
                if comm == wanted:
                    return child
            generation = [child for child, _ in below]
        return None


def main(commands: BinaryIO, replies: BinaryIO) -> None:
    wakeup, wakeup_write = os.pipe()
    os.set_blocking(wakeup_write, False)
    signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    first = commands.readline()
    if not first:
        return
    warden = Warden(json.loads(first), wakeup)
    try:
        for line in commands:
            command = json.loads(line)
            if command["do"] == "start":
                reply = warden.start()
            elif command["do"] == "stop":
                reply = warden.stop(command["signal"], command["timeout"])
            else:
                reply = warden.status()
            try:
                replies.write(json.dumps(reply).encode() + b"\n")
                replies.flush()
            except BrokenPipeError:
                break
    finally:
        warden.end()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
