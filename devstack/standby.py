"""A streaming standby of a throw-away server: a second server that replays what the first one writes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from devstack.accounts import give
from devstack.errors import DevstackError
from devstack.paths import new_instance_dir
from devstack.ports import free_port
from devstack.postgres import SERVER_SETTINGS, PostgresServer, Setting, _Layout, _write_conf
from devstack.supervision import clean_environment

_BACKUP_SECONDS = 120


@contextmanager
def start_standby(primary: PostgresServer, name: str = "standby") -> Iterator[PostgresServer]:
    """A running hot standby; `pg_stat_replication` of the primary has it as `name`. Gone when the block ends."""
    server = _prepare(primary, name)
    try:
        server.start()
        yield server
    finally:
        server.close()


def _prepare(primary: PostgresServer, name: str) -> PostgresServer:
    layout = _Layout(new_instance_dir("standby"))
    try:
        _copy(primary, layout)
        layout.sockets.mkdir()
        layout.sockets.chmod(0o755)
        layout.log.touch(mode=0o644)
        port = free_port()
        own: dict[str, Setting] = {
            **SERVER_SETTINGS,
            "port": port,
            "unix_socket_directories": str(layout.sockets),
            "ssl": False,  # its certificates are the primary's
            "primary_conninfo": f"host={primary.host} port={primary.port} user=postgres application_name={name}",
            "wal_receiver_status_interval": "1s",
        }
        _write_conf(layout.data / "causeway.conf", own)
        _write_conf(layout.data / "causeway-test.conf", {})
        (layout.data / "standby.signal").touch(mode=0o600)
        give(layout.data, primary.installation.account)
        give(layout.sockets, primary.installation.account)
        return PostgresServer(primary.installation, layout, primary.certificates, port)
    except BaseException:
        shutil.rmtree(layout.base, ignore_errors=True)
        raise


def _copy(primary: PostgresServer, layout: _Layout) -> None:
    arguments = ["--wal-method=stream", "--checkpoint=fast", "--no-sync", "-D", str(layout.data)]
    where = [f"--host={primary.host}", f"--port={primary.port}", "--username=postgres"]
    try:
        done = subprocess.run(
            [str(primary.pg_bin / "pg_basebackup"), *arguments, *where],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=clean_environment(),
            timeout=_BACKUP_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DevstackError(f"pg_basebackup: {error}") from error
    if done.returncode:
        raise DevstackError(f"pg_basebackup: {done.stderr.strip()[-500:]}")
