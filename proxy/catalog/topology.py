"""How the relations and functions of one database hang together: the raw material of `side_effects`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from proxy.catalog.function_source import FunctionText
from proxy.catalog.model import ForeignKey
from proxy.mirror.effects import TableId
from proxy.names import quote_identifier
from proxy.sql.model import Verb


@dataclass(frozen=True, slots=True)
class Node:
    """A row of pg_class that is no index, sequence or the like, and not temporary."""

    oid: int
    schema: str
    name: str
    kind: str
    persistence: str
    row_security: bool
    partition: bool

    @property
    def id(self) -> TableId:
        return TableId(self.schema, self.name)

    def __str__(self) -> str:
        return f"{quote_identifier(self.schema)}.{quote_identifier(self.name)}"


@dataclass(frozen=True, slots=True)
class Trigger:
    """One that fires and is not PostgreSQL's own; those PostgreSQL copies to partitions are left out."""

    relation: int
    name: str
    row: bool
    verbs: frozenset[Verb]
    truncate: bool
    function: int


@dataclass(frozen=True, slots=True)
class Function:
    oid: int
    schema: str
    name: str
    text: FunctionText
    callable: bool = True
    """False for trigger functions, which no statement can call."""

    def __str__(self) -> str:
        return f"{quote_identifier(self.schema)}.{quote_identifier(self.name)}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rewrite rule."""

    relation: int
    name: str
    verb: Verb | None
    """None: the rule that makes a view one."""
    relations: tuple[int, ...]
    """Those it names, its own left out."""
    functions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Topology:
    server_version: int
    nodes: Mapping[int, Node]
    inherits: Mapping[int, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """oid -> its direct parents: the partitioned table, or the tables it inherits from."""
    foreign_keys: tuple[ForeignKey, ...] = ()
    """All of them; those PostgreSQL copies to partitions are left out."""
    triggers: tuple[Trigger, ...] = ()
    functions: Mapping[int, Function] = field(default_factory=lambda: MappingProxyType({}))
    rules: tuple[Rule, ...] = ()
    uses: tuple[tuple[int, int], ...] = ()
    """(relation, function) where a column default or CHECK constraint calls the function."""


class Family:
    """Who is whose partition or inheritance child."""

    def __init__(self, topology: Topology) -> None:
        self._nodes = topology.nodes
        self._parents = topology.inherits
        self._children: dict[int, list[int]] = {}
        for child, parents in topology.inherits.items():
            for parent in parents:
                self._children.setdefault(parent, []).append(child)

    def descendants(self, oid: int) -> tuple[int, ...]:
        """All levels, in order of oid."""
        return self._walk(oid, self._children)

    def ancestors(self, oid: int) -> tuple[int, ...]:
        return self._walk(oid, self._parents)

    def partitioned_ancestors(self, oid: int) -> tuple[int, ...]:
        """Those whose row triggers and foreign keys hold for a partition too."""
        node = self._nodes.get(oid)
        return self.ancestors(oid) if node is not None and node.partition else ()

    def root(self, oid: int) -> int:
        """The topmost partitioned table of a partition; 0 where `oid` is none."""
        found = 0
        while (node := self._nodes.get(oid)) is not None and node.partition:
            parents = self._parents.get(oid, ())
            if not parents:  # being detached
                break
            found = oid = parents[0]
        return found

    def _walk(
        self, oid: int, edges: Mapping[int, list[int]] | Mapping[int, tuple[int, ...]]
    ) -> tuple[int, ...]:
        seen: set[int] = set()
        waiting = list(edges.get(oid, ()))
        while waiting:
            one = waiting.pop()
            if one not in seen and one in self._nodes:
                seen.add(one)
                waiting.extend(edges.get(one, ()))
        seen.discard(oid)
        return tuple(sorted(seen))
