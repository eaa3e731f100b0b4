"""What the mirror must know of each relation it meets, looked up once for each picture of tables and catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from proxy.catalog.model import Attribute, Snapshot
from proxy.documents.table_mapping import TableMapping
from proxy.mirror.cascades import followed_columns
from proxy.mirror.effects import TableId
from proxy.mirror.lane import Lane
from proxy.mirror.lanes import Lanes
from proxy.mirror.meters import Meters, TableMeter
from proxy.mirror.passing import Passing, passing
from proxy.mirror.tables import MirroredTable, RuledTable, TableBook
from proxy.names import TableName
from proxy.phases import Phase
from proxy.rulefiles.types import Durability
from proxy.sql.model import Verb


class ShapeBook(Protocol):
    def shapes(self, database: str, oid: int) -> Sequence[tuple[Attribute, ...]]:
        """The lists of columns a relation was seen with, newest first."""


class Target:
    """A relation whose rows become documents, or would if its table were not held back."""

    __slots__ = (
        "_followed",
        "_mapping",
        "_mirrored",
        "_shapes",
        "held_back",
        "lane",
        "meter",
        "oid",
        "snapshot",
        "strict",
        "table",
    )

    def __init__(
        self,
        table: TableId,
        oid: int,
        meter: TableMeter,
        *,
        strict: bool,
        snapshot: Snapshot | None,
        mirrored: MirroredTable | None = None,
        lane: Lane | None = None,
        held_back: str = "",
        shapes: ShapeBook | None = None,
    ) -> None:
        self.table = table
        self.oid = oid
        """Of the relation itself: a partition's, where `table` is the table at its root."""
        self.meter = meter
        self.strict = strict
        self.snapshot = snapshot
        self.lane = lane
        """None: rules ask for the table to be mirrored, and it is not now."""
        self.held_back = held_back
        """Why it is not."""
        self._mirrored = mirrored
        self._mapping = None if mirrored is None else mirrored.mapping
        self._shapes = shapes
        self._followed: dict[Verb, tuple[str, ...]] = {}

    def mapping(self, oids: tuple[int, ...]) -> TableMapping | None:
        """For a row of these types, as the table is or lately was."""
        mapping = self._mapping
        if mapping is None or mapping.oids == oids:
            return mapping
        assert self._mirrored is not None
        oid = self._mirrored.relation.oid
        shapes = () if self._shapes is None else self._shapes.shapes(self._mirrored.database, oid)
        return self._mirrored.mapping_of(oids, relation=self.oid, shapes=shapes)

    def followed(self, verb: Verb) -> tuple[str, ...]:
        """Columns whose old values tell which rows of other tables change with a row."""
        columns = self._followed.get(verb)
        if columns is None:
            columns = () if self.snapshot is None else followed_columns(self.snapshot, self.oid, verb)
            self._followed[verb] = columns
        return columns


class Targets:
    """Belongs to one mirror."""

    def __init__(
        self, tables: Callable[[], TableBook], shapes: ShapeBook, lanes: Lanes, meters: Meters
    ) -> None:
        """`tables` gives the book in force; it is asked all the time and another object when anything has changed."""
        self._tables = tables
        self._shapes = shapes
        self._lanes = lanes
        self._meters = meters
        self._book: TableBook | None = None
        self._by_oid: dict[tuple[str, bytes], Target | None] = {}
        self._by_id: dict[tuple[str, TableId], Target | None] = {}
        self._passing: dict[tuple[str, bytes], Passing | None] = {}
        self._strict: dict[str, bool] = {}
        self._foreign: dict[str, set[bytes]] = {}
        """Per database, relations that a look at the catalogue did not find."""

    def by_oid(self, database: str, oid: bytes) -> Target | None:
        """Of the relation an image was written to; None where its rows are nobody's business, or it is not known."""
        book = self._tables()
        if book is not self._book:
            self._renew(book)
        place = (database, oid)
        try:
            return self._by_oid[place]
        except KeyError:
            target = self._by_oid[place] = self._find(book, database, int.from_bytes(oid))
            return target

    def passing(self, database: str, oid: bytes) -> Passing | None:
        """Of a relation without a target: whether rows of mirrored tables follow its own."""
        place = (database, oid)
        if place not in self._passing:
            snapshot = self._tables().snapshots.get(database)
            self._passing[place] = None if snapshot is None else passing(snapshot, int.from_bytes(oid))
        return self._passing[place]

    def by_id(self, database: str, table: TableId) -> Target | None:
        book = self._tables()
        if book is not self._book:
            self._renew(book)
        place = (database, table)
        if place not in self._by_id:
            ruled = book.ruled.get(TableName(table.schema, table.name, database))
            self._by_id[place] = None if ruled is None else self._of_rule(book, database, ruled)
        return self._by_id[place]

    def all(self, database: str) -> Iterable[Target]:
        """Of every table of the database that rules ask to be mirrored."""
        for name in list(self._tables().ruled):
            if name.database == database:
                target = self.by_id(database, TableId(name.schema, name.name))
                if target is not None:
                    yield target

    @property
    def databases(self) -> set[str]:
        """Those of which rules and catalogue are known."""
        return {name.database for name in self._tables().ruled if name.database is not None}

    def unknown_is_strict(self, database: str, oid: bytes) -> bool:
        """Whether a relation that `by_oid` does not give must be taken for one of a strict table."""
        if self.settled(database, oid) and self.passing(database, oid) is None:
            return False
        if database not in self._strict:
            self._strict[database] = any(target.strict for target in self.all(database))
        return self._strict[database]

    def settled(self, database: str, oid: bytes) -> bool:
        """Whether the catalogue as it is known tells that the relation's rows are nobody's business."""
        book = self._tables()
        snapshot = book.snapshots.get(database)
        if snapshot is None:
            return False
        return int.from_bytes(oid) in snapshot.relations or oid in self._foreign.get(database, ())

    def looked(self, database: str, oid: bytes) -> None:
        """A look at the catalogue that began after the image came has not found the relation."""
        self._foreign.setdefault(database, set()).add(oid)

    def mirrored(self, database: str) -> Callable[[TableId], bool]:
        def is_mirrored(table: TableId) -> bool:
            target = self.by_id(database, table)
            return target is not None and target.lane is not None

        return is_mirrored

    def _renew(self, book: TableBook) -> None:
        self._book = book
        self._by_oid.clear()
        self._by_id.clear()
        self._passing.clear()
        self._strict.clear()
        self._foreign.clear()

    def _find(self, book: TableBook, database: str, oid: int) -> Target | None:
        mirrored = book.at(database, oid)
        if mirrored is not None:
            return self._mirrored(mirrored, oid)
        snapshot = book.snapshots.get(database)
        relation = None if snapshot is None else snapshot.relations.get(oid)
        if snapshot is None or relation is None:
            return None
        top = snapshot.relations.get(relation.root, relation)
        ruled = book.ruled.get(TableName(top.schema, top.name, database))
        return None if ruled is None else self._of_rule(book, database, ruled, oid)

    def _of_rule(
        self, book: TableBook, database: str, ruled: RuledTable, oid: int | None = None
    ) -> Target | None:
        if ruled.rule.phase is Phase.PASSTHROUGH:
            return None
        if ruled.mirrored is not None:
            return self._mirrored(ruled.mirrored, ruled.mirrored.relation.oid if oid is None else oid)
        name = TableName(ruled.name.schema, ruled.name.name)
        return Target(
            TableId(name.schema, name.name),
            oid or 0,
            self._meters.table(database, str(name)),
            strict=ruled.rule.durability is Durability.STRICT,
            snapshot=book.snapshots.get(database),
            held_back="; ".join(ruled.holding.reasons),
        )

    def _mirrored(self, mirrored: MirroredTable, oid: int) -> Target:
        table = mirrored.relation.id
        meter = self._meters.table(mirrored.database, mirrored.mapping.table)
        lane = self._lanes.lane(mirrored.mapping.namespace, mirrored.database, table, meter)
        return Target(
            table,
            oid,
            meter,
            strict=mirrored.rule.durability is Durability.STRICT,
            snapshot=mirrored.snapshot,
            mirrored=mirrored,
            lane=lane,
            shapes=self._shapes,
        )
