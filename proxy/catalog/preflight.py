"""What would be captured of each ruled table, what would be a gap, and why: said before a table is mirrored. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from proxy.catalog.changes import Rule
from proxy.catalog.model import Reach, Relation, SideEffect, Snapshot
from proxy.catalog.partitions import differing_partitions
from proxy.mirror.effects import Cause, TableId
from proxy.sql.model import Verb

ROLES_NAMED = 5
"""In one finding; the others are counted."""


class Outcome(Enum):
    """In order: a table is as bad as its worst finding."""

    OK = "ok"
    WARNING = "warning"
    """It can be mirrored; some writes will be gaps."""
    FAILED = "failed"
    """It cannot be mirrored."""


_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}


@dataclass(frozen=True, slots=True)
class Finding:
    outcome: Outcome
    subject: str
    """What it is about: `capture`, `table`, `key`, `column`, `wal_level`, `rows`, or the name of a `Cause`."""
    detail: str


@dataclass(frozen=True, slots=True)
class TableReport:
    table: TableId
    findings: tuple[Finding, ...]

    @property
    def outcome(self) -> Outcome:
        return max((finding.outcome for finding in self.findings), key=_RANK.__getitem__, default=Outcome.OK)


Refusals = Mapping[TableId, Sequence[tuple[str, str]]]
"""Why the rows of a table cannot be documents: (column, reason)."""


def preflight(
    snapshot: Snapshot, rules: Mapping[TableId, Rule], refusals: Refusals = MappingProxyType({})
) -> tuple[TableReport, ...]:
    """One report for each rule, in the order of the rules."""
    reports = []
    for table, rule in rules.items():
        relation = snapshot.named(table.schema, table.name)
        if relation is None:
            findings = [_failed("table", f"database {snapshot.database} has no such table")]
        else:
            findings = [*_barriers(snapshot, relation, rule), *_refused(refusals.get(table, ()))]
            if not findings:
                findings = [_captured(snapshot, relation), *_gaps(snapshot, relation)]
        reports.append(TableReport(table, tuple(findings)))
    return tuple(reports)


_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}


def _barriers(snapshot: Snapshot, relation: Relation, rule: Rule) -> Iterable[Finding]:
    """What keeps the table from being mirrored at all."""
    if relation.kind not in ("r", "p"):
        yield _failed("table", f"is {_KINDS.get(relation.kind, 'no table')}; name the tables beneath it")
        return
    if relation.root:
        root = snapshot.relations.get(relation.root)
        name = f"{root.schema}.{root.name}" if root is not None else "another table"
        yield _failed("table", f"is a partition of {name}; give that one a rule")
    if relation.persistence == "u":
        yield _failed("table", "is unlogged, so its rows have no WAL position; ALTER TABLE ... SET LOGGED")
    if snapshot.wal_level == "minimal":
        yield _failed(
            "wal_level", "is minimal; rows may be written without WAL; set it to replica or logical"
        )
    yield from _key(relation, rule)


def _key(relation: Relation, rule: Rule) -> Iterable[Finding]:
    columns = {attribute.name for attribute in relation.attributes}
    if rule.key is None:
        if not relation.primary_key:
            choice = " or ".join(f"({', '.join(key)})" for key in relation.unique_keys)
            hint = f"; the rule can say `key`: {choice}" if choice else "; add a primary key"
            yield _failed("key", f"there is no primary key{hint}")
    elif missing := [column for column in rule.key if column not in columns]:
        yield _failed("key", f"the rule's key names column {missing[0]}, which the table does not have")
    elif not any(set(key) == set(rule.key) for key in relation.unique_keys):
        yield _failed(
            "key",
            f"({', '.join(rule.key)}) has no unique index over NOT NULL columns that is checked at once",
        )


def _refused(problems: Sequence[tuple[str, str]]) -> Iterable[Finding]:
    for column, reason in problems:
        yield _failed("column", f"{column}: {reason}" if column else reason)


def _captured(snapshot: Snapshot, relation: Relation) -> Finding:
    verbs = "INSERT, UPDATE, DELETE" + (" and MERGE" if snapshot.server_version >= 170000 else "")
    partitions = sum(
        1 for oid in relation.children if snapshot.relations.get(oid, relation).root == relation.oid
    )
    where = f" through it and its {partitions} partitions" if partitions else ""
    if relation.has_rules:
        return Finding(Outcome.WARNING, Cause.RULE.value, "has rewrite rules: every write is a gap")
    return Finding(Outcome.OK, "capture", f"{verbs}{where} are captured; so is TRUNCATE")


def _gaps(snapshot: Snapshot, relation: Relation) -> Iterable[Finding]:
    """What will not be seen."""
    if snapshot.server_version < 180000:
        key = ", ".join(relation.primary_key)
        detail = f"an UPDATE that changes the key{f' ({key})' if key else ''} is a gap unless WHERE gives the old key"
        yield Finding(Outcome.OK, Cause.KEY_CHANGE.value, detail)
    inherited = [
        oid for oid in relation.children if oid in snapshot.relations and not snapshot.relations[oid].root
    ]
    if inherited:
        name = snapshot.relations[inherited[0]].name
        yield _warning("rows", f"rows of {name}, which inherits from it, are not mirrored with it")
    foreign = [
        oid for oid in relation.children if (child := snapshot.relations.get(oid)) and child.kind == "f"
    ]
    if foreign:
        name = snapshot.relations[foreign[0]].name
        yield _warning("rows", f"partition {name} is a foreign table, whose rows have no WAL position here")
    for child in differing_partitions(snapshot, relation):
        detail = f"writes that name partition {child.name} are gaps: its columns stand in another order"
        yield _warning(Cause.INHERITANCE.value, detail)
    yield from _effects(snapshot, relation)
    yield from _privileges(snapshot, relation)


def _effects(snapshot: Snapshot, relation: Relation) -> Iterable[Finding]:
    """Everything that reaches the table from elsewhere, each cause once, with the writes that set it off."""
    found: dict[tuple[Cause, str, Reach], list[str]] = {}

    def add(effect: SideEffect, by: str) -> None:
        if effect.table == relation.oid:
            sources = found.setdefault((effect.cause, effect.detail, effect.reach), [])
            if by not in sources:
                sources.append(by)

    for (oid, verb), effects in snapshot.side_effects.items():
        for effect in effects:
            add(effect, f"{_VERBS[verb]} on {_name(snapshot, oid)}")
    for oid, effects in snapshot.truncate_effects.items():
        for effect in effects:
            add(effect, f"TRUNCATE of {_name(snapshot, oid)}")
    for name, effects in snapshot.functions.items():
        for effect in effects:
            add(effect, f"a call of {name}")
    for (cause, detail, reach), by in found.items():
        if reach is Reach.ROWS:
            text = (
                f"{detail}: the rows that follow {_listed(by)} are read again, and the gap closes by itself"
            )
            yield Finding(Outcome.OK, cause.value, text)
        else:
            yield _warning(cause.value, f"{detail}: {_listed(by)} may change it unseen")


_VERBS = {Verb.INSERT: "INSERT", Verb.UPDATE: "UPDATE", Verb.DELETE: "DELETE", Verb.MERGE: "MERGE"}


def _privileges(snapshot: Snapshot, relation: Relation) -> Iterable[Finding]:
    named = [relation.oid]
    named += [oid for oid in relation.children if snapshot.relations.get(oid, relation).root == relation.oid]
    for oid in named:
        roles: dict[str, list[str]] = {}
        for role, reasons in snapshot.unreadable.items():
            if oid in reasons and not role.startswith("pg_"):  # PostgreSQL's own, which nobody logs in as
                roles.setdefault(reasons[oid], []).append(role)
        where = "" if oid == relation.oid else f" on partition {snapshot.relations[oid].name}"
        for reason, names in roles.items():
            yield _warning(
                Cause.PRIVILEGE.value, f"writes{where} by {_listed(sorted(names))} are gaps: {reason}"
            )


def _name(snapshot: Snapshot, oid: int) -> str:
    relation = snapshot.relations.get(oid)
    return f"{relation.schema}.{relation.name}" if relation is not None else str(oid)


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:ROLES_NAMED])
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _failed(subject: str, detail: str) -> Finding:
    return Finding(Outcome.FAILED, subject, detail)


def _warning(subject: str, detail: str) -> Finding:
    return Finding(Outcome.WARNING, subject, detail)
