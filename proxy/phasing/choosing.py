"""From a table's name and a phase to the one place in the rule files that must say so, and what they say then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from proxy.names import parse_table_name
from proxy.phases import Phase
from proxy.rulefiles.compile import RuleText, compile_rules
from proxy.rulefiles.edit import CannotEdit, Edit, set_phase
from proxy.rulefiles.problems import RulesError
from proxy.rulefiles.ruleset import RuleSet, TableRule
from proxy.rules import load_rules, rule_files


class Unchosen(Exception):
    """The rule files cannot be made to say it; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One edit of one file."""

    file: str
    edit: Edit
    before: RuleSet
    after: RuleSet
    rules: tuple[TableRule, ...]
    """Those that it changes, as they are afterwards: one a database, where the file names several."""


def choose(path: Path, table: str, phase: Phase, *, max_size: int) -> Choice:
    """`table`: `table`, `schema.table` or `database:schema.table`. Raises Unchosen."""
    try:
        rules = load_rules(path, max_size=max_size)
    except RulesError as error:
        found = "\n".join(str(problem) for problem in error.problems)
        raise Unchosen(
            f"the rule files are not good as they are, so no proxy follows them:\n{found}"
        ) from None
    rule = _rule(rules, table)
    file = Path(rule.place.file)
    try:
        data = file.read_bytes()
        edit = set_phase(data, rule.place, phase)
    except OSError as error:
        raise Unchosen(f"{file} cannot be read: {error.strerror or error}") from None
    except CannotEdit as error:
        raise Unchosen(str(error)) from None
    after = _after(path, file, edit, rules)
    changed = tuple(one for one in after.tables.values() if (one.place.file, one.written) == _place(rule))
    return Choice(str(file), edit, rules, after, changed)


def _rule(rules: RuleSet, table: str) -> TableRule:
    database, colon, rest = table.rpartition(":")
    try:
        name = parse_table_name(rest)
    except ValueError as error:
        raise Unchosen(str(error)) from None
    found = [
        rule
        for rule in rules.tables.values()
        if (rule.name.schema, rule.name.name) == (name.schema, name.name)
        and (not colon or rule.name.database in (database, None))
    ]
    places = {_place(rule): rule for rule in found}
    if not places:
        where = f" in database {database}" if colon else ""
        raise Unchosen(f"no rule is about table {name}{where}; add `{name}:` under `tables:` of a rule file")
    if len(places) > 1:
        claims = ", ".join(
            f"{places[place].place} (database {places[place].name.database})" for place in sorted(places)
        )
        raise Unchosen(
            f"several rules are about table {name}: {claims}; write DATABASE:{name} for one of them"
        )
    return next(iter(places.values()))


def _place(rule: TableRule) -> tuple[str, str]:
    return rule.place.file, rule.written


def _after(path: Path, file: Path, edit: Edit, before: RuleSet) -> RuleSet:
    """The rules with the edit, which must be good, before anything is written."""
    texts = [RuleText(str(one), edit.after if one == file else one.read_bytes()) for one in rule_files(path)]
    try:
        return compile_rules(texts, source=before.source)
    except RulesError as error:
        found = "\n".join(str(problem) for problem in error.problems)
        raise Unchosen(f"nothing was changed, for the rules would not be good then:\n{found}") from None


def databases(rules: Sequence[TableRule]) -> tuple[str, ...]:
    """Those that the rules name; none for a rule that holds everywhere."""
    return tuple(dict.fromkeys(rule.name.database for rule in rules if rule.name.database is not None))
