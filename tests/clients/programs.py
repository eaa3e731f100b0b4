"""Programs the client tests run, and what to install when one is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

TIMEOUT = 60.0
"""Seconds after which a client program counts as hanging."""


def unavailable(what: str, remedy: str) -> NoReturn:
    """Skip on a developer's machine; fail in CI, where a missing client would silently thin out the matrix."""
    message = f"{what} is not installed; install it with: {remedy}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def find_program(name: str, package: str) -> str:
    """The program on the PATH; without it the test is skipped, or fails in CI."""
    found = shutil.which(name)
    if found is None:
        unavailable(name, f"apt-get install {package}")
    return found


@dataclass(frozen=True)
class PostgresPrograms:
    """psql, pgbench, pg_dump and the others, preferably those of `directory`."""

    directory: Path

    def __getitem__(self, name: str) -> str:
        own = self.directory / name
        return str(own) if own.exists() else find_program(name, "postgresql")


def find_jar(path: str, package: str) -> str:
    if not Path(path).exists():
        unavailable(path, f"apt-get install {package}")
    return path


def major_version(program: str) -> int:
    """The major version that a PostgreSQL program states of itself."""
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=TIMEOUT)
    match = re.search(r"\(PostgreSQL\) (\d+)", text.stdout)
    assert match is not None, text.stdout
    return int(match.group(1))


def run(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    stdin: str = "",
    check: bool = True,
    cwd: Path | None = None,
    timeout: float = TIMEOUT,
) -> subprocess.CompletedProcess[str]:
    """Run to the end, by default in this process's environment.

    With `check`, an exit code other than 0 fails the test with everything the program printed.
    """
    finished = subprocess.run(
        list(command),
        env=None if environment is None else dict(environment),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        check=False,
    )
    if check and finished.returncode != 0:
        pytest.fail(
            f"{command[0]} exited with {finished.returncode}\n{finished.stdout}\n{finished.stderr}",
            pytrace=False,
        )
    return finished
