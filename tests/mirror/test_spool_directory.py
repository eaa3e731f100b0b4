"""Who owns which spool file, across processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from proxy.mirror.spool_directory import SpoolDirectory
from proxy.mirror.spool_file import SpoolFailed

HOLDER = """
import sys
from pathlib import Path
from proxy.mirror.spool_directory import SpoolDirectory
directory = SpoolDirectory(Path(sys.argv[1]))
file = directory.create()
print(file.path.name, flush=True)
sys.stdin.read()
"""


def test_a_living_process_keeps_its_file_and_a_dead_one_does_not(tmp_path: Path) -> None:
    directory = SpoolDirectory(tmp_path / "spool")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        name = process.stdout.readline().decode().strip()
        own = directory.create()
        assert own.path.name != name
        assert directory.adopt() == ([], [])
        process.kill()
    (adopted,), _ = directory.adopt()
    assert adopted.path.name == name
    assert directory.adopt() == ([], [])
    assert SpoolDirectory(directory.path).adopt() == ([], [])
    directory.discard(adopted)
    directory.discard(own)
    assert [path.name for path in directory.path.iterdir()] == ["directory.lock"]


def test_a_file_that_is_left_is_the_next_one_s(tmp_path: Path) -> None:
    first, second = SpoolDirectory(tmp_path), SpoolDirectory(tmp_path)
    file = first.create()
    first.leave(file)
    (taken,), _ = second.adopt()
    assert taken.path == file.path
    second.leave(taken)


def test_a_file_that_cannot_be_opened_does_not_hide_the_others(tmp_path: Path) -> None:
    first = SpoolDirectory(tmp_path)
    file = first.create()
    first.leave(file)
    (tmp_path / "0.spool").write_bytes(b"nonsense" * 200)
    second = SpoolDirectory(tmp_path)
    (taken,), (failure,) = second.adopt()
    assert taken.path == file.path
    assert "0.spool: file is not a database" in str(failure)
    assert second.adopt() == ([], [])
    second.leave(taken)


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolFailed, match="spool directory"):
        SpoolDirectory(tmp_path / "file").create()
