from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxy.phases import LAST_BUILT
from proxy.rulefiles.problems import RulesError
from proxy.rulefiles.reference import BEGIN, END, main, render, replaced
from proxy.rulefiles.schema import Section
from tests.rulefiles.texts import rules

DOCUMENT = Path(__file__).parents[2] / "docs" / "rules.md"


def test_the_document_is_up_to_date() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == replaced(text), "run: python -m proxy.rulefiles.reference docs/rules.md"


def test_every_key_is_in_the_reference() -> None:
    text = render()
    models = [Section]
    while models:
        model = models.pop()
        models += model.__subclasses__()
        for name in model.model_fields:
            assert f"| `{name}` |" in text


def test_the_introduction_says_what_this_version_carries_out() -> None:
    assert f"**This version carries out `{LAST_BUILT}`.**" in DOCUMENT.read_text(encoding="utf-8")


def test_the_rule_files_in_the_introduction_load() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    loaded = [rules(block) for block in blocks if "tables:" in block]
    assert loaded


def test_the_mistakes_in_the_introduction_are_told_in_these_words() -> None:
    text = "\n" * 6 + "tables: {orders: {\n    phse: x,\n    shadow: 5}}\n"
    with pytest.raises(RulesError) as caught:
        rules(text)
    document = DOCUMENT.read_text(encoding="utf-8")
    for problem in caught.value.problems:
        assert f"{problem.key_path}: {problem.message} ({problem.hint})" in document


def test_writing_the_document(tmp_path: Path) -> None:
    file = tmp_path / "rules.md"
    file.write_text(f"before\n{BEGIN}\nstale\n{END}\nafter\n")
    assert main([str(file)]) == 0
    assert file.read_text() == f"before\n{BEGIN}\n\n{render()}\n{END}\nafter\n"
    with pytest.raises(ValueError, match="has no part between"):
        replaced("nothing")
    assert main([]) == 2
