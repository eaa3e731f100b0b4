"""From the texts of rule files to a RuleSet, or to everything that is wrong with them. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from proxy.names import parse_table_name
from proxy.phases import LAST_BUILT, Phase, effective_phase
from proxy.rulefiles import yaml_marks
from proxy.rulefiles.conflicts import conflicts
from proxy.rulefiles.explain import explain
from proxy.rulefiles.layers import expand, locate, merge, paths
from proxy.rulefiles.problems import Place, Problem, RulesError
from proxy.rulefiles.ruleset import RuleSet, TableRule, default_collection
from proxy.rulefiles.schema import Defaults, Gates, RuleFile, Section, Table
from proxy.rulefiles.types import collection_fault
from proxy.rulefiles.yaml_marks import Entry, Mapping, Node, Scalar, path_text

M = TypeVar("M", bound=Section)


@dataclass(frozen=True, slots=True)
class RuleText:
    """One rule file's content."""

    file: str
    data: bytes


def compile_rules(
    texts: Iterable[RuleText], *, source: str = "", last_built: Phase = LAST_BUILT, pure: bool = False
) -> RuleSet:
    """RulesError with every problem of every file, if there is one.

    `pure`: see `yaml_marks.parse`.
    """
    problems: list[Problem] = []
    rules: list[TableRule] = []
    files: list[str] = []
    for text in texts:
        files.append(text.file)
        node, found = yaml_marks.parse(text.data, text.file, pure=pure)
        problems += found
        if node is not None:
            rules += _File(text.file, problems, last_built).rules(node)
        elif not found:
            problems.append(_empty(text.file, Place(text.file, 1, 1)))
    problems += _same_table(rules)
    problems += _same_collection(rules)
    if problems:
        raise RulesError(problems)
    return RuleSet(rules, source=source, files=files)


def _empty(file: str, place: Place) -> Problem:
    return Problem(
        file, place.line, place.column, "", "the file is empty", "write `tables: {}` for a file without rules"
    )


@dataclass(slots=True)
class _File:
    """Reads one file's tree; what is wrong goes to `problems`."""

    file: str
    problems: list[Problem]
    last_built: Phase

    def rules(self, root: Node) -> list[TableRule]:
        if isinstance(root, Scalar) and root.empty:
            self.problems.append(_empty(self.file, root.place))
            return []
        if not isinstance(root, Mapping):
            self.report(root, "a rule file is a mapping", "write keys such as `database:` and `tables:`")
            return []
        if not root.entries:
            self.problems.append(_empty(self.file, root.place))
            return []
        root = self.without_empty(root)
        sections = ("defaults", "tables", "gates")
        outer = Mapping(tuple(e for e in root.entries if e.key.value not in sections), root.place, root.path)
        top = self.model(RuleFile, outer)
        defaults = root.get("defaults") or Mapping((), root.place, ("defaults",))
        defaults = expand(defaults, Defaults)
        gates_node = root.get("gates")
        defaults_valid = self.model(Defaults, defaults) is not None
        gates = self.model(Gates, gates_node) if gates_node else Gates()
        tables = root.get("tables")
        if tables is None:
            return []
        if not isinstance(tables, Mapping):
            self.report(tables, "`tables` is a mapping", "write each table's name as a key under it")
            return []
        rules: list[TableRule] = []
        usable_defaults = defaults if defaults_valid else Mapping((), root.place, ("defaults",))
        for entry in tables.entries:
            rules += self.table(entry, usable_defaults, gates, top.database if top else None)
        return rules

    def table(
        self, entry: Entry, defaults: Node, gates: Gates | None, databases: tuple[str, ...] | None
    ) -> Iterator[TableRule]:
        try:
            name = parse_table_name(entry.key.text)
        except ValueError as error:
            message, _, hint = str(error).partition("; ")
            self.report(entry.key, message, hint)
            name = None
        own = entry.value
        if isinstance(own, Scalar) and own.value is None:
            own = Mapping((), own.place, own.path)
        if not isinstance(own, Mapping):
            self.report(own, "a table is a mapping", "write keys such as `phase:` under it")
            return
        own = expand(own, Table)
        merged = merge(defaults, own)
        settings = self.model(Table, merged)
        if settings is None or gates is None:
            return
        given = (frozenset(paths(own)), frozenset(paths(defaults)))
        for conflict in conflicts(settings, gates, given):
            self.report(locate(merged, conflict.at, own), conflict.message, conflict.hint)
        if name is None:
            return
        if settings.collection is None and (fault := collection_fault(default_collection(name))):
            self.report(
                entry.key,
                f"{default_collection(name)!r} cannot be a collection: {fault}",
                "name one under `collection`",
            )
        holding = effective_phase(settings.phase, force=settings.force, last_built=self.last_built)
        for database in databases or (None,):
            yield TableRule(
                replace(name, database=database), settings, gates, holding, entry.key.place, entry.key.text
            )

    def report(self, node: Node, message: str, hint: str) -> None:
        place = node.place
        self.problems.append(
            Problem(place.file, place.line, place.column, path_text(node.path), message, hint)
        )

    def without_empty(self, node: Mapping) -> Mapping:
        """The tree without keys that nothing stands after; each is reported. A table may be empty."""
        kept: list[Entry] = []
        for entry in node.entries:
            value = entry.value
            if isinstance(value, Scalar) and value.empty and node.path != ("tables",):
                hint = "write `tables: {}` where no table has rules" if value.path == ("tables",) else ""
                self.report(
                    entry.key,
                    f"nothing stands after `{entry.key.text}:`",
                    hint or "give it a value, or take the key out",
                )
                continue
            kept.append(Entry(entry.key, self.without_empty(value)) if isinstance(value, Mapping) else entry)
        return Mapping(tuple(kept), node.place, node.path)

    def model(self, model: type[M], node: Node) -> M | None:
        expanded = expand(node, model)
        try:
            return model.model_validate(yaml_marks.plain(expanded))
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                self.report_detail(model, expanded, detail)
            return None

    def report_detail(self, model: type[Section], root: Node, detail: ErrorDetails) -> None:
        location = tuple(part for part in detail["loc"] if part != "[key]")
        node = locate(root, location, root)
        message, hint = explain(model, location, node, detail)
        if detail["type"] == "extra_forbidden" or detail["loc"][-1:] == ("[key]",):
            parent = locate(root, location[:-1], root)
            entry = parent.entry(str(location[-1])) if isinstance(parent, Mapping) else None
            node = entry.key if entry else node
        self.report(node, message, hint)


def _same_table(rules: list[TableRule]) -> Iterator[Problem]:
    """Every table that two rules mean, reported at the later one."""
    for earlier, later in _clashes(rules, lambda rule: (rule.name.schema, rule.name.name)):
        table = replace(later.name, database=None)
        databases = {earlier.name.database, later.name.database}
        named = next((name for name in databases if name is not None), None)
        message = f"{table} has rules twice"
        hint = "keep one of them"
        if named is not None:
            message += f" for database {named}"
            if None in databases:
                hint += "; a file without `database` is for every database"
        place = later.place
        yield Problem(
            place.file,
            place.line,
            place.column,
            path_text(("tables", later.written)),
            f"{message}, first at {earlier.place}",
            hint,
        )


def _same_collection(rules: list[TableRule]) -> Iterator[Problem]:
    for earlier, later in _clashes(rules, lambda rule: rule.collection):
        if (earlier.name.schema, earlier.name.name) == (later.name.schema, later.name.name):
            continue
        place = later.place
        yield Problem(
            place.file,
            place.line,
            place.column,
            path_text(("tables", later.written)),
            f"{later.name} and {earlier.name} ({earlier.place}) would go to one collection, {later.collection}",
            "give one of them another `collection`",
        )


def _clashes(
    rules: list[TableRule], key: Callable[[TableRule], object]
) -> Iterator[tuple[TableRule, TableRule]]:
    """Pairs (earlier, later) with equal keys that a common database brings together; each later one once."""
    seen: dict[object, dict[str | None, TableRule]] = {}
    reported: set[Place] = set()
    for rule in rules:
        others = seen.setdefault(key(rule), {})
        database = rule.name.database
        overlapping = others.values() if database is None else (others.get(database), others.get(None))
        clash = next(filter(None, overlapping), None)
        if clash is not None and rule.place not in reported and clash.place != rule.place:
            reported.add(rule.place)
            yield clash, rule
        others.setdefault(database, rule)
