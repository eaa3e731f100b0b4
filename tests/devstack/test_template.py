"""Initialised data directories."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from devstack.errors import DevstackError
from devstack.installation import find_installation
from devstack.template import _parts, copy_template, template


def test_a_script_is_cut_at_its_databases() -> None:
    script = "create role a;\n\n\\connect template1\ngrant x;\n\n\\connect postgres\n"
    assert _parts(script) == [("postgres", "create role a;\n\n"), ("template1", "grant x;\n\n")]


@pytest.mark.integration
def test_made_once_and_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installation = find_installation()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = template(installation, "test", "create role made_here;\n")
    assert template(installation, "test", "create role made_here;\n") == made
    copy = tmp_path / "copy"
    copy_template(made, copy, installation)
    assert (copy / "PG_VERSION").read_text().strip() == str(installation.major)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700


@pytest.mark.integration
def test_a_script_that_fails_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = find_installation()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DevstackError, match="nonsense"):
        template(installation, "test", "nonsense;\n")
    assert not [path for path in (tmp_path / "causeway").iterdir() if path.is_dir()]
