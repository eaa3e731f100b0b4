"""The stack as a whole: what starts with it ends with it, however its holder dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from devstack.stack import Stack
from tests.devstack.processes import exists, listens, wait_until

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).resolve().parents[2]
HOLDER = """
import json, sys, threading
from devstack.stack import Stack
from devstack.documentdb import DocumentDb

with Stack() as stack:
    store = stack.document_store
    facts = {
        "pids": [stack.postgres.pid],
        "ports": [stack.postgres.port],
        "directories": [str(stack.postgres.data_dir.parent)],
    }
    if isinstance(store, DocumentDb):
        facts["pids"] += [store.gateway_pid, store.postgres.pid]
        facts["ports"] += [store.port, store.postgres.port]
        facts["directories"] += [str(store.gateway_log.parent), str(store.postgres.data_dir.parent)]
    print(json.dumps(facts), flush=True)
    threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_servers_end_with_the_process_that_started_them(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, cwd=PROJECT, text=True
    ) as holder:
        assert holder.stdout is not None
        facts = json.loads(holder.stdout.readline())
        assert all(map(exists, facts["pids"]))
        assert all(map(listens, facts["ports"]))
        os.kill(holder.pid, number)
        holder.wait(10)
    wait_until(lambda: not any(map(exists, facts["pids"])), "the servers end")
    wait_until(lambda: not any(map(listens, facts["ports"])), "their ports are closed")
    wait_until(lambda: not any(map(os.path.exists, facts["directories"])), "their directories are deleted")


def test_the_server_ends_when_its_warden_is_killed() -> None:
    with Stack() as stack:
        pid = stack.postgres.pid
        assert pid is not None
        os.kill(stack.postgres.warden_pid, signal.SIGKILL)
        wait_until(lambda: not exists(pid), "PostgreSQL ends")
        base = stack.postgres.data_dir.parent
    subprocess.run(["rm", "-rf", str(base)], check=True)


def test_a_failing_store_takes_postgres_with_it(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "mongod"
    program.write_text("#!/bin/sh\necho no disk >&2\nexit 7\n")
    program.chmod(0o755)
    monkeypatch.delenv("CAUSEWAY_STORE", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    directory = Path(tempfile.mkdtemp())  # short: the path of a socket has 107 bytes at most
    request.addfinalizer(lambda: shutil.rmtree(directory))
    monkeypatch.setenv("TMPDIR", str(directory))
    monkeypatch.setattr("tempfile.tempdir", None)
    directory.chmod(0o755)
    with pytest.raises(Exception, match=r"mongod did not become a primary(.|\n)*no disk"), Stack():
        pass
    assert list(directory.iterdir()) == []
