"""up, status and down as a person runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest

from devstack.paths import cache_dir
from tests.devstack.processes import exists, listens, wait_until

PROJECT = Path(__file__).resolve().parents[2]


class CommandLine:
    """`python -m devstack` with a cache of its own that shares what is built."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "devstack", *arguments],
            cwd=PROJECT,
            env={**os.environ, "XDG_CACHE_HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def command_line(tmp_path: Path) -> Iterator[CommandLine]:
    own = tmp_path / "causeway"
    own.mkdir()
    for item in cache_dir().iterdir():
        if item.name.startswith(("rootfs-", "template-")) and item.is_dir():
            (own / item.name).symlink_to(item)
    line = CommandLine(tmp_path)
    yield line
    line.run("down")


@pytest.mark.integration
def test_up_status_down(command_line: CommandLine) -> None:
    up = json.loads(command_line.run("up", "--json"))
    try:
        assert json.loads(command_line.run("up", "--json")) == up
        assert up["postgres_dsn"] in command_line.run("status")
        assert listens(up["postgres_port"])
        with pymongo.MongoClient[dict[str, object]](up["store_uri"]) as client:
            assert client.admin.command("ping")["ok"] == 1
    finally:
        command_line.run("down")
    assert not exists(up["pid"])
    assert not listens(up["postgres_port"])
    assert "nothing is up" in command_line.run("status", code=3)
    assert "nothing is up" in command_line.run("down")


@pytest.mark.integration
def test_status_after_the_holder_was_killed(command_line: CommandLine) -> None:
    up = json.loads(command_line.run("up", "--json", "--store", "mongodb://me:word@127.0.0.1:1/"))
    shown = command_line.run("status")
    assert "mongodb://me:***@127.0.0.1:1/" in shown
    assert "word" not in shown
    os.kill(up["pid"], signal.SIGKILL)
    wait_until(lambda: not exists(up["pid"]), "the holder ends")
    assert "nothing is up" in command_line.run("status", code=3)
    wait_until(lambda: not listens(up["postgres_port"]), "PostgreSQL ends")


def test_up_says_what_is_wrong(command_line: CommandLine) -> None:
    said = command_line.run("up", "--postgres", "/nowhere", "--store", "mongodb://127.0.0.1:1/", code=1)
    assert "there is no `postgres` in that directory" in said
    assert "nothing is up" in command_line.run("status", code=3)
