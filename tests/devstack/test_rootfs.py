"""The root file system, and PostgreSQL 18 run in it."""

from __future__ import annotations

import subprocess

import pytest

from devstack.postgres import PASSWORD, start_postgres
from devstack.rootfs import ensure_rootfs
from devstack.sandbox import sandbox_command

pytestmark = pytest.mark.integration


def test_built_once() -> None:
    assert ensure_rootfs() == ensure_rootfs()


def test_inside_it_is_read_only_and_nobody_is_root() -> None:
    rootfs = ensure_rootfs().path
    script = (
        "id -un; touch /usr/x || echo refused; getent hosts localhost | head -c 3; ls /home 2>&1 | head -c 3"
    )
    done = subprocess.run(
        sandbox_command(rootfs, [], ["/bin/sh", "-c", script]), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[:2] == ["postgres", "refused"]


def test_postgres_of_the_root_file_system() -> None:
    with start_postgres("rootfs") as server:
        assert server.major == 18
        assert server.psql("show wal_level") == "logical"
        dsn = server.dsn("postgres", "causeway_scram", PASSWORD)
        done = subprocess.run(
            [str(server.pg_bin / "pgbench"), "-i", "-q", dsn], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        server.conf(work_mem="9MB")
        assert server.psql("show work_mem") == "9MB"
        server.restart("immediate")
        assert server.psql("select count(*) from pgbench_accounts") == "100000"
        socket = subprocess.run(
            [str(server.pg_bin / "psql"), "-XAtc", "select 1", server.socket_dsn()],
            capture_output=True,
            text=True,
            check=False,
        )
        assert socket.stdout == "1\n", socket.stderr
