"""Several processes on one port: the supervisor that keeps them, and what a worker is told.

Every worker is a whole proxy process. TCP ports are shared with SO_REUSEPORT, so that the kernel spreads the
connections; Unix sockets are opened by the supervisor and inherited. A worker that dies is started again; when the
supervisor dies, its workers see the end of their standard input and end too.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.addresses import Address, TcpAddress, UnixAddress
from proxy.config import Settings
from proxy.control import ControlError, ask
from proxy.instance import StartError
from proxy.limit import SharedLimit
from proxy.listening import listen_unix
from proxy.logs import get_logger
from proxy.server import AskSiblings
from proxy.wire.startup import CancelRequest

log = get_logger(__name__)

RESTART_DELAY = 0.2
"""Seconds before a worker that died is started again; doubled while it keeps dying at once."""

RESTART_DELAY_MAX = 10.0

STABLE_AFTER = 30.0
"""Seconds a worker has to live for the delay to start over."""

START_TIMEOUT = 30.0
"""Seconds a worker may take until it listens."""

ANSWER_TIMEOUT = 5.0
"""Seconds a worker may take to answer the supervisor."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one worker is told, as JSON on its standard input."""

    settings: Settings
    index: int
    count: int
    directory: Path
    """Where the control sockets are."""
    limit_fd: int
    ready_fd: int
    """Gets one line when the worker listens."""
    unix_fds: tuple[int, ...]
    """Listening Unix sockets."""

    def to_json(self) -> str:
        """The assignment, secrets included: never for a log or a command line."""
        return json.dumps(
            {
                "settings": self.settings.reveal(),
                "index": self.index,
                "count": self.count,
                "directory": str(self.directory),
                "limit_fd": self.limit_fd,
                "ready_fd": self.ready_fd,
                "unix_fds": self.unix_fds,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Assignment:
        found = json.loads(text)
        return cls(
            settings=Settings.model_validate(found["settings"]),
            index=found["index"],
            count=found["count"],
            directory=Path(found["directory"]),
            limit_fd=found["limit_fd"],
            ready_fd=found["ready_fd"],
            unix_fds=tuple(found["unix_fds"]),
        )

    def control_path(self, index: int) -> Path:
        """The control socket of worker `index`."""
        return self.directory / f"worker-{index}.sock"

    @property
    def siblings(self) -> list[Path]:
        """The control sockets of the other workers."""
        return [self.control_path(i) for i in range(self.count) if i != self.index]


class Supervisor:
    """Starts the workers, restarts those that die, passes signals on and asks them for the admin interface."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._directory = Path(tempfile.mkdtemp(prefix="causeway-"))
        self._limit_fd = SharedLimit.create(settings.workers)
        self._unix: list[socket.socket] = []
        self._reserved: list[socket.socket] = []
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False
        self.restarts = 0
        """Workers started again since the start."""
        self.addresses: list[Address] = []

    @property
    def stopping(self) -> bool:
        """Whether the workers have been told to end."""
        return self._stopping

    # Starting.

    async def start(self) -> None:
        """Starts every worker and waits until all listen. Raises StartError."""
        try:
            self.addresses = self._reserve()
            self._settings = self._settings.model_copy(update={"listen": tuple(self.addresses)})
            await asyncio.gather(*(self._start_worker(index) for index in range(self._settings.workers)))
        except (OSError, StartError) as error:
            await self.close()
            raise StartError(str(error)) from error
        loop = asyncio.get_running_loop()
        self._keepers = [loop.create_task(self._keep(index)) for index in self._processes]

    def _reserve(self) -> list[Address]:
        """The listen addresses with ports settled, so that every worker binds the same."""
        settled: list[Address] = []
        for address in self._settings.listen:
            if isinstance(address, UnixAddress):
                self._unix.append(listen_unix(address))
                settled.append(address)
            elif address.port:
                settled.append(address)
            else:
                family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
                sock = socket.socket(family, socket.SOCK_STREAM)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                sock.bind((address.host, 0))
                self._reserved.append(sock)
                settled.append(TcpAddress(address.host, sock.getsockname()[1]))
        return settled

    async def _start_worker(self, index: int) -> None:
        ready, says_ready = os.pipe()
        unix_fds = tuple(sock.fileno() for sock in self._unix)
        assignment = Assignment(
            self._settings,
            index,
            self._settings.workers,
            self._directory,
            self._limit_fd,
            says_ready,
            unix_fds,
        )
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "proxy.worker",
                stdin=asyncio.subprocess.PIPE,
                pass_fds=(self._limit_fd, says_ready, *unix_fds),
            )
        except OSError:
            os.close(ready)
            raise
        finally:
            os.close(says_ready)
        self._processes[index] = process
        if process.stdin is None:
            raise RuntimeError("the worker was started without a pipe")
        process.stdin.write(assignment.to_json().encode() + b"\n")
        await process.stdin.drain()
        line = await _read_line(ready, START_TIMEOUT)
        if line is None:
            raise StartError(f"worker {index} did not come up (pid {process.pid})")

    async def _keep(self, index: int) -> None:
        """Starts the worker again whenever it dies."""
        loop = asyncio.get_running_loop()
        delay = RESTART_DELAY
        while True:
            started = loop.time()
            code = await self._processes[index].wait()
            if self._stopping:
                return
            if loop.time() - started >= STABLE_AFTER:
                delay = RESTART_DELAY
            self.restarts += 1
            log.error("worker_died", worker=index, code=code, restart_in=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, RESTART_DELAY_MAX)
            if self._stopping:
                return
            try:
                await self._start_worker(index)
            except (OSError, StartError) as error:
                log.error("worker_start_failed", worker=index, error=str(error))
            else:
                log.info("worker_started", worker=index)

    # Ending and signals.

    def signal(self, number: signal.Signals) -> None:
        """Passes a signal on to every worker."""
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(number)

    async def reload(self) -> None:
        """Has every worker load its rules again."""
        self.signal(signal.SIGHUP)

    async def drain(self, *, immediate: bool = False) -> None:
        """Has every worker drain and returns when all have ended; `immediate` makes a running drain hurry."""
        if immediate and not self._stopping:
            self.signal(signal.SIGTERM)
        self._stopping = True
        self.signal(signal.SIGTERM)
        await asyncio.gather(*(process.wait() for process in self._processes.values()))
        await self.close()

    async def close(self) -> None:
        """Kills what still runs and removes what was made."""
        self._stopping = True
        for keeper in self._keepers:
            keeper.cancel()
        self.signal(signal.SIGKILL)
        processes = self._processes.values()
        await asyncio.gather(*self._keepers, *(p.wait() for p in processes), return_exceptions=True)
        for sock in (*self._unix, *self._reserved):
            sock.close()
        for address in self._settings.listen:
            if isinstance(address, UnixAddress):
                Path(address.path).unlink(missing_ok=True)
        if self._limit_fd >= 0:
            os.close(self._limit_fd)
            self._limit_fd = -1
        shutil.rmtree(self._directory, ignore_errors=True)

    # Asking.

    async def ask_all(self, op: str) -> list[Any]:
        """Every worker's answer; a worker that cannot answer now is left out and logged."""

        async def ask_one(index: int) -> Any:
            path = self._directory / f"worker-{index}.sock"
            try:
                return await ask(path, op, timeout=ANSWER_TIMEOUT)
            except (OSError, TimeoutError, ControlError) as error:
                log.warning("worker_silent", worker=index, error=str(error) or "timed out")
                return None

        answers = await asyncio.gather(*(ask_one(index) for index in range(self._settings.workers)))
        return [answer for answer in answers if answer is not None]


def ask_siblings(assignment: Assignment) -> AskSiblings:
    """A function that passes a cancel request to the other workers until one knows its key."""

    async def cancel(request: CancelRequest) -> bool:
        timeout = assignment.settings.cancel_timeout
        for path in assignment.siblings:
            try:
                if await ask(path, "cancel", timeout=timeout, packet=request.packet.hex()):
                    return True
            except (OSError, ControlError) as error:
                log.warning("sibling_silent", path=str(path), error=str(error))
        return False

    return cancel


async def _read_line(fd: int, timeout: float) -> bytes | None:
    """The first line of a pipe, without its end; None when the pipe closes or time runs out first. Closes `fd`."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    with os.fdopen(fd, "rb", buffering=0) as pipe:
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        try:
            async with asyncio.timeout(timeout):
                line = await reader.readline()
        except TimeoutError:
            return None
        finally:
            transport.close()
    return line.rstrip(b"\n") if line.endswith(b"\n") else None
