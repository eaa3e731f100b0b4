"""`causeway check`: would the proxy start with these settings, and does everything it needs answer?

Each check gives findings; nothing is changed anywhere. A check that has nothing to look at says that it was skipped.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from proxy.addresses import Address, TcpAddress, UnixAddress, Upstream
from proxy.admin.client import AdminUnreachable, fetch_status
from proxy.admin.counters import Counters
from proxy.config import Settings
from proxy.finding import Finding
from proxy.listening import listen_tcp, listen_unix
from proxy.phases import Phase
from proxy.rules import RulesError, RuleSet, load_rules
from proxy.session.tls import client_facing
from proxy.session.upstream import Connector, Keepalive, UpstreamError
from proxy.wire.startup import SSL_REQUEST_PACKET

MONGODB_5_0 = 13
"""Its wire protocol's version."""
STORE_TIMEOUT = 5.0
"""Seconds the document store may take to be found and to answer a ping."""


async def check(settings: Settings) -> AsyncIterator[Finding]:
    """Every finding, as it is made. An upstream without hosts counts as not given."""
    for finding in check_rules(settings):
        yield finding
    running = await _running(settings.admin)
    for address in settings.listen:
        yield await check_listen("listen", address, running)
    if settings.admin is None:
        yield Finding("admin", "off", "skipped", "the admin interface is off")
    else:
        yield await check_listen("admin", settings.admin, running)
    yield check_tls(settings)
    if not settings.upstream.hosts:
        yield Finding("upstream", "", "skipped", "not given")
    for host in settings.upstream.hosts:
        yield await check_upstream(host, settings)
    yield await check_store(settings)
    control = await check_control(settings)
    yield control
    yield check_spool(settings)
    async for finding in check_preflight(settings, control):
        yield finding


def check_rules(settings: Settings) -> list[Finding]:
    """One finding for good rules and one for each table that is held; one for each problem of bad rules."""
    if settings.rules is None:
        return [Finding("rules", "", "skipped", "not given; everything is passed through")]
    source = str(settings.rules)
    try:
        rules = load_rules(settings.rules, max_size=settings.max_rules_size)
    except RulesError as error:
        return [Finding("rules", source, "failed", str(problem)) for problem in error.problems]
    text = f"valid, tables: {len(rules.tables)}, files: {len(rules.files)}, digest {rules.digest}"
    held = [
        Finding("rules", str(name), "warning", str(rule.holding))
        for name, rule in rules.tables.items()
        if rule.holding.held or rule.holding.overridden
    ]
    return [Finding("rules", source, "ok", text), *held]


async def check_listen(
    subject: Literal["listen", "admin"], address: Address, running: frozenset[str]
) -> Finding:
    """Whether the address can be bound. A proxy that already runs there is a warning, not a failure."""
    target = str(address)
    try:
        if isinstance(address, UnixAddress):
            listen_unix(address).close()
            os.unlink(address.path)
        else:
            for sock in await listen_tcp(address, shared=False):
                sock.close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE and target in running:
            return Finding(subject, target, "warning", "in use by the Causeway proxy that runs here now")
        return Finding(subject, target, "failed", _listen_hint(error, address))
    return Finding(subject, target, "ok", "can be listened on")


def _listen_hint(error: OSError, address: Address) -> str:
    text = error.strerror or str(error)
    match error.errno:
        case errno.EACCES | errno.EPERM if isinstance(address, TcpAddress):
            return f"{text}; ports below 1024 need CAP_NET_BIND_SERVICE"
        case errno.EADDRINUSE:
            return f"{text}; something else listens there"
        case errno.EADDRNOTAVAIL:
            return f"{text}; no interface of this machine has it"
        case _:
            return text


async def _running(admin: Address | None) -> frozenset[str]:
    """The addresses of the proxy that answers at the admin address, if one does."""
    if admin is None or (isinstance(admin, TcpAddress) and admin.port == 0):
        return frozenset()
    try:
        status = await asyncio.to_thread(fetch_status, admin, timeout=2.0)
    except AdminUnreachable:
        return frozenset()
    return frozenset({*status.listen, str(admin)})


def check_tls(settings: Settings) -> Finding:
    if settings.tls_mode == "disable" or settings.tls_cert is None:
        return Finding("tls", "", "skipped", "clients connect without TLS")
    target = str(settings.tls_cert)
    try:
        client_facing(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
    except ssl.SSLError as error:
        reason = error.reason or str(error)
        return Finding("tls", target, "failed", f"certificate, key or client CA cannot be used: {reason}")
    except OSError as error:
        files = (settings.tls_cert, settings.tls_key, settings.tls_client_ca)
        missing = next((file for file in files if file is not None and not os.access(file, os.R_OK)), target)
        return Finding("tls", target, "failed", f"{missing} cannot be read: {error.strerror}")
    return Finding("tls", target, "ok", f"usable, tls_mode={settings.tls_mode}")


async def check_upstream(host: Address, settings: Settings) -> Finding:
    """Whether PostgreSQL answers at `host` with the TLS that is asked for, by the proxy's own way of connecting.

    Nobody is logged in: the credentials are the application's.
    """
    target, tls = str(host), settings.upstream.tls
    keepalive = Keepalive(
        int(settings.keepalive_idle), int(settings.keepalive_interval), settings.keepalive_count
    )
    secure = tls.mode not in ("disable", "allow") and isinstance(host, TcpAddress)
    try:
        connector = Connector(
            Upstream((host,), tls),
            connect_timeout=settings.connect_timeout,
            keepalive=keepalive,
            counters=Counters(),
        )
        transport, answers, route = await connector.open(
            host, secure=secure, tls_optional=tls.mode == "prefer", factory=_FirstByte
        )
    except UpstreamError as error:
        return Finding("upstream", target, "failed", str(error).removeprefix(f"{host}: "))
    except OSError as error:
        return Finding("upstream", target, "failed", f"the TLS files cannot be used: {error}")
    try:
        if route.secure:
            return Finding("upstream", target, "ok", f"PostgreSQL answers, with TLS (sslmode={tls.mode})")
        if secure:  # the server has declined SSLRequest, which only PostgreSQL's protocol knows
            return Finding("upstream", target, "ok", "PostgreSQL answers, without TLS (it offers none)")
        transport.write(SSL_REQUEST_PACKET)
        async with asyncio.timeout(settings.connect_timeout):
            answer = await answers.first
    except TimeoutError:
        detail = f"connected, but nothing answers within {settings.connect_timeout:g} s"
        return Finding("upstream", target, "failed", detail)
    finally:
        transport.abort()
    if answer not in (b"S", b"N", b"E"):
        detail = f"connected, but this is not PostgreSQL: it answers {answer!r} to SSLRequest"
        return Finding("upstream", target, "failed", detail)
    return Finding("upstream", target, "ok", "PostgreSQL answers, without TLS")


class _FirstByte(asyncio.Protocol):
    """Gives the first byte that arrives; empty when the other side closes before."""

    def __init__(self) -> None:
        self.first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        if not self.first.done():
            self.first.set_result(data[:1])

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.first.done():
            self.first.set_result(b"")


async def check_store(settings: Settings) -> Finding:
    if settings.store is None:
        return Finding("store", "", "skipped", "not given")
    from pymongo import AsyncMongoClient
    from pymongo.errors import OperationFailure, PyMongoError

    try:
        client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
            settings.store.get_secret_value(),
            serverSelectionTimeoutMS=int(STORE_TIMEOUT * 1000),
            appname="causeway check",
        )
    except (PyMongoError, ValueError) as error:
        return Finding("store", "", "failed", f"the URI cannot be used: {type(error).__name__}")
    try:
        async with asyncio.timeout(2 * STORE_TIMEOUT):
            await client.admin.command("ping")
            info = await client.server_info()
            hello = await client.admin.command("hello")
        nodes = ", ".join(sorted(f"{host}:{port}" for host, port in client.nodes))
        if hello.get("maxWireVersion", 0) < MONGODB_5_0:
            detail = f"version {info.get('version', 'unknown')} is too old; MongoDB 5.0 or later is needed"
            return Finding("store", nodes, "failed", detail)
        return Finding("store", nodes, "ok", f"answers, version {info.get('version', 'unknown')}")
    except OperationFailure as error:
        return Finding("store", "", "failed", f"refused: error {error.code}")
    except TimeoutError:
        return Finding("store", "", "failed", f"no answer within {2 * STORE_TIMEOUT:g} s")
    except PyMongoError as error:
        text = str(error).split(", Timeout:")[0]
        return Finding("store", "", "failed", f"cannot be reached: {text}")
    finally:
        await client.close()


async def check_control(settings: Settings) -> Finding:
    if settings.control_dsn is None:
        return Finding("control_dsn", "", "skipped", "not given")
    import asyncpg

    try:
        connection = await asyncpg.connect(
            settings.control_dsn.get_secret_value(), timeout=settings.connect_timeout
        )
    except (TimeoutError, OSError) as error:
        return Finding("control_dsn", "", "failed", f"cannot be reached: {error or 'no answer in time'}")
    except ValueError:  # whose text may quote the URI
        hint = "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, special characters as %XX"
        return Finding("control_dsn", "", "failed", f"the URI cannot be used; {hint}")
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        code = getattr(error, "sqlstate", None)
        return Finding("control_dsn", "", "failed", f"refused: {error}" + (f" ({code})" if code else ""))
    try:
        async with asyncio.timeout(settings.connect_timeout):
            target = await connection.fetchval("select current_database() || ' as ' || current_user")
            version = connection.get_server_version()
    except (TimeoutError, asyncpg.PostgresError) as error:
        return Finding("control_dsn", "", "failed", f"cannot be queried: {error or 'no answer in time'}")
    finally:
        connection.terminate()
    return Finding("control_dsn", str(target), "ok", f"answers, PostgreSQL {version.major}.{version.minor}")


async def check_preflight(settings: Settings, control: Finding) -> AsyncIterator[Finding]:
    """What would be mirrored of each table, where a rule asks for it and `control` has found the source."""
    try:
        rules = (
            RuleSet()
            if settings.rules is None
            else load_rules(settings.rules, max_size=settings.max_rules_size)
        )
    except RulesError:
        return  # told already
    if all(rule.phase is Phase.PASSTHROUGH for rule in rules.tables.values()):
        return
    if control.outcome != "ok":
        yield Finding(
            "table", "", "skipped", "what can be mirrored is in the catalogue, which needs control_dsn"
        )
        return
    from proxy.check_tables import check_tables

    async for finding in check_tables(settings, rules):
        yield finding


def check_spool(settings: Settings) -> Finding:
    if settings.spool is None:
        return Finding("spool", "", "skipped", "not given")
    target = str(settings.spool)
    if settings.spool.exists():
        if not settings.spool.is_dir():
            return Finding("spool", target, "failed", "is not a directory")
        if not os.access(settings.spool, os.W_OK | os.X_OK):
            return Finding("spool", target, "failed", "cannot be written to")
        return _room(settings.spool, settings, "can be written to")
    parent = next(path for path in settings.spool.absolute().parents if path.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        return Finding("spool", target, "failed", f"does not exist and {parent} cannot be written to")
    return _room(parent, settings, "does not exist yet; can be made")


def _room(directory: Path, settings: Settings, detail: str) -> Finding:
    """Whether the file system has room for the spool at its limit."""
    target = str(settings.spool)
    free = shutil.disk_usage(directory).free
    if free < settings.spool_size:
        short = f"{detail}, but only {free >> 20} MiB are free for a spool_size of {settings.spool_size >> 20} MiB"
        return Finding("spool", target, "warning", short)
    return Finding("spool", target, "ok", detail)
