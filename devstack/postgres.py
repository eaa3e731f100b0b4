"""A throw-away PostgreSQL server with everything on that a proxy has to carry.

TLS, every password method, two-phase commit, logical and physical replication, TCP and a Unix socket.
"""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from devstack.accounts import give
from devstack.certificates import Certificates, make_certificates
from devstack.errors import DevstackError
from devstack.installation import Installation, find_installation
from devstack.paths import new_instance_dir
from devstack.ports import free_port
from devstack.roles import PASSWORD, ROLES, Role, pg_hba, roles_script
from devstack.supervision import Server, Supervised, clean_environment
from devstack.template import copy_template, template

__all__ = [
    "PASSWORD",
    "ROLES",
    "PostgresServer",
    "Profile",
    "Role",
    "Setting",
    "StopMode",
    "launch",
    "launch_postgres",
    "start_postgres",
]

StopMode = Literal["smart", "fast", "immediate"]
Setting = str | int | float | bool

_SIGNALS: Mapping[str, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
_NUMBERS = itertools.count(1)
_START_SECONDS = 30.0
_STOP_SECONDS = 30.0


SERVER_SETTINGS: Mapping[str, Setting] = {
    "listen_addresses": "127.0.0.1",
    "max_connections": 400,
    "max_prepared_transactions": 20,
    "wal_level": "logical",
    "max_wal_senders": 20,
    "max_replication_slots": 20,
    "ssl": True,
    "fsync": False,
    "full_page_writes": False,
    "shared_buffers": "128MB",
    "logging_collector": False,
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "cluster_name": "causeway",
}


@dataclass(frozen=True)
class _Layout:
    """Files of one instance."""

    base: Path

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def sockets(self) -> Path:
        return self.base / "s"

    @property
    def certificates(self) -> Path:
        return self.base / "tls"

    @property
    def log(self) -> Path:
        return self.base / "postgres.log"


class PostgresServer:
    """One running server. Made by `start_postgres`.

    The superuser `postgres` needs no password on loopback and on the socket; the roles in `ROLES`
    authenticate as their line says, replication connections included. Every role may create objects
    in the schema `public` of every database.
    """

    host = "127.0.0.1"

    def __init__(
        self, installation: Installation, layout: _Layout, certificates: Certificates, port: int
    ) -> None:
        self.installation = installation
        self.certificates = certificates
        self.port = port
        self._layout = layout
        self._settings: dict[str, Setting] = {}
        self._supervised = Supervised(
            Server(
                argv=installation.server_command("postgres", "-D", str(layout.data), writable=[layout.base]),
                log=layout.log,
                account=installation.account,
                env=clean_environment(),
                stop_signal=signal.SIGQUIT,
                death_signal=signal.SIGKILL if installation.rootfs else signal.SIGQUIT,
                comm="postgres" if installation.rootfs else None,
                remove=[layout.base],
            )
        )

    @property
    def version(self) -> str:
        return self.installation.version

    @property
    def major(self) -> int:
        return self.installation.major

    @property
    def pg_bin(self) -> Path:
        """Directory of psql, pgbench, pg_dump, … of the server's own version."""
        return self.installation.bin

    @property
    def data_dir(self) -> Path:
        return self._layout.data

    @property
    def socket_dir(self) -> Path:
        """Directory of the Unix socket `.s.PGSQL.<port>`."""
        return self._layout.sockets

    @property
    def socket_path(self) -> Path:
        return self._layout.sockets / f".s.PGSQL.{self.port}"

    @property
    def log_path(self) -> Path:
        return self._layout.log

    @property
    def pid(self) -> int | None:
        """The postmaster's, as this machine (not the sandbox) numbers it; None while it is stopped."""
        return self._supervised.status().pid

    @property
    def warden_pid(self) -> int:
        """The process that ends the server when this one is gone."""
        return self._supervised.warden_pid

    @property
    def running(self) -> bool:
        return self._supervised.status().running

    def dsn(
        self,
        dbname: str = "postgres",
        user: str = "postgres",
        password: str | None = None,
        *,
        host: str | None = None,
        port: int | None = None,
        **parameters: str,
    ) -> str:
        """A libpq URI, as asyncpg, psycopg and psql take it; `parameters` are further libpq parameters.

        `host` may be another address (a proxy's), or a directory: the Unix socket in it.
        """
        host = host or self.host
        port = port or self.port
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
        if host.startswith("/"):
            parameters = {"host": host, "port": str(port), **parameters}
            authority = f"{login}@"
        else:
            authority = f"{login}@{f'[{host}]' if ':' in host else host}:{port}"
        query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in parameters.items())
        return f"postgresql://{authority}/{quote(dbname, safe='')}" + (f"?{query}" if query else "")

    def socket_dsn(
        self, dbname: str = "postgres", user: str = "postgres", password: str | None = None
    ) -> str:
        return self.dsn(dbname, user, password, host=str(self.socket_dir))

    def start(self) -> None:
        """Start a stopped server on the same port and data; returns when it accepts connections."""
        stale = self._postmaster_state()
        self._supervised.start()
        self._await_ready(stale)

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop and wait; the data stays. `immediate` is a crash: recovery at the next start."""
        result = self._supervised.stop(_SIGNALS[mode], _STOP_SECONDS)
        if result.running:
            raise DevstackError(
                f"PostgreSQL did not stop ({mode}) within {_STOP_SECONDS:.0f} s: a client still connected? "
                f"Its log ends:\n{self._supervised.log_tail()}"
            )

    def restart(self, mode: StopMode = "fast") -> None:
        self.stop(mode)
        self.start()

    def conf(self, **settings: Setting | None) -> None:
        """Change settings (None: back to the default) and reload. Some need a `restart` to take effect."""
        for name, value in settings.items():
            if value is None:
                self._settings.pop(name, None)
            else:
                self._settings[name] = value
        _write_conf(self._layout.data / "causeway-test.conf", self._settings)
        self.reload()

    def reload(self) -> None:
        """Have the server read its files, certificates and pg_hba.conf too, and wait until it has."""
        before = self.psql("select pg_conf_load_time()")
        pid = self.pid
        if pid is None:
            raise DevstackError("PostgreSQL is stopped: it cannot reload")
        self._supervised.stop(signal.SIGHUP, 0)
        deadline = time.monotonic() + 10
        while self.psql("select pg_conf_load_time()") == before:
            if time.monotonic() > deadline:
                raise DevstackError(f"PostgreSQL did not reload:\n{self._supervised.log_tail()}")
            time.sleep(0.01)

    def psql(self, sql: str, dbname: str = "postgres") -> str:
        """Run `sql` as superuser with psql; its output without headers, columns separated by `|`."""
        done = subprocess.run(
            [
                str(self.pg_bin / "psql"),
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-f",
                "-",
                self.dsn(dbname),
            ],
            input=sql,
            capture_output=True,
            text=True,
            env=clean_environment(),
            timeout=60,
            check=False,
        )
        if done.returncode != 0:
            raise DevstackError(f"psql: {done.stderr.strip()}")
        return done.stdout.rstrip("\n")

    def create_database(self, prefix: str = "test") -> str:
        """A new, empty database; its name, which no other server of this process has used.

        A document store knows databases by their names alone: one that another server had before
        would begin with that one's documents.
        """
        name = f"{prefix}_{next(_NUMBERS)}"
        self.psql(f'create database "{name}"')
        return name

    def drop_database(self, name: str) -> None:
        """Drop, ending the sessions in it (PostgreSQL 13 and later)."""
        self.psql(f'drop database if exists "{name}" with (force)')

    @contextmanager
    def database(self, prefix: str = "test") -> Iterator[str]:
        """The name of a new database that is dropped in the end."""
        name = self.create_database(prefix)
        try:
            yield name
        finally:
            if self.running:
                self.drop_database(name)

    def close(self) -> None:
        """End the server and delete everything of it."""
        self._supervised.close()

    def _postmaster_state(self) -> list[str]:
        try:
            return (self._layout.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, PermissionError):
            return []

    def _await_ready(self, stale: list[str]) -> None:
        """The postmaster writes its state into line 8 of postmaster.pid (PostgreSQL 10 and later).

        `stale` is what a predecessor that was killed may have left there.
        """
        deadline = time.monotonic() + _START_SECONDS
        while True:
            state = self._postmaster_state()
            if len(state) >= 8 and state[7].strip() == "ready" and state[:3] != stale[:3]:
                return
            process = self._supervised.status()
            if not process.running:
                raise DevstackError(
                    f"PostgreSQL {self.version} ended with code {process.returncode} while starting; "
                    f"its log ends:\n{self._supervised.log_tail()}"
                )
            if time.monotonic() > deadline:
                raise DevstackError(
                    f"PostgreSQL {self.version} was not ready within {_START_SECONDS:.0f} s; "
                    f"its log ends:\n{self._supervised.log_tail()}"
                )
            time.sleep(0.01)


@dataclass(frozen=True)
class Profile:
    """What kind of server to make of an installation."""

    kind: str
    """Part of the names of its cached template and its instance directory."""
    script: str
    """SQL that its template is made with (see `devstack.template`)."""
    settings: Mapping[str, Setting]
    template_settings: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def start_postgres(
    source: str | None = None, settings: Mapping[str, Setting] | None = None
) -> Iterator[PostgresServer]:
    """A running server that is gone, data and all, when the block ends or this process dies.

    `source`: `system`, `rootfs` or a directory of binaries (see `find_installation`). `settings` go over
    the defaults, e.g. `{"max_connections": 20}`.
    """
    server = launch_postgres(source, settings)
    try:
        yield server
    finally:
        server.close()


def launch_postgres(
    source: str | None = None, settings: Mapping[str, Setting] | None = None
) -> PostgresServer:
    """As `start_postgres`, for callers without a block: they call `close`."""
    return launch(find_installation(source), SOURCE, settings)


def launch(
    installation: Installation, profile: Profile, settings: Mapping[str, Setting] | None = None
) -> PostgresServer:
    """A server of any profile; where another process takes its port first, it gets another."""
    prepared = template(installation, profile.kind, profile.script, profile.template_settings)
    for attempt in range(5):
        server = _prepare(installation, prepared, profile, {**profile.settings, **(settings or {})})
        try:
            server.start()
        except DevstackError as error:
            server.close()
            if "Address already in use" in str(error) and attempt < 4:
                continue
            raise
        except BaseException:
            server.close()
            raise
        return server
    raise AssertionError("unreachable")


def _prepare(
    installation: Installation, prepared: Path, profile: Profile, settings: Mapping[str, Setting]
) -> PostgresServer:
    layout = _Layout(new_instance_dir(profile.kind))
    port = free_port()
    try:
        copy_template(prepared, layout.data, installation)
        layout.sockets.mkdir()
        layout.sockets.chmod(0o755)
        layout.log.touch(mode=0o644)
        certificates = make_certificates(layout.certificates)
        private = layout.data / "server.key"
        shutil.copyfile(certificates.server.key, private)
        private.chmod(0o600)
        own: dict[str, Setting] = {
            "port": port,
            "unix_socket_directories": str(layout.sockets),
            "ssl_cert_file": str(certificates.server.cert),
            "ssl_key_file": str(private),
            "ssl_ca_file": str(certificates.ca),
        }
        _write_conf(layout.data / "causeway.conf", {**settings, **own})
        _write_conf(layout.data / "causeway-test.conf", {})
        with (layout.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\ninclude 'causeway.conf'\ninclude 'causeway-test.conf'\n")
        (layout.data / "pg_hba.conf").write_text(pg_hba(), encoding="utf-8")
        give(layout.data, installation.account)
        give(layout.sockets, installation.account)
        return PostgresServer(installation, layout, certificates, port)
    except BaseException:
        shutil.rmtree(layout.base, ignore_errors=True)
        raise


def _write_conf(path: Path, settings: Mapping[str, Setting]) -> None:
    """Written in place: the file keeps its owner, which is the server's."""
    lines = [f"{name} = {_literal(value)}\n" for name, value in settings.items()]
    path.write_text("".join(lines), encoding="utf-8")


def _literal(value: Setting) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "'" + str(value).replace("'", "''") + "'"


SOURCE = Profile(kind="postgres", script=roles_script(), settings=SERVER_SETTINGS)
"""The application's database: what a proxy stands in front of."""
