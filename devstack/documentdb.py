"""DocumentDB: PostgreSQL 18 of the root file system with the extension, and the gateway in front of it."""

from __future__ import annotations

import signal
import socket
import sys
import time
from pathlib import Path

from devstack.cache import remove_tree
from devstack.errors import DevstackError
from devstack.installation import find_installation
from devstack.paths import new_instance_dir
from devstack.ports import free_port
from devstack.postgres import SERVER_SETTINGS, PostgresServer, Profile, launch
from devstack.supervision import Server, Supervised, clean_environment

_PRELOAD = "pg_cron, pg_documentdb_core, pg_documentdb, pg_documentdb_extended_rum"
_START_SECONDS = 20.0

DOCUMENTDB = Profile(
    kind="documentdb",
    script="create extension documentdb cascade;\n",
    template_settings={"shared_preload_libraries": _PRELOAD, "cron.database_name": "postgres"},
    settings={
        **SERVER_SETTINGS,
        "ssl": False,
        "wal_level": "replica",
        "cluster_name": "documentdb",
        "shared_preload_libraries": _PRELOAD,
        "cron.database_name": "postgres",
        # Jobs and DocumentDB itself connect back to the server.
        "cron.host": "127.0.0.1",
        "documentdb.localhost_connection_string": "host=127.0.0.1",
        "documentdb_core.enableCollation": True,
        "jit": False,
    },
)


class DocumentDb:
    """A running DocumentDB with its gateway; `close` ends both."""

    kind = "documentdb"

    def __init__(self, postgres: PostgresServer, gateway: Supervised, port: int) -> None:
        self.postgres = postgres
        self._gateway = gateway
        self.port = port

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/"

    @property
    def gateway_pid(self) -> int | None:
        return self._gateway.status().pid

    @property
    def gateway_log(self) -> Path:
        return self._gateway.server.log

    def stop_gateway(self, number: int = signal.SIGKILL) -> None:
        """As if the document database were gone: connections break, new ones are refused."""
        self._gateway.stop(number, 10)

    def start_gateway(self) -> None:
        """After `stop_gateway`: on the same port, with the same data."""
        self._gateway.start()
        _await_listening(self._gateway, self.port)

    def pause(self) -> None:
        """Stop answering without closing anything (SIGSTOP); `resume` goes on."""
        self._gateway.stop(signal.SIGSTOP, 0)

    def resume(self) -> None:
        self._gateway.stop(signal.SIGCONT, 0)

    def close(self) -> None:
        self._gateway.close()
        self.postgres.close()


def launch_documentdb() -> DocumentDb:
    postgres = launch(find_installation("rootfs"), DOCUMENTDB)
    try:
        for attempt in range(5):
            port = free_port()
            gateway = _start_gateway(postgres.dsn(), port)
            try:
                _await_listening(gateway, port)
            except DevstackError as error:
                gateway.close()
                if "address already in use" in str(error).lower() and attempt < 4:
                    continue
                raise
            except BaseException:
                gateway.close()
                raise
            return DocumentDb(postgres, gateway, port)
    except BaseException:
        postgres.close()
        raise
    raise AssertionError("unreachable")


def _start_gateway(dsn: str, port: int) -> Supervised:
    base = new_instance_dir("gateway")
    project = Path(__file__).resolve().parents[1]
    try:
        gateway = Supervised(
            Server(
                argv=[sys.executable, "-m", "devstack.gateway", "--dsn", dsn, "--port", str(port)],
                log=base / "gateway.log",
                env=clean_environment(PYTHONPATH=str(project), PYTHONDONTWRITEBYTECODE="1"),
                cwd=project,
                remove=[base],
            )
        )
    except BaseException:
        remove_tree(base)
        raise
    try:
        gateway.start()
    except BaseException:
        gateway.close()
        raise
    return gateway


def _await_listening(gateway: Supervised, port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            state = gateway.status()
            if not state.running:
                raise DevstackError(
                    f"the gateway ended with code {state.returncode} while starting:\n{gateway.log_tail()}"
                ) from None
            if time.monotonic() > deadline:
                raise DevstackError(
                    f"the gateway did not listen within {_START_SECONDS:.0f} s:\n{gateway.log_tail()}"
                ) from None
        time.sleep(0.01)
