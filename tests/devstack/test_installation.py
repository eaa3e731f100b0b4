"""Which PostgreSQL is run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devstack import installation
from devstack.errors import DevstackError
from devstack.installation import Installation, find_installation, system_bindir


def fake(directory: Path, version: str = "16.4", *, complete: bool = True) -> Path:
    """A directory of programs that only say their version."""
    directory.mkdir(parents=True)
    for name in ("postgres", "initdb") if complete else ("postgres",):
        program = directory / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return directory


def test_newest_complete_one_is_taken(tmp_path: Path) -> None:
    fake(tmp_path / "9.6" / "bin")
    newest = fake(tmp_path / "15" / "bin")
    fake(tmp_path / "17" / "bin", complete=False)
    fake(tmp_path / "old" / "bin")
    assert system_bindir(tmp_path) == newest


def test_else_the_one_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bindir = fake(tmp_path / "local" / "bin")
    monkeypatch.setenv("PATH", f"{bindir}{os.pathsep}{os.environ['PATH']}")
    assert system_bindir(tmp_path / "nothing") == bindir
    monkeypatch.setenv("PATH", str(tmp_path))
    assert system_bindir(tmp_path / "nothing") is None


@pytest.mark.parametrize(("said", "version", "major"), [("16.4", "16.4", 16), ("18beta1", "18beta1", 18)])
def test_a_directory_may_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, version: str, major: int
) -> None:
    bindir = fake(tmp_path / "bin", said)
    found = find_installation(str(bindir))
    assert (found.version, found.major, found.bin, found.rootfs) == (version, major, bindir, None)
    monkeypatch.setenv("CAUSEWAY_POSTGRES", str(bindir))
    assert find_installation() == found


def test_a_directory_without_a_server(tmp_path: Path) -> None:
    with pytest.raises(DevstackError, match="there is no `postgres` in that directory"):
        find_installation(str(tmp_path))


def test_system_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "system_bindir", lambda: None)
    with pytest.raises(DevstackError, match="apt-get install postgresql"):
        find_installation("system")


def test_commands_of_a_plain_server(tmp_path: Path) -> None:
    plain = Installation("15.1", tmp_path)
    assert plain.server_command("postgres", "-D", "/d", writable=[tmp_path]) == [
        str(tmp_path / "postgres"),
        "-D",
        "/d",
    ]
