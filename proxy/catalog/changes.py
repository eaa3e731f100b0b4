"""What a change of the catalogue means for documents that were written before it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from proxy.catalog.model import Attribute, Relation, Snapshot, TypeInfo
from proxy.mirror.effects import TableId


class Verdict(Enum):
    BENIGN = "benign"
    """Every document still is its row."""
    GAP = "gap"
    """Some may not be: cause `Cause.DDL`, the whole table."""


@dataclass(frozen=True, slots=True)
class Change:
    table: TableId
    verdict: Verdict
    detail: str
    unless_empty: int = 0
    """oid of a relation: there is no gap if it has no rows."""


class Rule(Protocol):
    """As much of a table's rule as decides what its documents look like."""

    @property
    def key(self) -> tuple[str, ...] | None: ...
    @property
    def rename(self) -> Mapping[str, str]: ...
    @property
    def exclude(self) -> tuple[str, ...]: ...


def changes(old: Snapshot, new: Snapshot, rules: Mapping[TableId, Rule]) -> tuple[Change, ...]:
    """By table. Tables that neither snapshot has say nothing."""
    found: list[Change] = []
    elsewhere = old.system_identifier != new.system_identifier
    for table, rule in rules.items():
        before, after = old.named(table.schema, table.name), new.named(table.schema, table.name)
        if before is None and after is None:
            continue
        if elsewhere:
            found.append(_gap(table, "the source is another cluster: dump and restore, or an upgrade"))
        elif after is None:
            found.append(_gap(table, "dropped or renamed"))
        elif before is None:
            found.append(Change(table, Verdict.GAP, "created, or renamed to this name", after.oid))
        elif before.oid != after.oid:
            found.append(_gap(table, "replaced by another table of the same name"))
        elif before is not after:
            found += _of_table(table, rule, before, after, old, new)
    return tuple(found)


def _of_table(
    table: TableId, rule: Rule, before: Relation, after: Relation, old: Snapshot, new: Snapshot
) -> Iterable[Change]:
    if before.kind != after.kind:
        yield _gap(table, "became another kind of relation")
        return
    yield from _of_key(table, rule, before, after)
    columns = {attribute.number: attribute for attribute in before.attributes}
    for attribute in after.attributes:
        former = columns.pop(attribute.number, None)
        if former is None:
            yield _added(table, rule, attribute)
        elif former.name not in rule.exclude or attribute.name not in rule.exclude:
            yield from _of_column(table, rule, former, attribute, old, new)
    for gone in columns.values():
        if gone.name in rule.exclude:
            yield Change(table, Verdict.BENIGN, f"column {gone.name}, which is excluded, dropped")
        else:
            yield _gap(table, f"column {gone.name} dropped; documents still have its field")
    if after.kind == "p":
        yield from _of_partitions(table, before, after, new)
    if before.persistence != after.persistence:
        now = "unlogged" if after.persistence == "u" else "logged"
        yield Change(table, Verdict.BENIGN, f"now {now}")


def _of_key(table: TableId, rule: Rule, before: Relation, after: Relation) -> Iterable[Change]:
    """By number, for a rename of a key column does not change the key."""
    if _numbers(before, rule.key or before.primary_key) != _numbers(after, rule.key or after.primary_key):
        yield _gap(table, "the key is another")


def _numbers(relation: Relation, columns: Iterable[str]) -> tuple[int, ...]:
    by_name = {attribute.name: attribute.number for attribute in relation.attributes}
    return tuple(by_name.get(column, 0) for column in columns)


def _added(table: TableId, rule: Rule, attribute: Attribute) -> Change:
    detail = f"column {attribute.name} added"
    if attribute.name in rule.exclude:
        return Change(table, Verdict.BENIGN, f"{detail}; it is excluded")
    if attribute.has_default or attribute.generated or attribute.identity or attribute.not_null:
        return _gap(table, f"{detail} with a value in every row; documents lack its field")
    return Change(table, Verdict.BENIGN, f"{detail}, NULL in every row; a missing field reads as NULL")


def _of_column(
    table: TableId, rule: Rule, before: Attribute, after: Attribute, old: Snapshot, new: Snapshot
) -> Iterable[Change]:
    if (before.name in rule.exclude) != (after.name in rule.exclude):
        yield _gap(table, f"column {before.name} renamed to {after.name}, and only one of them is excluded")
        return
    if before.name != after.name:
        fields = [rule.rename.get(name, name) for name in (before.name, after.name)]
        detail = f"column {before.name} renamed to {after.name}"
        if fields[0] == fields[1]:
            yield Change(table, Verdict.BENIGN, f"{detail}; the rules keep the field {fields[1]}")
        else:
            yield _gap(table, f"{detail}; documents still have field {fields[0]}")
    if before.type_oid != after.type_oid or before.typmod != after.typmod:
        detail = f"column {after.name} changed its type from {_type(before, old)} to {_type(after, new)}"
        if _same_documents(before, after):
            yield Change(table, Verdict.BENIGN, f"{detail}, which leaves every value as it is")
        else:
            yield _gap(table, detail)
    elif reason := _type_changed(after.type_oid, old.types, new.types, set()):
        yield _gap(table, f"column {after.name}: {reason}")
    if before.generated and not after.generated:
        yield Change(table, Verdict.BENIGN, f"column {after.name} is no longer generated")
    elif after.generated and not before.generated:
        yield _gap(table, f"column {after.name} became generated")


_TEXT, _VARCHAR, _NUMERIC, _VARBIT = 25, 1043, 1700, 1562
_TIMES = frozenset({1083, 1114, 1184, 1266})
"""time, timestamp, timestamptz, timetz: typmod is the number of fractional digits."""


def _same_documents(before: Attribute, after: Attribute) -> bool:
    """Whether ALTER TYPE cannot have changed a value or its encoding."""
    if before.type_oid == _VARCHAR and after.type_oid == _TEXT:
        return True
    if before.type_oid == _TEXT and after.type_oid == _VARCHAR:
        return after.typmod == -1
    if before.type_oid != after.type_oid:
        return False
    if after.typmod == -1:
        return before.type_oid in {_VARCHAR, _NUMERIC, _VARBIT} | _TIMES
    if before.typmod == -1:
        return False
    if before.type_oid == _NUMERIC:
        same_scale = (before.typmod - 4) & 0xFFFF == (after.typmod - 4) & 0xFFFF
        return same_scale and before.typmod <= after.typmod
    return before.type_oid in {_VARCHAR, _VARBIT} | _TIMES and before.typmod <= after.typmod


def _type_changed(oid: int, old: Mapping[int, TypeInfo], new: Mapping[int, TypeInfo], seen: set[int]) -> str:
    """Why values of a type may have got another text though the type is the same; empty: they have not."""
    before, after = old.get(oid), new.get(oid)
    if before is None or after is None or oid in seen:
        return ""
    seen.add(oid)
    if lost := [label for label in before.labels if label not in after.labels]:
        return f"label {lost[0]} of type {after.name} renamed"
    if [part for _, part in before.fields] != [part for _, part in after.fields]:
        return f"attributes of type {after.name} changed"
    for part in (after.base, after.element, *(part for _, part in after.fields)):
        if part and (reason := _type_changed(part, old, new, seen)):
            return reason
    return ""


def _of_partitions(table: TableId, before: Relation, after: Relation, new: Snapshot) -> Iterable[Change]:
    for oid in sorted(set(after.children) - set(before.children)):
        child = new.relations.get(oid)
        if child is not None and child.kind != "p":
            yield Change(table, Verdict.GAP, f"partition {child.name} created or attached", oid)
    for _ in set(before.children) - set(after.children):
        yield _gap(table, "a partition was detached or dropped; documents still have its rows")
        return


def _type(attribute: Attribute, snapshot: Snapshot) -> str:
    info = snapshot.types.get(attribute.type_oid)
    name = info.name if info is not None else str(attribute.type_oid)
    if attribute.typmod == -1:
        return name
    if attribute.type_oid == _NUMERIC:
        precision, scale = divmod(attribute.typmod - 4, 1 << 16)
        return f"{name}({precision},{(scale & 0x7FF ^ 0x400) - 0x400})"
    return f"{name}({attribute.typmod - 4 if attribute.type_oid in (_VARCHAR, 1042) else attribute.typmod})"


def _gap(table: TableId, detail: str) -> Change:
    return Change(table, Verdict.GAP, detail)
