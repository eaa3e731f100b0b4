"""Programs that are missing are installed, or the text says how to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devstack.errors import DevstackError
from devstack.system_packages import ensure_program


@pytest.fixture
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory of the PATH, but for the shell's own tools."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in ("sh", "touch", "chmod", "env", "echo", "test"):
        (directory / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(directory))
    return directory


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def apt_get(directory: Path, *, needs_update: bool = False) -> None:
    """Makes the program `wanted` when asked to install `wanted-package`."""
    guard = f"test -e {directory}/updated || exit 100" if needs_update else "true"
    script(
        directory / "apt-get",
        f'echo "$*" >> {directory}/calls\n'
        f'case "$*" in *update*) touch {directory}/updated; exit 0;; esac\n'
        f"{guard}\n"
        f'case "$*" in *"install wanted-package") touch {directory}/wanted; chmod 755 {directory}/wanted;; esac',
    )


def test_nothing_to_do(bin_dir: Path) -> None:
    script(bin_dir / "wanted", "true")
    assert ensure_program("wanted", "wanted-package") == str(bin_dir / "wanted")


@pytest.mark.parametrize("needs_update", [False, True])
def test_root_installs(bin_dir: Path, monkeypatch: pytest.MonkeyPatch, needs_update: bool) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    apt_get(bin_dir, needs_update=needs_update)
    assert ensure_program("wanted", "wanted-package") == str(bin_dir / "wanted")
    calls = (bin_dir / "calls").read_text().splitlines()
    assert len(calls) == (3 if needs_update else 1)


def test_sudo_installs(bin_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    apt_get(bin_dir)
    script(bin_dir / "sudo", 'test "$1" = -n && shift; exec "$@"')
    (bin_dir / "true").symlink_to("/usr/bin/true")
    assert ensure_program("wanted", "wanted-package") == str(bin_dir / "wanted")


def test_others_are_told(bin_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    apt_get(bin_dir)
    with pytest.raises(DevstackError, match="`apt-get install wanted-package`"):
        ensure_program("wanted", "wanted-package")
    assert not (bin_dir / "calls").exists()


def test_a_failed_installation_shows_its_end(bin_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    script(bin_dir / "apt-get", "echo no network; exit 100")
    with pytest.raises(DevstackError, match="no network"):
        ensure_program("wanted", "wanted-package")


def test_another_distribution(bin_dir: Path) -> None:
    with pytest.raises(DevstackError, match="`wanted` is missing"):
        ensure_program("wanted", "wanted-package")
