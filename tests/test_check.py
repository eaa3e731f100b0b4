"""`causeway check` against real sockets: what it finds, and what it says would be right."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from devstack.certificates import Certificates, make_certificates
from devstack.document_store import DocumentStore
from proxy.addresses import TcpAddress, UnixAddress, Upstream
from proxy.admin.http import AdminServer
from proxy.check import check, check_listen, check_rules, check_spool, check_store, check_tls, check_upstream
from proxy.config import Settings
from proxy.finding import Finding, failed
from tests.admin.sources import FixedSource

SSL_REQUEST = bytes.fromhex("0000000804d2162f")
SHORT = "300ms"


def settings(**values: Any) -> Settings:
    return Settings.model_validate(
        {"upstream": Upstream(()), "listen": "127.0.0.1:0", "admin": "off", **values}
    )


@asynccontextmanager
async def answering(answer: bytes | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that answers an SSLRequest; with `tls` it goes on to the handshake. None: it never answers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            assert await reader.readexactly(8) == SSL_REQUEST
            if answer is not None:
                writer.write(answer)
            if tls is not None:
                await writer.drain()
                await writer.start_tls(tls)
            await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"{host}:{port}"
    server.close()
    await server.wait_closed()


async def upstream(target: str, query: str = "", timeout: str = "5s") -> Finding:
    found = settings(upstream=f"postgresql://{target}{query}", connect_timeout=timeout)
    return await check_upstream(found.upstream.hosts[0], found)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server_tls(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.cert, certificates.server.key)
    context.set_alpn_protocols(["postgresql"])
    return context


async def test_a_server_without_tls() -> None:
    async with answering(b"N") as target:
        found = await upstream(target)
        assert (found.outcome, found.detail) == ("ok", "PostgreSQL answers, without TLS (it offers none)")
        found = await upstream(target, "?sslmode=disable")
        assert (found.outcome, found.target) == ("ok", target)
        found = await upstream(target, "?sslmode=require")
        assert found.outcome == "failed"
        assert "does not support TLS" in found.detail


async def test_a_server_with_tls(certificates: Certificates, server_tls: ssl.SSLContext) -> None:
    async with answering(b"S", server_tls) as target:
        found = await upstream(target, f"?sslmode=verify-full&sslrootcert={certificates.ca}")
        assert (found.outcome, found.detail) == ("ok", "PostgreSQL answers, with TLS (sslmode=verify-full)")
        found = await upstream(target, "?sslmode=verify-full&sslrootcert=system")
        assert found.outcome == "failed"
        assert "certificate verify failed" in found.detail
        found = await upstream(target, "?sslmode=verify-full&sslrootcert=/none.pem")
        assert found.outcome == "failed"
        assert "TLS files cannot be used" in found.detail


async def test_a_server_that_is_not_postgres_or_not_there() -> None:
    async with answering(b"HTTP/1.1 400 Bad Request\r\n") as target:
        found = await upstream(target, "?sslmode=disable")
        assert found.outcome == "failed"
        assert "not PostgreSQL" in found.detail
    async with answering(None) as target:
        found = await upstream(target, "?sslmode=disable", SHORT)
        assert (found.outcome, "nothing answers" in found.detail) == ("failed", True)
        assert (await upstream(target, timeout=SHORT)).outcome == "failed"
    found = await upstream("127.0.0.1:1")
    assert (found.outcome, found.detail) == ("failed", "Connection refused")


async def test_each_listen_address_is_tried_and_freed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = TcpAddress("127.0.0.1", taken.getsockname()[1])
        found = await check_listen("listen", address, frozenset())
        assert (found.outcome, "something else listens" in found.detail) == ("failed", True)
        found = await check_listen("listen", address, frozenset({str(address)}))
        assert found.outcome == "warning"
    assert (await check_listen("listen", address, frozenset())).outcome == "ok"
    socket.create_server(("127.0.0.1", address.port)).close()
    path = tmp_path / "s.sock"
    assert (await check_listen("listen", UnixAddress(str(path)), frozenset())).outcome == "ok"
    assert not path.exists()
    assert (await check_listen("listen", UnixAddress("/none/s.sock"), frozenset())).outcome == "failed"
    found = await check_listen("listen", TcpAddress("192.0.2.1", 5), frozenset())
    assert (found.outcome, "no interface" in found.detail) == ("failed", True)


async def test_a_proxy_that_runs_already_is_a_warning() -> None:
    server = AdminServer(TcpAddress("127.0.0.1", 0), FixedSource())
    await server.start()
    try:
        findings = [one async for one in check(settings(admin=server.address))]
    finally:
        await server.stop()
    assert [one.outcome for one in findings if one.subject == "admin"] == ["warning"]
    assert not failed(findings)


async def test_what_is_not_given_is_skipped() -> None:
    findings = [one async for one in check(settings())]
    assert {one.subject for one in findings} == {
        "rules",
        "listen",
        "admin",
        "tls",
        "upstream",
        "store",
        "control_dsn",
        "spool",
    }
    assert {one.outcome for one in findings if one.subject != "listen"} == {"skipped"}
    assert not failed(findings)


def test_rules(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("tables:\n  a: {phase: decommission}\n  b: {phase: passthrough}\n")
    first, held = check_rules(settings(rules=str(path)))
    assert (first.outcome, "tables: 2" in first.detail) == ("ok", True)
    assert (held.outcome, held.target) == ("warning", "public.a")
    assert "requested decommission, effective" in held.detail
    path.write_text("tables:\n  a: {phase: fly}\n  b: {phase: swim}\n")
    assert [one.outcome for one in check_rules(settings(rules=str(path)))] == ["failed", "failed"]


def test_tls_files(certificates: Certificates, tmp_path: Path) -> None:
    cert, key = certificates.server.cert, certificates.server.key
    other = tmp_path / "other.pem"
    found = check_tls(settings(tls_cert=str(cert), tls_key=str(key)))
    assert (found.outcome, found.detail) == ("ok", "usable, tls_mode=allow")
    found = check_tls(settings(tls_cert=str(cert), tls_key=str(other)))
    assert (found.outcome, found.detail) == ("failed", f"{other} cannot be read: No such file or directory")
    other.write_text("nothing")
    assert check_tls(settings(tls_cert=str(cert), tls_key=str(other))).outcome == "failed"
    assert check_tls(settings(tls_cert=str(cert), tls_key=str(key), tls_mode="disable")).outcome == "skipped"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_spool_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert check_spool(settings(spool=str(tmp_path))).outcome == "failed"
    assert check_spool(settings(spool=str(tmp_path / "new"))).outcome == "failed"


def test_a_spool(tmp_path: Path) -> None:
    assert check_spool(settings(spool=str(tmp_path))).outcome == "ok"
    found = check_spool(settings(spool=str(tmp_path / "a" / "b")))
    assert (found.outcome, found.detail) == ("ok", "does not exist yet; can be made")
    assert not (tmp_path / "a").exists()
    found = check_spool(settings(spool=str(tmp_path), spool_size="1024TiB"))
    assert (found.outcome, "are free for a spool_size of" in found.detail) == ("warning", True)
    (tmp_path / "file").touch()
    assert check_spool(settings(spool=str(tmp_path / "file"))).detail == "is not a directory"


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("mongodb://u:hunter2@127.0.0.1:1", "cannot be reached: 127.0.0.1:1"),
        ("mongodb://u:hunter2@127.0.0.1:x", "the URI cannot be used"),
    ],
)
async def test_a_store_that_is_not_there(uri: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.check.STORE_TIMEOUT", 0.3)
    with warnings.catch_warnings():
        # PyMongo does not close a socket whose connection was refused.
        warnings.simplefilter("ignore", ResourceWarning)
        found = await check_store(settings(store=uri))
        gc.collect()
    assert found.outcome == "failed"
    assert found.detail.startswith(says)
    assert "hunter2" not in found.detail


@pytest.mark.integration
async def test_a_store_that_answers(document_store: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await check_store(settings(store=document_store.uri))
    assert (found.outcome, "answers, version" in found.detail) == ("ok", True)
    monkeypatch.setattr("proxy.check.MONGODB_5_0", 1000)
    found = await check_store(settings(store=document_store.uri))
    assert (found.outcome, "is too old" in found.detail) == ("failed", True)


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        ("postgresql://u:hunter2@127.0.0.1:1/d", "cannot be reached"),
        ("postgresql://u:hunter2/x@h/d", "the URI cannot be used"),
    ],
)
async def test_a_control_connection_that_does_not_work(dsn: str, says: str) -> None:
    findings = [one async for one in check(settings(control_dsn=dsn, connect_timeout="2s"))]
    (found,) = [one for one in findings if one.subject == "control_dsn"]
    assert found.outcome == "failed"
    assert says in found.detail
    assert "hunter2" not in found.detail
