"""Commands run to their end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.commands import causeway, run
from bench.errors import BenchError


def test_what_it_printed_and_took(tmp_path: Path) -> None:
    script = "import json, os; print(json.dumps(os.environ['CAUSEWAY_X'])); print(2)"
    ended = run([sys.executable, "-c", script], {"CAUSEWAY_X": "given"}, tmp_path)
    assert ended.lines() == ["given", 2]
    assert ended.cpu > 0
    assert ended.peak > 1 << 20


def test_settings_from_outside_do_not_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_STORE", "mongodb://elsewhere/")
    script = "import os; print([name for name in os.environ if name.startswith('CAUSEWAY_')])"
    assert run([sys.executable, "-c", script], {}, tmp_path).output == "[]\n"


def test_one_that_fails_is_told_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"indexes.* ended with 1:\nerror: no `rules` are given"):
        causeway(["indexes", "nothing"], {}, tmp_path)
