"""Directories that are built once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from devstack.cache import cached_directory, remove_tree


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_built_once_by_whoever_comes_first() -> None:
    built = []
    started = threading.Barrier(4)

    def build(target: Path) -> None:
        built.append(target)
        (target / "file").write_text("complete")

    def ask() -> None:
        started.wait()
        assert (cached_directory("thing", build) / "file").read_text() == "complete"

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1


def test_a_failed_build_leaves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    def fail(target: Path) -> None:
        (target / "half").touch()
        raise LookupError

    with pytest.raises(LookupError):
        cached_directory("thing", fail)
    assert [path.name for path in (tmp_path / "causeway").iterdir()] == ["thing.lock"]
    assert cached_directory("thing", lambda target: None).is_dir()


def test_what_an_interrupted_build_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "causeway" / ".thing.abc.building"
    left.mkdir(parents=True)
    cached_directory("thing", lambda target: None)
    assert not left.exists()


def test_a_tree_without_write_permission_is_removed(tmp_path: Path) -> None:
    directory = tmp_path / "tree" / "closed"
    directory.mkdir(parents=True)
    (directory / "file").touch()
    directory.chmod(0o500)
    remove_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()
