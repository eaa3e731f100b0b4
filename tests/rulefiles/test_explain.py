"""The words in which a rule file's author is told what is wrong; each as the whole loader says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.rules import RulesError, load_rules


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("tables:\n  t:\n    phse: dual_write\n", 3, "unknown key `phse`", "did you mean `phase`?"),
        (
            "phase: dual_write\ntables: {}\n",
            1,
            "unknown key `phase`",
            "stands under `defaults` or under a table",
        ),
        ("tables:\n  t:\n    force: yes\n", 3, "yes is a text, not a truth value", "write true"),
        ("tables:\n  t:\n    force: off\n", 3, "off is a text, not a truth value", "write false"),
        ("tables:\n  t:\n    collection: 5\n", 3, "YAML does not read 5 as a text", 'quote it: "5"'),
    ],
)
def test_words(tmp_path: Path, text: str, line: int, message: str, hint: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(RulesError) as caught:
        load_rules(file)
    (problem,) = caught.value.problems
    assert (problem.line, problem.message) == (line, message)
    assert hint in problem.hint
