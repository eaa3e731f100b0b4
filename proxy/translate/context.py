"""What binding one statement knows and collects: catalogue, parameters, scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from proxy.catalog.model import Relation, Snapshot
from proxy.mirror.tables import MirroredTable, TableBook
from proxy.sql.parse import Node, Source
from proxy.translate import types as t
from proxy.translate.api import SessionSettings, Unsupported
from proxy.translate.literals import Literals
from proxy.translate.tree import Scan
from proxy.translate.types import Types
from proxy.translate.values import Collation

CANONICAL = SessionSettings()


class Context:
    """Of one statement."""

    def __init__(
        self,
        source: Source,
        book: TableBook,
        database: str,
        search_path: Sequence[str],
        parameter_types: Sequence[int],
        literals: Literals | None = None,
    ) -> None:
        snapshot = book.snapshots.get(database)
        if snapshot is None:
            raise Unsupported("the catalogue of the database is not known")
        if snapshot.language.encoding != "UTF8":
            raise Unsupported("a database whose encoding is not UTF8")
        if "pg_catalog" in search_path[1:] or "pg_temp" in search_path:
            raise Unsupported("a search_path with pg_catalog or pg_temp in it")
        self.source = source
        self.literals = literals
        """What may stay open in the plan; None: nothing."""
        self.book = book
        self.database = database
        self.snapshot: Snapshot = snapshot
        self.search_path = tuple(search_path)
        self.types = Types(snapshot.types)
        self.default_collation = Collation("default", *snapshot.language.default)
        self.parameters = dict(enumerate((oid for oid in parameter_types), 1))
        self.scans: list[Scan] = []
        self.shared = 0
        self.uses: set[str] = set()
        """What the result depends on beside data and parameters."""

    def refuse(self, reason: str, node: Mapping[str, Any] | None = None) -> NoReturn:
        location = (node or {}).get("location", -1 if node is None else 0)
        place = None if not isinstance(location, int) or location < 0 else self.source.place(location)
        raise Unsupported(reason, place)

    def only(self, node: Node, known: Sequence[str], what: str) -> None:
        """Unsupported if a node has fields that nobody looks at."""
        for name in node:
            if name not in known and name != "location":
                self.refuse(f"{what}: {name}", node)

    def looked_at(self, constant: Node) -> None:
        """The plan depends on a constant of the text."""
        if self.literals is not None and constant.get("location", -1) >= 0:
            self.literals.pin_at(self.source.place(constant["location"]))

    def collation_of(self, oid: int) -> Collation | None:
        """Of a constant, or a value made anew."""
        return self.default_collation if self.collatable(oid) else None

    def collatable(self, oid: int) -> bool:
        return oid in t.STRINGS or self.types.element(oid) in t.STRINGS

    def parameter(self, number: int) -> int:
        """The type of a parameter, as far as it is known."""
        return self.parameters.setdefault(number, 0) or t.UNKNOWN

    def deduce(self, number: int, oid: int, node: Mapping[str, Any] | None = None) -> None:
        known = self.parameter(number)
        if known not in (t.UNKNOWN, oid):
            self.refuse("a parameter with more than one type", node)
        self.parameters[number] = oid

    def relation(self, node: Node) -> Relation | None:
        """The table a RangeVar names; None where no catalogue entry of that name is known."""
        name = node["relname"]
        if node.get("catalogname", self.database) != self.database:
            self.refuse("a table of another database", node)
        if "schemaname" in node:
            return self.snapshot.named(node["schemaname"], name)
        for schema in self.search_path:
            found = self.snapshot.named(schema, name)
            if found is not None:
                return found
        return None

    def table(self, node: Node) -> MirroredTable:
        """Unsupported for what has no documents, or not all its rows' documents in one collection."""
        relation = self.relation(node)
        if relation is None:
            self.refuse("a table that is not mirrored", node)
        found = self.book.named(self.database, relation.schema, relation.name)
        if found is None or found.relation.oid != relation.oid:
            self.refuse("a table that is not mirrored", node)
        if relation.row_security:
            self.refuse("a table with row security", node)
        if relation.has_rules:
            self.refuse("a table with rules", node)
        if relation.kind == "r" and relation.children and node.get("inh"):
            self.refuse("a table with children", node)
        if relation.kind == "p" and not node.get("inh"):
            self.refuse("ONLY of a partitioned table", node)
        return found
