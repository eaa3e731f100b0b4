"""Makefile, .ci/run and scripts/: what they say when something fails, and what they hand on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
DEBIAN_ESSENTIALS = (
    *("bash", "cat", "cut", "dirname", "env", "flock", "id", "ln", "mkdir", "printf", "readlink", "rm"),
    *("sed", "sh", "sha256sum", "sleep", "tail", "touch", "tr", "true"),
)


def bash(script: str, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f'. "{TOP}/scripts/lib.sh"\n{script}'],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), "CI": "true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A directory of programs that holds what every Debian machine has, and an apt-get that must not be reached."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in DEBIAN_ESSENTIALS:
        found = shutil.which(name)
        assert found is not None, name
        (programs / name).symlink_to(found)
    executable(programs / "apt-get", "#!/bin/sh\necho apt-get was run >&2\nexit 9\n")
    return programs


def test_a_step_shows_its_name_and_time_and_keeps_its_output(tmp_path: Path) -> None:
    done = bash('step "first step" "a hint" sh -c "echo told"', tmp_path)
    assert done.returncode == 0
    assert re.search(r"✔ first step \(\d+\.\d s\)", done.stdout)
    assert "told" not in done.stdout
    assert (tmp_path / "causeway/logs/first-step.log").read_text() == "told\n"


def test_a_failed_step_says_what_to_do(tmp_path: Path) -> None:
    done = bash('step "bad step" "Do this instead." sh -c "echo reason; exit 3"\necho not reached', tmp_path)
    assert done.returncode == 1
    assert "not reached" not in done.stdout
    assert "exit code 3" in done.stderr
    assert "| reason" in done.stderr
    assert "Do this instead." in done.stderr
    assert str(tmp_path / "causeway/logs/bad-step.log") in done.stderr


def test_a_step_leaves_no_process_behind(tmp_path: Path) -> None:
    """A ticker left behind would keep the pipe open, and `make test | tee log` would wait for it."""
    done = bash('for n in 1 2 3; do step "step $n" "" true; done; jobs -p', tmp_path)
    assert done.returncode == 0
    assert not re.findall(r"^\d+$", done.stdout, flags=re.MULTILINE)


def test_a_digest_follows_contents_not_names(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("same")
    two.write_text("same")
    script = (
        f'cd "{tmp_path}"; contents one; contents two; contents one absent; echo more >>one; contents one'
    )
    first, second, with_absent, changed = bash(script, tmp_path / "cache").stdout.split()
    assert first == second == with_absent
    assert changed != first


def run_setup(purpose: str, programs: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(TOP / "scripts/setup.sh"), purpose],
        env={"PATH": str(programs), "HOME": str(tmp_path), "PYTHON": sys.executable, "CI": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_root_or_sudo_it_says_which_packages_to_install(bare_path: Path, tmp_path: Path) -> None:
    (bare_path / "id").unlink()
    executable(bare_path / "id", "#!/bin/sh\necho 1000\n")
    done = run_setup("demo", bare_path, tmp_path)
    assert done.returncode == 1
    assert "this machine lacks: bubblewrap" in done.stderr
    assert "As root, run: apt-get update && apt-get install --no-install-recommends bubblewrap" in done.stderr
    assert "apt-get was run" not in done.stderr


def test_without_apt_it_names_the_packages(bare_path: Path, tmp_path: Path) -> None:
    (bare_path / "apt-get").unlink()
    done = run_setup("demo", bare_path, tmp_path)
    assert done.returncode == 1
    assert "bubblewrap" in done.stderr
    assert "It has no apt-get" in done.stderr


def test_without_a_python_it_says_which_is_needed(bare_path: Path, tmp_path: Path) -> None:
    executable(bare_path / "old", "#!/bin/sh\nexit 1\n")
    done = subprocess.run(
        ["bash", str(TOP / "scripts/setup.sh"), "lint"],
        env={"PATH": str(bare_path), "HOME": str(tmp_path), "PYTHON": "old"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "no Python 3.11 or later" in done.stderr


def test_an_unknown_purpose_is_refused(tmp_path: Path) -> None:
    done = bash(f'"{TOP}/scripts/setup.sh" tset', tmp_path)
    assert done.returncode == 1
    assert "One of: demo, lint, test, bench, all." in done.stderr


@pytest.mark.parametrize(("lint", "test", "expected"), [(0, 0, 0), (2, 0, 1), (0, 2, 1), (2, 2, 1)])
def test_ci_runs_both_and_fails_when_either_does(
    lint: int, test: int, expected: int, bare_path: Path, tmp_path: Path
) -> None:
    executable(
        bare_path / "make",
        f'#!/bin/sh\necho "$1 with CI=$CI"\n[ "$1" = test ] && echo "5 passed" && exit {test}\nexit {lint}\n',
    )
    done = subprocess.run(
        ["bash", str(TOP / ".ci/run")],
        env={"PATH": str(bare_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == expected
    assert done.stdout.splitlines() == ["lint with CI=true", "test with CI=true", "5 passed"]
    assert ("lint failed" in done.stderr) is (lint != 0)


def test_help_lists_every_target() -> None:
    makefile = (TOP / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, flags=re.MULTILINE)
    assert phony is not None
    shown = subprocess.run(["make", "help"], cwd=TOP, capture_output=True, text=True, timeout=60, check=True)
    assert set(re.findall(r"make ([a-z-]+)", shown.stdout)) == set(phony[1].split())
    assert {"demo", "test", "lint", "bench", "clean"} <= set(phony[1].split())
