"""Servers under a warden."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from devstack.errors import DevstackError
from devstack.supervision import Server, Supervised, clean_environment
from tests.devstack.processes import exists, wait_until

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def server(base: Path, code: str, **options: object) -> Server:
    return Server(argv=[sys.executable, "-c", code], log=base / "log", **options)  # type: ignore[arg-type]


def test_start_stop_and_start_again(tmp_path: Path) -> None:
    supervised = Supervised(server(tmp_path, "import time; time.sleep(60)"))
    try:
        first = supervised.start()
        assert first.running
        assert first.pid is not None
        assert exists(first.pid)
        with pytest.raises(DevstackError, match="already running"):
            supervised.start()
        stopped = supervised.stop(signal.SIGTERM, 5)
        assert (stopped.running, stopped.returncode) == (False, -signal.SIGTERM)
        assert supervised.start().pid != first.pid
    finally:
        supervised.close()
        supervised.close()


def test_stop_gives_up_after_its_time(tmp_path: Path) -> None:
    supervised = Supervised(server(tmp_path, STUBBORN))
    try:
        supervised.start()
        wait_until(lambda: "up" in supervised.log_tail(), "the server is up")
        assert supervised.stop(signal.SIGTERM, 0.1).running
        assert supervised.stop(signal.SIGKILL, 5).returncode == -signal.SIGKILL
    finally:
        supervised.close()


def test_close_deletes_what_belongs_to_it(tmp_path: Path) -> None:
    base = tmp_path / "instance"
    (base / "deep").mkdir(parents=True)
    supervised = Supervised(server(tmp_path, "import time; time.sleep(60)", remove=[base]))
    pid = supervised.start().pid
    supervised.close()
    assert pid is not None
    assert not exists(pid)
    assert not base.exists()
    with pytest.raises(DevstackError, match="its warden has ended"):
        supervised.status()


def test_a_server_that_ends_by_itself(tmp_path: Path) -> None:
    supervised = Supervised(server(tmp_path, "print('no disk'); raise SystemExit(7)"))
    try:
        supervised.start()
        wait_until(lambda: not supervised.status().running, "the server ends")
        assert supervised.status().returncode == 7
        assert supervised.log_tail() == "no disk"
    finally:
        supervised.close()


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    supervised = Supervised(Server(argv=["/no/such/program"], log=tmp_path / "log"))
    try:
        with pytest.raises(DevstackError, match="/no/such/program did not start"):
            supervised.start()
    finally:
        supervised.close()


def test_environment_is_cleaned(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPASSWORD", "LC_TIME", "LANG", "TZ"):
        monkeypatch.setenv(name, "unwanted")
    monkeypatch.setenv("KEPT", "yes")
    cleaned = clean_environment(EXTRA="1")
    assert "unwanted" not in cleaned.values()
    assert (cleaned["KEPT"], cleaned["EXTRA"], cleaned["LC_ALL"]) == ("yes", "1", "C.UTF-8")
