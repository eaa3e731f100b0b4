"""The admin interface: /metrics, /healthz, /readyz, /status and a page for people, over plain HTTP.

It only reads. It has no login and is meant for loopback, a Unix socket or a pod's own network.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import Any, Protocol

from aiohttp import web

from proxy.addresses import Address, UnixAddress
from proxy.admin.counters import Snapshot
from proxy.admin.exposition import expose
from proxy.admin.metric import Source
from proxy.admin.status import Readiness, Status
from proxy.listening import bound_address, listen_tcp, listen_unix
from proxy.logs import get_logger

log = get_logger(__name__)

ANSWER_TIMEOUT = 10.0
"""Seconds the proxy may take to describe itself; then the answer is 503."""
STOP_TIMEOUT = 1.0
"""Seconds that answers under way have when the interface stops."""
MAX_REQUEST_BYTES = 8_190
"""Of the request line and of each header; there are no bodies to read."""
UNIX_SOCKET_MODE = 0o660

HEADERS = {"Server": "causeway", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'"
)


class AdminSource(Protocol):
    """What the interface shows; the proxy answers for all its processes."""

    async def counters(self) -> Snapshot: ...

    async def status(self) -> Status: ...

    async def ready(self) -> Readiness: ...


class AdminServer:
    """Serves one address from `start` to `stop`."""

    def __init__(
        self,
        address: Address,
        source: AdminSource,
        *,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        """`limits` are the configured limits by name (`proxy.config.limits`), shown as metrics."""
        self._wanted = address
        self._source = source
        self._limits = dict(limits or {})
        self._runner: web.AppRunner | None = None
        self._sockets: list[socket.socket] = []

    @property
    def address(self) -> Address:
        """Where it listens, with the port the system chose; from `start` on."""
        if not self._sockets:
            raise RuntimeError("the admin interface is not started")
        return bound_address(self._sockets[0])

    async def start(self) -> None:
        """Raises OSError with the address in its text."""
        if isinstance(self._wanted, UnixAddress):
            self._sockets = [listen_unix(self._wanted)]
            os.chmod(self._wanted.path, UNIX_SOCKET_MODE)
        else:
            self._sockets = await listen_tcp(self._wanted, shared=False)
        app = web.Application(
            middlewares=[_answer_in_json], handler_args={"max_line_size": MAX_REQUEST_BYTES}
        )
        for path, handler in self._routes().items():
            app.router.add_get(path, handler)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=STOP_TIMEOUT
        )
        await self._runner.setup()
        for sock in self._sockets:
            await web.SockSite(self._runner, sock).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        for sock in self._sockets:
            sock.close()
        if self._sockets and isinstance(self._wanted, UnixAddress):
            try:
                os.unlink(self._wanted.path)
            except FileNotFoundError:
                pass
        self._sockets = []

    def _routes(self) -> dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]:
        return {
            "/metrics": self._metrics,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/status": self._status,
            "/": _page("dashboard.html", "text/html"),
            "/dashboard.js": _page("dashboard.js", "text/javascript"),
            "/dashboard.css": _page("dashboard.css", "text/css"),
        }

    async def _metrics(self, request: web.Request) -> web.Response:
        counters, status = await asyncio.gather(self._source.counters(), self._source.status())
        text, content_type = expose(
            Source(counters, status, self._limits), ",".join(request.headers.getall("Accept", []))
        )
        return web.Response(body=text, headers={"Content-Type": content_type})

    async def _healthz(self, request: web.Request) -> web.Response:
        """That this is answered at all says that the event loop runs."""
        return _json({"status": "ok"})

    async def _readyz(self, request: web.Request) -> web.Response:
        readiness = await self._source.ready()
        return _json(readiness.model_dump(mode="json"), status=200 if readiness.ready else 503)

    async def _status(self, request: web.Request) -> web.Response:
        status = await self._source.status()
        return _json(status.model_dump(mode="json"))


def _page(name: str, content_type: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    text = resources.files("proxy.admin").joinpath(name).read_text(encoding="utf-8")

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(
            text=text, content_type=content_type, headers={"Content-Security-Policy": PAGE_POLICY}
        )

    return handler


def _json(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    text = json.dumps(value, ensure_ascii=False) + "\n"
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)


@web.middleware
async def _answer_in_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Errors as JSON too, and no answer that waits for ever."""
    response: web.StreamResponse
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            response = await handler(request)
    except web.HTTPException as refusal:
        headers = {name: refusal.headers[name] for name in ("Allow",) if name in refusal.headers}
        response = _json({"error": _reason(refusal, request)}, status=refusal.status, headers=headers)
    except TimeoutError:
        log.warning("admin_timeout", path=request.path, seconds=ANSWER_TIMEOUT)
        response = _json({"error": "the proxy did not describe itself in time"}, status=503)
    except Exception as error:
        log.exception("admin_failed", error, path=request.path)
        response = _json({"error": "internal error; the log has the details"}, status=500)
    response.headers.update(HEADERS)
    return response


def _reason(refusal: web.HTTPException, request: web.Request) -> str:
    if isinstance(refusal, web.HTTPNotFound):
        return f"no such path: {request.path}; there are /metrics, /healthz, /readyz, /status and /"
    if isinstance(refusal, web.HTTPMethodNotAllowed):
        return f"{request.method} is not allowed; this interface only reads"
    return refusal.reason or "refused"
