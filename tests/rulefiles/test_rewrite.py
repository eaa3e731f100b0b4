"""A rule file gets its new content in one step, or stays as it is with the reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxy.rulefiles.rewrite import CannotWrite, replace_content


def test_the_content_is_replaced_and_the_mode_stays(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_bytes(b"old")
    file.chmod(0o640)
    before = file.stat().st_ino
    replace_content(file, b"old", b"new")
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.stat().st_ino != before, "a reader that has the old one open goes on reading it"
    assert os.listdir(tmp_path) == ["rules.yaml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "rules.yaml").write_bytes(b"old")
    (tmp_path / "rules.yaml").symlink_to("real/rules.yaml")
    replace_content(tmp_path / "rules.yaml", b"old", b"new")
    assert (tmp_path / "rules.yaml").is_symlink()
    assert (tmp_path / "real" / "rules.yaml").read_bytes() == b"new"


def test_what_has_changed_meanwhile_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_bytes(b"somebody else's")
    with pytest.raises(CannotWrite, match="changed meanwhile"):
        replace_content(file, b"old", b"new")
    assert file.read_bytes() == b"somebody else's"


def test_a_config_map_is_not_written_to(tmp_path: Path) -> None:
    """As Kubernetes mounts it: the files are links through `..data`, which is replaced as a whole."""
    (tmp_path / "..2026_03_01").mkdir()
    (tmp_path / "..2026_03_01" / "rules.yaml").write_bytes(b"old")
    (tmp_path / "..data").symlink_to("..2026_03_01")
    (tmp_path / "rules.yaml").symlink_to("..data/rules.yaml")
    with pytest.raises(CannotWrite, match="kubectl edit configmap"):
        replace_content(tmp_path / "rules.yaml", b"old", b"new")
    assert (tmp_path / "rules.yaml").read_bytes() == b"old"


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rules.yaml"
    file.write_bytes(b"old")

    def refuse(source: object, target: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(CannotWrite, match="cannot be written: Device or resource busy"):
        replace_content(file, b"old", b"new")
    assert os.listdir(tmp_path) == ["rules.yaml"]
    assert file.read_bytes() == b"old"


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="No such file"):
        replace_content(tmp_path / "rules.yaml", b"old", b"new")
