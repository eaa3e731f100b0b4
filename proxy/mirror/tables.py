"""Which tables are mirrored, how, and what keeps the others from it. Pure.

A `TableBook` is made anew whenever the rules, a catalogue snapshot or the surroundings change, and never changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from proxy.catalog.model import Attribute, Relation, Snapshot
from proxy.documents.mapping import MappingRefused, Server, build_mapping
from proxy.documents.table_mapping import Problem, TableMapping
from proxy.names import TableName
from proxy.phases import LAST_BUILT, Holding, Phase, effective_phase
from proxy.rulefiles.ruleset import RuleSet, TableRule
from proxy.rulefiles.types import Durability

MAX_DATABASE_BYTES = 63
MAX_NAMESPACE_BYTES = 255
"""MongoDB's limits on the name of a database and on `database.collection`."""

RESERVED_DATABASES = frozenset({"admin", "local", "config", "_causeway"})

_IMPOSSIBLE_IN_DATABASE = '/\\. "$\0'

TOMBSTONES = "_causeway.tombstones.{}.{}"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a proxy has been given, as far as mirroring depends on it."""

    store: bool
    spool: bool
    control_dsn: bool
    control_role: str = ""
    """Of `control_dsn`: rows are read again as this role. Empty where it is not known."""
    catalogue_errors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Database -> why its catalogue has not been read."""
    held: Mapping[str, str] | None = field(default_factory=lambda: MappingProxyType({}))
    """`database.schema.table` -> why it may not enter `dark_read`; None: not known yet."""
    switch: Switchboard = field(default_factory=lambda: Switchboard())
    """The same of `primary_switch`."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Why a table may not be in a phase; nothing: it may."""

    reasons: tuple[str, ...] = ()
    """Those that `force` overrides."""
    firm: tuple[str, ...] = ()
    """Those that it does not."""


UNKNOWN = Closed(firm=("the store has not told yet whether it may be served from there",))
OPEN = Closed()


@dataclass(frozen=True, slots=True)
class Switchboard:
    """Which tables may be in `primary_switch`."""

    tables: Mapping[str, Closed] = field(default_factory=lambda: MappingProxyType({}))
    """By `database.schema.table`."""
    others: Closed = OPEN

    def at(self, name: TableName) -> Closed:
        return self.tables.get(str(name), self.others)


class MirroredTable:
    """One table of one database whose writes go to the store."""

    __slots__ = ("_by_shape", "database", "layouts", "mapping", "relation", "rule", "snapshot")

    def __init__(
        self,
        database: str,
        relation: Relation,
        rule: TableRule,
        mapping: TableMapping,
        snapshot: Snapshot,
        layouts: Mapping[int, TableMapping] = MappingProxyType({}),
    ) -> None:
        self.database = database
        self.relation = relation
        self.rule = rule
        self.mapping = mapping
        """Of rows as the table itself gives them, in UTF8."""
        self.snapshot = snapshot
        self.layouts = layouts
        """Partition -> the mapping of rows as a statement on the partition gives them, where their columns stand in
        another order."""
        self._by_shape: dict[tuple[tuple[Attribute, ...], int, str], TableMapping | None] = {}

    @property
    def name(self) -> TableName:
        return TableName(self.relation.schema, self.relation.name, self.database)

    def mapping_of(
        self,
        oids: Sequence[int],
        *,
        relation: int = 0,
        shapes: Sequence[tuple[Attribute, ...]] = (),
        encoding: str = "UTF8",
    ) -> TableMapping | None:
        """The mapping that fits a row with these types, or None.

        `relation`: its tableoid, a partition's maybe. `shapes`: what attributes the relation has had, newest first.
        `encoding`: PostgreSQL's name of the encoding the row's text is in.
        """
        if encoding == "UTF8":
            if self.mapping.fits(oids):
                return self.mapping
            layout = self.layouts.get(relation)
            if layout is not None and layout.fits(oids):
                return layout
        partition = self.snapshot.relations.get(relation)
        current = [self.relation.attributes]
        if partition is not None and relation in self.layouts:
            current.append(partition.attributes)
        for attributes in (*current, *shapes):
            if tuple(attribute.type_oid for attribute in attributes) != tuple(oids):
                continue
            mapping = self._shaped(attributes, relation, encoding)
            if mapping is not None:
                return mapping
        return None

    def _shaped(self, attributes: tuple[Attribute, ...], relation: int, encoding: str) -> TableMapping | None:
        known = (attributes, relation, encoding)
        if known not in self._by_shape:
            server = Server(self.database, encoding)
            try:
                self._by_shape[known] = build_mapping(
                    replace(self.relation, attributes=attributes), self.rule, self.snapshot.types, server
                )
            except MappingRefused:
                self._by_shape[known] = None
        return self._by_shape[known]


@dataclass(frozen=True, slots=True)
class RuledTable:
    """What became of one rule in one database."""

    name: TableName
    """With the database."""
    rule: TableRule
    holding: Holding
    mirrored: MirroredTable | None = None
    """Where the effective phase mirrors."""
    refused: tuple[Problem, ...] = ()
    """What is in the way of a mapping."""
    warnings: tuple[Problem, ...] = ()


class TableBook:
    """Every ruled table of every database whose snapshot is known."""

    __slots__ = ("_by_oid", "ruled", "rules", "snapshots")

    def __init__(
        self,
        rules: RuleSet,
        snapshots: Mapping[str, Snapshot],
        surroundings: Surroundings,
        *,
        last_built: Phase = LAST_BUILT,
    ) -> None:
        self.rules = rules
        self.snapshots = snapshots
        ruled: dict[TableName, RuledTable] = {}
        self._by_oid: dict[tuple[str, int], MirroredTable] = {}
        databases = {*snapshots, *surroundings.catalogue_errors}
        databases.update(name.database for name in rules.tables if name.database is not None)
        for database in sorted(databases):
            judge = _Judge(database, snapshots, surroundings, last_built)
            for rule in rules.for_database(database).values():
                table = judge.table(rule)
                ruled[table.name] = table
                if table.mirrored is not None:
                    relation = table.mirrored.relation
                    self._by_oid[database, relation.oid] = table.mirrored
                    if relation.kind == "p":
                        for child in relation.children:
                            self._by_oid[database, child] = table.mirrored
        self.ruled: Mapping[TableName, RuledTable] = MappingProxyType(ruled)

    def at(self, database: str, tableoid: int) -> MirroredTable | None:
        """The mirrored table a row belongs to: partitions count to the table at their root."""
        return self._by_oid.get((database, tableoid))

    def named(self, database: str, schema: str, table: str) -> MirroredTable | None:
        """The mirrored table of that name."""
        ruled = self.ruled.get(TableName(schema, table, database))
        return None if ruled is None else ruled.mirrored

    def holding(self, database: str, schema: str, table: str) -> Holding | None:
        """None where no rule is about the table."""
        ruled = self.ruled.get(TableName(schema, table, database))
        return None if ruled is None else ruled.holding

    def mirrored(self, database: str | None = None) -> Iterator[MirroredTable]:
        """All mirrored tables, or those of one database."""
        for name, table in self.ruled.items():
            if table.mirrored is not None and database in (None, name.database):
                yield table.mirrored


class _Judge:
    """Judges the rules of one database."""

    def __init__(
        self,
        database: str,
        snapshots: Mapping[str, Snapshot],
        surroundings: Surroundings,
        last_built: Phase,
    ) -> None:
        self.database = database
        self.snapshot = snapshots.get(database)
        self.surroundings = surroundings
        self.last_built = last_built
        self.database_fault = database_fault(database, snapshots)

    def table(self, rule: TableRule) -> RuledTable:
        name = replace(rule.name, database=self.database)
        if rule.phase is Phase.PASSTHROUGH:
            return RuledTable(name, rule, rule.holding)
        reasons = list(self.around(rule))
        refused: tuple[Problem, ...] = ()
        mirrored: MirroredTable | None = None
        relation = None if self.snapshot is None else self.snapshot.named(rule.name.schema, rule.name.name)
        if self.snapshot is not None and relation is None:
            reasons.append(f"the table is not in database {self.database}")
        elif self.snapshot is not None and relation is not None:
            reasons += self.of_relation(relation, self.snapshot)
            if relation.kind in "rp":
                try:
                    mirrored = self.mirror(relation, rule, self.snapshot)
                except MappingRefused as error:
                    refused = error.problems
                    reasons += map(str, refused)
        warnings = () if mirrored is None else mirrored.mapping.warnings
        switch = self.surroundings.switch.at(name)
        holding = effective_phase(
            rule.phase,
            closed={
                Phase.DUAL_WRITE: reasons,
                Phase.DARK_READ: self.before_dark_read(name),
                Phase.PRIMARY_SWITCH: switch.reasons,
            },
            firm={Phase.PRIMARY_SWITCH: switch.firm},
            # Nothing of this can be forced: there would be nowhere to write to, or nothing to write.
            force=rule.force and not reasons,
            last_built=self.last_built,
        )
        if holding.effective < Phase.DUAL_WRITE:
            mirrored = None
        return RuledTable(name, rule, holding, mirrored, refused, warnings)

    def around(self, rule: TableRule) -> Iterator[str]:
        """What is in the way whatever the table is."""
        given = self.surroundings
        if not given.store:
            yield "no `store` is given"
        if not given.control_dsn:
            yield "no `control_dsn` is given, so the catalogue cannot be read"
        elif self.snapshot is None:
            yield given.catalogue_errors.get(
                self.database, f"the catalogue of {self.database} has not been read yet"
            )
        if rule.durability is Durability.STRICT and not given.spool:
            yield "`durability: strict` needs a `spool`; give one, or write `durability: fast`"
        if self.database_fault:
            yield self.database_fault
        tombstones = len(TOMBSTONES.format(self.database, rule.collection).encode())
        if tombstones > MAX_NAMESPACE_BYTES:
            over = tombstones - MAX_NAMESPACE_BYTES
            yield (
                f"the collection's name is {over} bytes too long for its tombstones; "
                "name a shorter one under `collection`"
            )

    def before_dark_read(self, name: TableName) -> list[str]:
        """Comparing reads of documents that are known not to be all there would find nothing but that."""
        held = self.surroundings.held
        if held is None:
            return ["the store has not told yet whether its history was copied"]
        return [held[str(name)]] if str(name) in held else []

    def of_relation(self, relation: Relation, snapshot: Snapshot) -> Iterator[str]:
        kinds = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}
        if relation.kind not in "rp":
            yield f"it is {kinds.get(relation.kind, 'not a table')}; only tables are mirrored"
        if relation.persistence == "u":
            yield "it is unlogged: without WAL its rows have no versions"
        elif relation.persistence == "t":
            yield "it is a temporary table"
        if relation.root:
            root = snapshot.relations.get(relation.root)
            yield f"it is a partition{'' if root is None else f' of {root.schema}.{root.name}'}; rule that table"
        unlogged = [
            child.name
            for oid in relation.children
            if relation.kind == "p"
            and (child := snapshot.relations.get(oid)) is not None
            and child.persistence == "u"
        ]
        if unlogged:
            yield f"its partition {unlogged[0]} is unlogged: without WAL its rows have no versions"
        if snapshot.wal_level == "minimal":
            yield "wal_level is minimal: bulk writes may leave rows without versions; set it to replica"
        role = self.surroundings.control_role
        why = snapshot.unreadable.get(role, {}).get(relation.oid) if role else None
        if why:
            yield f"role {role} of `control_dsn` cannot read it: {why}"

    def mirror(self, relation: Relation, rule: TableRule, snapshot: Snapshot) -> MirroredTable:
        """MappingRefused where rows cannot become documents, or cannot be told apart."""
        server = Server(self.database)
        mapping = build_mapping(relation, rule, snapshot.types, server)
        layouts: dict[int, TableMapping] = {}
        for child in self.partitions(relation, snapshot):
            names = tuple(attribute.name for attribute in child.attributes)
            if names == mapping.attributes:
                continue
            layout = build_mapping(
                replace(relation, attributes=child.attributes), rule, snapshot.types, server
            )
            if layout.fits(mapping.oids):
                raise MappingRefused(
                    [
                        Problem(
                            mapping.table,
                            "",
                            f"its partition {child.schema}.{child.name} has columns of the same types in another "
                            "order, so its rows cannot be told from those of the table",
                        )
                    ]
                )
            layouts[child.oid] = layout
        return MirroredTable(self.database, relation, rule, mapping, snapshot, MappingProxyType(layouts))

    @staticmethod
    def partitions(relation: Relation, snapshot: Snapshot) -> Iterator[Relation]:
        if relation.kind == "p":
            for oid in relation.children:
                child = snapshot.relations.get(oid)
                if child is not None and child.attributes:
                    yield child


def database_fault(database: str, others: Mapping[str, object]) -> str:
    """Why MongoDB would not have a database of this name beside the others; empty where it would."""
    if database in RESERVED_DATABASES:
        return f"database {database}: MongoDB or Causeway uses a database of this name itself"
    if len(database.encode()) > MAX_DATABASE_BYTES:
        return f"database {database}: MongoDB allows {MAX_DATABASE_BYTES} bytes for a name"
    wrong = next((char for char in database if char in _IMPOSSIBLE_IN_DATABASE), None)
    if wrong is not None or not database:
        return f"database {database}: MongoDB allows no {wrong!r} in the name of a database"
    twin = next((other for other in others if other != database and other.lower() == database.lower()), None)
    if twin is not None:
        return f"database {database}: MongoDB does not tell it from {twin}"
    return ""
