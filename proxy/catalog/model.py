"""A picture of the source's catalogue at one moment: what mirroring must know of tables, types, keys and roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from proxy.catalog.language import Language, Traits
from proxy.mirror.effects import Cause, TableId
from proxy.sql.model import Verb


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """A row of pg_type, as far as values of the type must be read and written."""

    oid: int
    schema: str
    name: str
    kind: str
    """typtype: b base, c composite, d domain, e enum, r range, m multirange, p pseudo."""
    category: str
    """typcategory; `A` is an array."""
    base: int = 0
    """Of a domain: the type beneath, never a domain itself."""
    base_typmod: int = -1
    element: int = 0
    """Of an array, range or multirange: the type of its elements."""
    delimiter: str = ","
    labels: tuple[str, ...] = ()
    """Of an enum, in sort order."""
    fields: tuple[tuple[str, int], ...] = ()
    """Of a composite: (name, type oid) of each attribute that is not dropped."""
    sendable: bool = True
    """Whether it has a binary output function."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column that is not dropped."""

    number: int
    """attnum, from 1; never used again once dropped."""
    name: str
    type_oid: int
    typmod: int
    not_null: bool
    has_default: bool
    generated: str = ""
    """'' | 's' stored | 'v' virtual."""
    identity: str = ""
    """'' | 'a' always | 'd' by default."""
    collation: str = ""
    """Name of its collation; '' where the type has none."""
    traits: Traits | None = None
    """Of its collation; None where the type has none."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A constraint by which rows of `child` follow rows of `parent`."""

    name: str
    parent: int
    child: int
    parent_columns: tuple[str, ...]
    child_columns: tuple[str, ...]
    on_delete: str
    """confdeltype: a no action, r restrict, c cascade, n set null, d set default."""
    on_update: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or anything else of pg_class a statement can name."""

    oid: int
    schema: str
    name: str
    kind: str
    """relkind: r table, p partitioned table, v view, m materialized view, f foreign table."""
    persistence: str
    """relpersistence: p permanent, u unlogged, t temporary."""
    attributes: tuple[Attribute, ...] = ()
    """In order of attnum; empty for relations that are neither ruled nor have effects on ruled ones."""
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    """Columns of valid, unconditional, immediate unique indexes on plain columns, all of them NOT NULL."""
    root: int = 0
    """Of a partition: the topmost partitioned table; else 0."""
    parents: tuple[int, ...] = ()
    """Plain inheritance: all tables it inherits from, directly or not."""
    children: tuple[int, ...] = ()
    """Partitions or inheritance children, all levels."""
    row_security: bool = False
    has_rules: bool = False
    """Rewrite rules other than a view's own."""

    @property
    def id(self) -> TableId:
        return TableId(self.schema, self.name)


class Reach(Enum):
    """How far what happens to another table can be told."""

    ROWS = "rows"
    """By the foreign key `SideEffect.foreign_key`: the rows that follow are known from the image."""
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class SideEffect:
    """What else a write to a relation may do to a ruled table."""

    table: int
    """oid of the ruled table, or of the next table on the way to one where `reach` is ROWS."""
    cause: Cause
    reach: Reach
    foreign_key: ForeignKey | None = None
    """An UPDATE that assigns none of its `parent_columns` has no such effect. With TABLE: of UPDATEs only."""
    detail: str = ""
    """The trigger, rule or constraint."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The catalogue of one database as one poll has found it."""

    database: str
    generation: int
    """Rises by one with every snapshot that differs from the one before."""
    system_identifier: str
    server_version: int
    """As server_version_num: 150004."""
    timeline: int
    wal_level: str
    relations: Mapping[int, Relation]
    """Ruled tables, their partitions, and everything whose name could be mistaken for one of them or whose change
    reaches one of them; by oid."""
    types: Mapping[int, TypeInfo]
    """Every type a column of `relations` needs, element, base and field types included."""
    by_name: Mapping[str, tuple[int, ...]]
    """Unqualified name -> oids of *all* relations of that name in the database, any schema and kind, temporary ones
    left out."""
    side_effects: Mapping[tuple[int, Verb], tuple[SideEffect, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """(relation oid, INSERT | UPDATE | DELETE) -> what else happens."""
    truncates: Mapping[int, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """oid -> oids of all tables TRUNCATE ... CASCADE on it empties too, itself left out."""
    truncate_effects: Mapping[int, tuple[SideEffect, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """oid -> what TRUNCATE triggers do, those of tables that CASCADE empties among them."""
    functions: Mapping[str, tuple[SideEffect, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Unqualified name of a function or procedure that may write -> the ruled tables it may write."""
    unreadable: Mapping[str, Mapping[int, str]] = field(default_factory=lambda: MappingProxyType({}))
    """Role -> {oid of a relation: why RETURNING on it is not safe for the role}. A role that is not in it is not
    known: nothing is safe for it."""
    invisible: Mapping[str, frozenset[int]] = field(default_factory=lambda: MappingProxyType({}))
    """Role -> oids of relations of which it may not see every row and column; roles without any are left out. It says
    nothing of roles that `unreadable` does not have."""
    search_paths: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Role -> the search_path a new session of it has, `"$user"` resolved; without pg_catalog and `unusable` ones."""
    unusable: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    """Role -> schemas of `relations` without USAGE for it, which PostgreSQL passes over in a search_path; roles that
    may use them all are left out."""
    watched: frozenset[str] = frozenset()
    """Names (of relations, functions) whose mention makes a statement worth parsing."""
    language: Language = field(default_factory=Language)

    def named(self, schema: str, name: str) -> Relation | None:
        """The relation schema.name, if the snapshot has it."""
        for oid in self.by_name.get(name, ()):
            relation = self.relations.get(oid)
            if relation is not None and relation.schema == schema:
                return relation
        return None
