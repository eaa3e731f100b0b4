"""The rules in force: immutable, complete, found by database, schema and table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from proxy.names import TableName
from proxy.phases import Holding, Phase
from proxy.rulefiles.problems import Place
from proxy.rulefiles.schema import Ack, AutoRollback, Gates, Reads, Shadow, Table, Verify
from proxy.rulefiles.types import Durability

DIGEST_FORMAT = 1
"""Raised when the same rules get another digest; digests of different formats cannot be compared."""


@dataclass(frozen=True, slots=True, eq=False)
class TableRule:
    """Everything the rules say about one table; nothing is left to look up elsewhere."""

    name: TableName
    """With the database where the file names one."""
    settings: Table
    """The table's own settings with the file's defaults beneath them."""
    gates: Gates
    holding: Holding
    """As far as the rules and this version decide; gates are judged where the fleet is known."""
    place: Place
    """Where the table stands in its file."""
    written: str
    """The table's key as it stands there."""

    @property
    def phase(self) -> Phase:
        """The requested phase."""
        return self.settings.phase

    @property
    def effective(self) -> Phase:
        return self.holding.effective

    @property
    def force(self) -> bool:
        return self.settings.force

    @property
    def collection(self) -> str:
        return self.settings.collection or default_collection(self.name)

    @property
    def key(self) -> tuple[str, ...] | None:
        """None: the primary key."""
        return self.settings.key

    @property
    def rename(self) -> Mapping[str, str]:
        return self.settings.rename

    @property
    def exclude(self) -> tuple[str, ...]:
        return self.settings.exclude

    @property
    def last_modified(self) -> str | None:
        return self.settings.last_modified

    @property
    def ack(self) -> Ack:
        return self.settings.ack

    @property
    def durability(self) -> Durability:
        return self.settings.durability

    @property
    def shadow(self) -> Shadow:
        return self.settings.shadow

    @property
    def reads(self) -> Reads:
        return self.settings.reads

    @property
    def auto_rollback(self) -> AutoRollback | None:
        return self.settings.auto_rollback

    @property
    def verify(self) -> Verify | None:
        return self.settings.verify

    def content(self) -> dict[str, Any]:
        """What the digest covers; JSON-able."""
        return {
            "table": [self.name.database, self.name.schema, self.name.name],
            "settings": self.settings.model_dump(mode="json"),
            "gates": self.gates.model_dump(mode="json"),
        }


def default_collection(name: TableName) -> str:
    return name.name if name.schema == "public" else f"{name.schema}.{name.name}"


class RuleSet:
    """All rules at one moment. Compares and hashes by what the rules say, not by where they are written."""

    __slots__ = ("_by_database", "_everywhere", "digest", "files", "needs_sql", "source", "tables")

    digest: str
    """16 hexadecimal digits; the same for the same rules wherever they are written, in whatever order."""
    tables: Mapping[TableName, TableRule]
    """By name; a name without database holds for every database. No two of them mean the same table."""
    needs_sql: bool
    """Some table's effective phase is past passthrough, so statements must be looked at."""
    source: str
    """The file or directory as given; empty for no rules."""
    files: tuple[str, ...]
    _everywhere: Mapping[tuple[str, str], TableRule]
    _by_database: Mapping[str, Mapping[tuple[str, str], TableRule]]

    def __init__(
        self, rules: Iterable[TableRule] = (), *, source: str = "", files: Iterable[str] = ()
    ) -> None:
        ordered = sorted(rules, key=lambda rule: _order(rule.name))
        content = json.dumps([DIGEST_FORMAT, [rule.content() for rule in ordered]], sort_keys=True)
        everywhere = {(r.name.schema, r.name.name): r for r in ordered if r.name.database is None}
        by_database: dict[str, dict[tuple[str, str], TableRule]] = {}
        for rule in ordered:
            if rule.name.database is not None:
                mine = by_database.setdefault(rule.name.database, dict(everywhere))
                mine[rule.name.schema, rule.name.name] = rule
        put = object.__setattr__
        put(self, "digest", hashlib.sha256(content.encode()).hexdigest()[:16])
        put(self, "tables", MappingProxyType({rule.name: rule for rule in ordered}))
        put(self, "needs_sql", any(rule.effective > Phase.PASSTHROUGH for rule in ordered))
        put(self, "source", source)
        put(self, "files", tuple(files))
        put(self, "_everywhere", MappingProxyType(everywhere))
        put(self, "_by_database", {name: MappingProxyType(mine) for name, mine in by_database.items()})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a RuleSet does not change; load another")

    def for_database(self, database: str) -> Mapping[tuple[str, str], TableRule]:
        """The rules of one database by (schema, table), those for every database among them."""
        return self._by_database.get(database, self._everywhere)

    def lookup(self, database: str, schema: str, table: str) -> TableRule | None:
        return self.for_database(database).get((schema, table))

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, RuleSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<RuleSet {self.digest} of {self.source or 'nothing'}: {len(self.tables)} tables>"


def _order(name: TableName) -> tuple[str, str, str]:
    return (name.database or "", name.schema, name.name)
