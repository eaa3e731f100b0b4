"""Helpers to write rule files in tests."""

from __future__ import annotations

import textwrap

from proxy.phases import LAST_BUILT, Phase
from proxy.rulefiles.compile import RuleText, compile_rules
from proxy.rulefiles.problems import Problem, RulesError
from proxy.rulefiles.ruleset import RuleSet, TableRule


def rules(*texts: str, last_built: Phase = LAST_BUILT) -> RuleSet:
    """The rules of files a.yaml, b.yaml, ..."""
    files = [
        RuleText(f"{name}.yaml", textwrap.dedent(text).encode())
        for name, text in zip("abcdef", texts, strict=False)
    ]
    return compile_rules(files, last_built=last_built)


def rule(text: str, name: str = "orders") -> TableRule:
    """The rule of a public table, whatever the database."""
    return next(r for r in rules(text).tables.values() if r.name.name == name)


def problems(*texts: str) -> tuple[Problem, ...]:
    try:
        found = rules(*texts)
    except RulesError as error:
        return error.problems
    raise AssertionError(f"loaded without a problem: {found}")


def problem(*texts: str) -> Problem:
    found = problems(*texts)
    assert len(found) == 1, "\n".join(map(str, found))
    return found[0]
