"""Compiled modules are used where they were made from the sources beside them, and both ways do the same."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from pathlib import Path

import pytest

import proxy
from proxy import compiled

TOP = Path(__file__).parents[1]

TRANSCRIPTS = (
    "answering",
    "answers",
    "capture",
    "copying",
    "expected",
    "extended",
    "fate",
    "outlook",
    "plans",
    "queries",
    "requests",
    "serving",
)
"""Tests below tests/session that need no database."""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with one module, its source and what looks like that compiled."""
    monkeypatch.delenv("CAUSEWAY_PURE_PYTHON", raising=False)
    monkeypatch.setattr(sys, "path_importer_cache", dict(sys.path_importer_cache))
    session = tmp_path / "session"
    session.mkdir()
    (session / "answers.py").write_text("made = 'from its source'\n")
    (session / f"answers{EXTENSION_SUFFIXES[0]}").touch()
    (session / f"_relay{EXTENSION_SUFFIXES[0]}").touch()
    (tmp_path / compiled.RECORD).write_text(compiled.record_of(str(tmp_path), ["session/answers.py"]))
    return tmp_path


def origin(package: Path, name: str = "answers") -> str:
    spec = PathFinder.find_spec(name, [str(package / "session")])
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).suffix


def test_what_was_made_from_the_sources_is_used(package: Path) -> None:
    assert compiled.choose(str(package))
    assert origin(package) == ".so"


def test_a_source_that_has_changed_is_used_itself(package: Path) -> None:
    (package / "session/answers.py").write_text("made = 'later'\n")
    assert not compiled.choose(str(package))
    assert origin(package) == ".py"
    assert origin(package, "_relay") == ".so"


def test_pure_python_is_had_by_asking_for_it(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_PURE_PYTHON", "1")
    assert not compiled.choose(str(package))
    assert origin(package) == ".py"


@pytest.mark.parametrize("record", ["", "{}", '{"suffix": ".other.so", "sources": {}}'])
def test_without_a_record_for_this_python_the_sources_are_used(package: Path, record: str) -> None:
    (package / compiled.RECORD).write_text(record)
    assert not compiled.choose(str(package))
    (package / compiled.RECORD).unlink()
    assert not compiled.choose(str(package))


@pytest.mark.parametrize("name", compiled.MODULES)
def test_modules_come_from_where_it_says(name: str) -> None:
    assert (TOP / f"{name.replace('.', '/')}.py").is_file()
    file = import_module(name).__file__
    assert file is not None
    assert (Path(file).suffix == ".so") is proxy.COMPILED


def test_what_inherits_from_compiled_classes_is_compiled() -> None:
    """mypyc refuses other classes when an object of them is made: in the middle of a session."""
    children = []
    for path in sorted((TOP / "proxy").rglob("*.py")):
        module = ".".join(path.relative_to(TOP).with_suffix("").parts)
        tree = ast.parse(path.read_bytes())
        found = {
            alias.asname or alias.name: node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module in compiled.MODULES
            for alias in node.names
        }
        children += [
            (module, one.name)
            for one in ast.walk(tree)
            if isinstance(one, ast.ClassDef)
            and any(isinstance(base, ast.Name) and base.id in found for base in one.bases)
        ]
    assert ("proxy.session.serving", "ServingRelay") in children
    assert [child for child in children if child[0] not in compiled.MODULES] == []


@pytest.mark.skipif(
    os.environ.get("CI") != "true", reason="a checkout may have been edited since it was set up"
)
@pytest.mark.skipif(os.environ.get("CAUSEWAY_PURE_PYTHON") == "1", reason="asked not to")
@pytest.mark.skipif(shutil.which(os.environ.get("CC", "cc")) is None, reason="no C compiler")
def test_what_ci_tests_is_compiled() -> None:
    assert proxy.COMPILED, "why not: python setup.py build_ext --inplace"


@pytest.mark.skipif(not proxy.COMPILED, reason="all tests run in pure Python already")
def test_capture_does_the_same_in_pure_python() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not integration"),
            *(f"tests/session/test_{name}.py" for name in TRANSCRIPTS),
        ],
        cwd=TOP,
        env={**os.environ, "CAUSEWAY_PURE_PYTHON": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_no_module_is_named_twice() -> None:
    """mypyc refuses the whole list, and the sources would be used without a word."""
    assert len(set(compiled.MODULES)) == len(compiled.MODULES)
