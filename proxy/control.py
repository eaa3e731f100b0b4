"""How the processes of one proxy talk: a line of JSON each way over a Unix socket that only its owner can reach."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from proxy.logs import get_logger

log = get_logger(__name__)

MAX_LINE = 64 << 20
"""Bytes of one request or answer; a status with tens of thousands of tables is some megabytes."""

Handler = Callable[[Mapping[str, Any]], Awaitable[Any]]
"""Answers one request; what it returns must be JSON-able."""


class ControlError(Exception):
    """The other process could not do what it was asked."""


class ControlServer:
    """Answers the requests of sibling processes."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listens on `path`, readable and writable for the owner alone."""
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=MAX_LINE)
        self._path.chmod(0o600)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._answer(await reader.readline())
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError, asyncio.CancelledError) as error:
            log.debug("control_request_failed", error=repr(error))
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        request = json.loads(line)
        handler = self._handlers.get(request.get("op"))
        if handler is None:
            return {"error": f"unknown operation {request.get('op')!r}"}
        try:
            return {"result": await handler(request)}
        except Exception as error:  # noqa: BLE001 - whatever went wrong is the answer
            return {"error": f"{type(error).__name__}: {error}"}


async def ask(path: Path, op: str, *, timeout: float, **arguments: Any) -> Any:
    """Asks the process that listens on `path`. Raises OSError, TimeoutError or ControlError."""
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_unix_connection(path, limit=MAX_LINE)
        try:
            writer.write(json.dumps({"op": op, **arguments}).encode() + b"\n")
            await writer.drain()
            line = await reader.readline()
        finally:
            writer.close()
    if not line:
        raise ControlError("the process ended before it answered")
    answer = json.loads(line)
    if "error" in answer:
        raise ControlError(answer["error"])
    return answer["result"]
