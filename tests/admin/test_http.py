"""The admin interface over real HTTP on loopback and a Unix socket."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from proxy.addresses import TcpAddress, UnixAddress
from proxy.admin import http
from proxy.admin.http import AdminServer
from proxy.admin.status import Readiness, Status, combine
from proxy.rules import Problem, RulesError
from tests.admin.sources import FixedSource, book, process


class Client:
    """Asks the server it belongs to."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
        async with self._session.request(method, self._base + path, headers=headers) as response:
            found = {str(name): value for name, value in response.headers.items()}
            return response.status, found, await response.text()

    async def json(self, path: str, method: str = "GET") -> tuple[int, dict[str, object]]:
        status, headers, text = await self.ask(path, method)
        assert headers["Content-Type"].startswith("application/json")
        return status, json.loads(text)


@pytest.fixture
def source() -> FixedSource:
    return FixedSource()


@pytest.fixture
async def client(source: FixedSource) -> AsyncIterator[Client]:
    server = AdminServer(TcpAddress("127.0.0.1", 0), source, limits={"max_connections": 100})
    await server.start()
    assert isinstance(server.address, TcpAddress)
    async with aiohttp.ClientSession() as session:
        yield Client(session, f"http://{server.address}")
    await server.stop()


async def test_healthz(client: Client) -> None:
    assert await client.json("/healthz") == (200, {"status": "ok"})


async def test_health_does_not_depend_on_the_proxy_describing_itself(
    client: Client, source: FixedSource
) -> None:
    source.failure = RuntimeError("broken")
    assert (await client.json("/healthz"))[0] == 200


@pytest.mark.parametrize(
    ("state", "code"), [("starting", 503), ("running", 200), ("draining", 503), ("stopped", 503)]
)
async def test_readyz(client: Client, source: FixedSource, state: str, code: int) -> None:
    source.shown = combine([process(state=state)], workers=1)
    status, body = await client.json("/readyz")
    assert status == code
    readiness = Readiness.model_validate(body)
    assert (readiness.ready, readiness.state) == (code == 200, state)


async def test_rejected_rules_are_in_the_detail_of_readyz_which_stays_200(
    client: Client, source: FixedSource
) -> None:
    error = RulesError([Problem("a.yaml", 3, 5, "tables.orders", "wrong", "right")])
    source.shown = combine([process(book(error=error))], workers=1)
    status, body = await client.json("/readyz")
    assert status == 200
    assert body["rules_problems"] == [
        {
            "file": "a.yaml",
            "line": 3,
            "column": 5,
            "key_path": "tables.orders",
            "message": "wrong",
            "hint": "right",
        }
    ]


async def test_status(client: Client, source: FixedSource) -> None:
    status, body = await client.json("/status")
    assert status == 200
    assert Status.model_validate(body) == source.shown


async def test_metrics(client: Client) -> None:
    status, headers, text = await client.ask("/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'causeway_limit{limit="max_connections"} 100.0' in text
    _, headers, text = await client.ask("/metrics", Accept="application/openmetrics-text;version=1.0.0")
    assert headers["Content-Type"].startswith("application/openmetrics-text")


async def test_the_page_needs_nothing_from_elsewhere(client: Client) -> None:
    status, headers, page = await client.ask("/")
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    linked = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert {"dashboard.js", "dashboard.css", "status"} <= set(linked)
    for target in linked:
        assert (await client.ask(f"/{target}"))[0] == 200
    for name in ("dashboard.js", "dashboard.css"):
        assert "://" not in (await client.ask(f"/{name}"))[2]
    script = (await client.ask("/dashboard.js"))[2]
    assert set(re.findall(r'by\("([a-z-]+)"\)', script)) <= set(re.findall(r'id="([a-z-]+)"', page))
    assert "innerHTML" not in script


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz", "/status"])
async def test_head_answers_as_get_without_a_body(client: Client, path: str) -> None:
    got, _, body = await client.ask(path)
    status, headers, nothing = await client.ask(path, "HEAD")
    assert (status, nothing) == (got, "")
    assert int(headers["Content-Length"]) == len(body.encode())


async def test_an_unknown_path_is_404_in_json(client: Client) -> None:
    status, body = await client.json("/nope")
    assert status == 404
    assert "/status" in str(body["error"])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_it_only_reads(client: Client, method: str) -> None:
    status, headers, text = await client.ask("/status", method)
    assert status == 405
    assert "only reads" in json.loads(text)["error"]
    assert headers["Allow"] == "GET,HEAD"


async def test_nothing_is_cached(client: Client) -> None:
    for path in ("/status", "/nope", "/"):
        _, headers, _ = await client.ask(path)
        assert headers["Cache-Control"] == "no-store"


async def test_a_failure_is_500_and_keeps_its_reason_to_the_log(
    client: Client, source: FixedSource, caplog: pytest.LogCaptureFixture
) -> None:
    source.failure = RuntimeError("postgresql://u:hunter2@h")
    status, body = await client.json("/status")
    assert status == 500
    assert "hunter2" not in str(body)
    assert "admin_failed" in caplog.text


async def test_a_proxy_that_does_not_answer_is_503(
    client: Client, source: FixedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang() -> Status:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(http, "ANSWER_TIMEOUT", 0.05)
    monkeypatch.setattr(source, "status", hang)
    status, body = await client.json("/status")
    assert status == 503
    assert "in time" in str(body["error"])


async def test_a_unix_socket_is_made_and_removed(source: FixedSource, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    server = AdminServer(UnixAddress(str(path)), source)
    await server.start()
    assert server.address == UnixAddress(str(path))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
        assert (await Client(session, "http://causeway").json("/healthz"))[0] == 200
    await server.stop()
    assert not path.exists()


async def test_an_address_in_use_says_which(source: FixedSource) -> None:
    first = AdminServer(TcpAddress("127.0.0.1", 0), source)
    await first.start()
    try:
        with pytest.raises(OSError, match=re.escape(str(first.address))):
            await AdminServer(first.address, source).start()
    finally:
        await first.stop()


async def test_it_stops_while_a_client_stays_connected(source: FixedSource) -> None:
    server = AdminServer(TcpAddress("127.0.0.1", 0), source)
    await server.start()
    assert isinstance(server.address, TcpAddress)
    reader, writer = await asyncio.open_connection(server.address.host, server.address.port)
    async with asyncio.timeout(10):
        await server.stop()
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
