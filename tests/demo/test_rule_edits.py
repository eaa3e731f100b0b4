"""The edits against the proxy's own reading of rule files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from demo.rule_edits import ASKED, EDITS, FILE_NAME, MISTAKE, PASSED, START, Edit, changed_lines
from demo.shop import TABLES
from proxy.phases import Phase
from proxy.rules import RulesError, load_rules


@pytest.mark.parametrize("edit", [START, *EDITS], ids=lambda edit: edit.title)
def test_each_edit_is_as_good_as_it_says(edit: Edit, tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    file.write_text(edit.text, encoding="utf-8")
    if edit.good:
        rules = load_rules(file)
        found = {str(name).rpartition(".")[2]: rule.holding for name, rule in rules.tables.items()}
        assert {table: holding.requested for table, holding in found.items()} == edit.requested
        assert all(holding.effective >= edit.effective[table] for table, holding in found.items())
        assert all(rule.gates.min_comparisons == 25 for rule in rules.tables.values())
    else:
        with pytest.raises(RulesError) as caught:
            load_rules(file)
        assert tuple(problem.line for problem in caught.value.problems) == edit.mistakes


def test_every_edit_changes_the_file() -> None:
    texts = [START.text, *(edit.text for edit in EDITS)]
    assert all(before != after for before, after in pairwise(texts))
    assert any(not edit.good for edit in EDITS)


def test_changed_lines() -> None:
    assert changed_lines("a\nb\nc\n", "a\nx\nc\nd\n") == {2, 4}
    assert changed_lines("a\nb\n", "a\n") == set()
    assert changed_lines(START.text, START.text) == set()
    assert set(MISTAKE.mistakes) <= changed_lines(START.text, MISTAKE.text)


def test_what_is_asked_for_and_what_comes_of_it() -> None:
    assert set(START.effective.values()) == {Phase.PASSTHROUGH}
    assert ASKED.requested["payments"] is Phase.PRIMARY_SWITCH
    assert set(ASKED.effective.values()) == {Phase.BACKFILL}
    assert list(PASSED.effective.values()).count(Phase.PASSTHROUGH) == len(TABLES) - 1


def test_the_tables_walk_through_every_phase_but_the_last_and_back() -> None:
    good = [edit.default for edit in (START, *EDITS) if edit.good]
    there = [phase.value for phase in Phase if phase is not Phase.DECOMMISSION]
    assert good == [*there, "dark_read", "passthrough"]
