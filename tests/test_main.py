"""`python -m proxy` is `causeway`."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "proxy", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_it_has_the_commands() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("run", "check", "status", "explain"):
        assert command in done.stdout


@pytest.mark.parametrize("arguments", [("nothing",), ("run", "--nothing")])
def test_its_status_is_that_of_the_command(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).returncode == 2


def test_it_does_nothing_where_it_is_only_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import proxy.__main__"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
