from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxy.rulefiles.watchpoints import survey


def watched(path: Path) -> set[Path]:
    return {Path(directory) for directory, _, _ in survey(path).directories}


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def test_a_directory_and_its_parent(top: Path) -> None:
    rules = top / "rules"
    rules.mkdir()
    (rules / "a.yaml").write_text("x")
    assert watched(rules) == {rules, top}


def test_the_directory_of_a_file(top: Path) -> None:
    (top / "a.yaml").write_text("x")
    assert watched(top / "a.yaml") == {top}


def test_a_relative_path(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top / "rules").mkdir()
    (top / "other").mkdir()
    (top / "rules" / "a.yaml").write_text("x")
    monkeypatch.chdir(top)
    assert watched(Path("other/.././rules/a.yaml")) == {top / "rules"}


def test_the_nearest_directory_of_what_is_missing(top: Path) -> None:
    assert watched(top / "not" / "here.yaml") == {top, top.parent}


def test_every_link_on_the_way(top: Path) -> None:
    for name in ("etc", "v1", "shared"):
        (top / name).mkdir()
    (top / "v1" / "a.yaml").symlink_to(top / "shared" / "real.yaml")
    (top / "shared" / "real.yaml").write_text("x")
    (top / "etc" / "rules").symlink_to("../v1")
    assert watched(top / "etc" / "rules") == {top, top / "etc", top / "v1", top / "shared"}


def test_a_link_to_itself(top: Path) -> None:
    (top / "loop.yaml").symlink_to("loop.yaml")
    assert watched(top / "loop.yaml") == {top}


def test_a_survey_tells_every_change(top: Path) -> None:
    rules = top / "rules"
    rules.mkdir()
    file = rules / "a.yaml"
    seen = [survey(rules)]

    def changed(*, directories: bool = False) -> None:
        now = survey(rules)
        assert now.files not in [before.files for before in seen]
        assert (now.directories != seen[-1].directories) == directories
        seen.append(now)

    file.write_text("x")
    changed()
    file.write_text("xy")
    changed()
    replacement = rules / "tmp"
    replacement.write_text("xy")
    replacement.rename(file)
    changed()
    (rules / "b.yaml").symlink_to("missing")
    changed()
    (rules / "missing").write_text("z")
    changed()
    file.unlink()
    changed()
    rules.rename(top / "old")
    changed(directories=True)
    rules.mkdir()
    (rules / "a.yaml").write_text("xy")
    changed(directories=True)


def test_a_survey_of_the_same_is_the_same(top: Path) -> None:
    (top / "a.yaml").write_text("x")
    before = survey(top)
    (top / "notes.txt").write_text("not a rule")
    assert survey(top).files == before.files
    assert os.fspath(top) in {path for path, _, _ in before.directories}
