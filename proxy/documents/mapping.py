"""Making the mapping of a table from the catalogue and its rule, or every reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxy.catalog.model import Attribute, Relation, TypeInfo
from proxy.documents.codec import Codec
from proxy.documents.table_mapping import Column, Problem, TableMapping
from proxy.documents.types import SESSION_DEPENDENT, NoCodec, codec_of
from proxy.names import quote_identifier
from proxy.rulefiles.ruleset import TableRule
from proxy.rulefiles.types import RESERVED_FIELDS
from proxy.stores.protocol import Namespace
from proxy.wire.encodings import UnknownEncoding, python_encoding


@dataclass(frozen=True, slots=True)
class Server:
    """What a mapping must know of the server beside a table and its types."""

    database: str
    """The PostgreSQL database, which names the store's database as well."""
    encoding: str = "UTF8"
    """In which the text of images comes: the client encoding of the session that took them."""


class MappingRefused(Exception):
    """The rows of a table cannot become documents. `problems` has every reason."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


def build_mapping(
    relation: Relation, rule: TableRule, types: Mapping[int, TypeInfo], server: Server
) -> TableMapping:
    """The mapping of a table as the rule wants it. MappingRefused with everything that is in its way."""
    return _Builder(relation, rule, types, server).build()


class _Builder:
    """Collects problems while a mapping is made."""

    def __init__(
        self, relation: Relation, rule: TableRule, types: Mapping[int, TypeInfo], server: Server
    ) -> None:
        self.relation = relation
        self.rule = rule
        self.types = types
        self.server = server
        self.table = f"{quote_identifier(relation.schema)}.{quote_identifier(relation.name)}"
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def refuse(self, column: str, reason: str) -> None:
        self.problems.append(Problem(self.table, column, reason))

    def build(self) -> TableMapping:
        try:
            encoding = python_encoding(self.server.encoding)
        except UnknownEncoding as error:
            raise MappingRefused([Problem(self.table, "", str(error))]) from None
        names = tuple(attribute.name for attribute in self.relation.attributes)
        key = self.key(names)
        self.unknown_columns(names)
        columns, hidden = [], {}
        for position, attribute in enumerate(self.relation.attributes):
            excluded = attribute.name in self.rule.exclude
            codec = self.codec(attribute, encoding, keyed=attribute.name in key, silent=excluded)
            if codec is None:
                continue
            column = Column(attribute.name, self.field(attribute.name, key), position, codec)
            if excluded:
                hidden[attribute.name] = column
            else:
                columns.append(column)
        self.collisions(columns, key)
        for name in key:
            if name in self.rule.exclude:
                self.refuse(name, "it is a column of the key and cannot be excluded")
        if self.problems:
            raise MappingRefused(self.problems)
        return TableMapping(
            Namespace(self.server.database, self.rule.collection),
            self.table,
            tuple(columns),
            key,
            tuple(attribute.type_oid for attribute in self.relation.attributes),
            names,
            tuple(self.warnings),
            hidden,
            encoding,
        )

    def key(self, names: Sequence[str]) -> tuple[str, ...]:
        relation, chosen = self.relation, self.rule.key
        if chosen is None:
            if not relation.primary_key:
                self.refuse(
                    "", "it has no primary key; name unique NOT NULL columns under `key`, if there are any"
                )
            if not set(relation.primary_key) <= set(names):
                self.refuse("", "the columns of its primary key are not known")
            return relation.primary_key
        missing = [name for name in chosen if name not in names]
        for name in missing:
            self.refuse(name, "`key` names it, but the table has no such column")
        keys = [relation.primary_key, *relation.unique_keys]
        if not missing and not any(set(chosen) == set(columns) for columns in keys if columns):
            self.refuse(
                "",
                f"`key` names {', '.join(chosen)}, but no unique index is on exactly these columns, all NOT NULL",
            )
        return () if missing else chosen

    def unknown_columns(self, names: Sequence[str]) -> None:
        mentioned = {"exclude": self.rule.exclude, "rename": tuple(self.rule.rename)}
        if self.rule.last_modified:
            mentioned["last_modified"] = (self.rule.last_modified,)
        for setting, columns in mentioned.items():
            for name in columns:
                if name not in names:
                    self.warnings.append(
                        Problem(self.table, name, f"`{setting}` names it, but the table has no such column")
                    )

    def codec(self, attribute: Attribute, encoding: str, *, keyed: bool, silent: bool) -> Codec | None:
        info = self.types.get(attribute.type_oid)
        if info is not None and not info.sendable:
            self.refuse(
                attribute.name,
                "its type has no binary output function, so rows of the table cannot be captured; change its type",
            )
            return None
        try:
            codec = codec_of(attribute.type_oid, attribute.typmod, self.types, encoding)
        except NoCodec as error:
            if not silent:
                self.refuse(attribute.name, f"{error}; exclude the column, or change its type")
            return None
        if keyed and (codec.key is None or not codec.binary):
            shown = f"type {info.name}" if info else "its type"
            self.refuse(
                attribute.name, f"values of {shown} cannot identify a document; choose another unique `key`"
            )
        if not silent and (setting := SESSION_DEPENDENT.get(attribute.type_oid)):
            self.warnings.append(
                Problem(
                    self.table,
                    attribute.name,
                    f"the text of its values depends on {setting} of the session that writes them, "
                    "and so does the document",
                )
            )
        return codec

    def field(self, column: str, key: Sequence[str]) -> str:
        renamed = self.rule.rename.get(column)
        if list(key) == [column]:
            if renamed is not None and renamed != "_id":
                self.refuse(column, "it is the whole key and becomes _id; take it out of `rename`")
            return "_id"
        return column if renamed is None else renamed

    def collisions(self, columns: Sequence[Column], key: Sequence[str]) -> None:
        taken: dict[str, str] = {}
        for column in columns:
            if column.field in taken:
                self.refuse(
                    column.name,
                    f"it and {taken[column.field]} would both be the field {column.field}; `rename` one of them",
                )
                continue
            taken[column.field] = column.name
            if list(key) == [column.name]:
                continue
            if column.field in RESERVED_FIELDS or column.field.startswith("$") or "." in column.field:
                self.refuse(
                    column.name,
                    f"{column.field} cannot be a field of a document; `rename` it to a name without dots and $",
                )
