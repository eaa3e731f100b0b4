"""Which indexes the documents of a table should have: those of its rows, as far as a document store has their like.

Unique ones are proposed as plain ones. Until `decommission` PostgreSQL sees to uniqueness, and mirrored writes of
different keys may arrive in another order than they happened: a unique index would reject one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from proxy.backfill.index_catalogue import SourceIndex
from proxy.backfill.index_predicates import ENUM, Untranslatable, partial_filter
from proxy.documents.table_mapping import NotMirrored
from proxy.mirror.tables import MirroredTable
from proxy.stores.identity import identity
from proxy.stores.protocol import Index

MAX_INDEXES = 64
"""Of one collection: MongoDB's limit, that on `_id` among them."""
MAX_FIELDS = 32
"""Of one compound index."""

JSONB = 3802
VECTORS = frozenset({22, 30})
ORDERED = frozenset({16, 17, 20, 21, 23, 700, 701, 1082, 1083, 1114, 1184, 1700, 2950})
"""Types, by oid, whose values the store sorts as PostgreSQL does. Texts are looked at by their collation."""
TEXTS = frozenset({18, 19, 25, 1042, 1043})
BINARY_COLLATIONS = frozenset({"", "C", "POSIX", "ucs_basic", "pg_c_utf8"})

PLAIN_UNTIL = "unique in PostgreSQL; plain here until decommission"


class Standing(Enum):
    """What becomes of one index of PostgreSQL."""

    THERE = "there"
    MISSING = "missing"
    CREATED = "created"
    DIFFERENT = "different"
    """The collection has another one in its place; nothing is changed."""
    BY_ID = "by _id"
    """The index on `_id`, which every collection has, does what it does."""
    NOT_TRANSLATED = "not translated"
    FAILED = "failed"

    @property
    def is_failure(self) -> bool:
        """Whether something was to be made and is not there."""
        return self is Standing.FAILED


@dataclass(frozen=True, slots=True)
class Proposal:
    """One index of PostgreSQL, and what the collection has or should have for it."""

    source: SourceIndex
    standing: Standing
    index: Index | None = None
    """None where the store cannot have it, or need not."""
    notes: tuple[str, ...] = ()
    """Reasons, and what is not the same."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All indexes of a table and of its collection."""

    table: str
    collection: str
    proposals: tuple[Proposal, ...]
    others: tuple[Index, ...] = ()
    """What the collection has beside them."""
    warnings: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Proposal, ...]:
        return tuple(one for one in self.proposals if one.standing is Standing.MISSING)


def plan_indexes(table: MirroredTable, sources: Sequence[SourceIndex], there: Sequence[Index]) -> Plan:
    """`sources`: the table's, and those single partitions have. `there`: the collection's, but that on `_id`."""
    proposals: list[Proposal] = []
    for source in sources:
        try:
            index, notes = _translated(table, source)
        except Untranslatable as error:
            proposals.append(Proposal(source, Standing.NOT_TRANSLATED, None, (str(error),)))
            continue
        if index is None:
            proposals.append(Proposal(source, Standing.BY_ID, None, notes))
        else:
            proposals.append(_placed(source, index, notes, there, proposals))
    mine = [one.index for one in proposals if one.standing is Standing.THERE and one.index is not None]
    others = tuple(one for one in there if not any(_same(one, known) for known in mine))
    return Plan(
        str(table.name),
        str(table.mapping.namespace),
        tuple(proposals),
        others,
        tuple(_warnings(proposals, there)),
    )


def standing_after(plan: Plan, results: dict[str, str | None]) -> Plan:
    """`results`: by name of the index, None where it was created, else why it was not."""
    proposals = []
    for one in plan.proposals:
        if one.standing is Standing.MISSING and one.index is not None and one.index.name in results:
            why = results[one.index.name]
            standing = Standing.CREATED if why is None else Standing.FAILED
            one = replace(one, standing=standing, notes=one.notes if why is None else (why, *one.notes))
        proposals.append(one)
    return replace(plan, proposals=tuple(proposals))


def _translated(table: MirroredTable, source: SourceIndex) -> tuple[Index | None, tuple[str, ...]]:
    """None for what the index on `_id` does. Untranslatable with the reason."""
    _refuse(table, source)
    mapping = table.mapping
    notes: list[str] = []
    keys: list[tuple[str, int | str]] = []
    for part in source.parts:
        try:
            field = mapping.field_of(part.column)
        except NotMirrored:
            raise Untranslatable(f"documents do not have column {part.column}") from None
        if field not in (name for name, _ in keys):
            keys.append((field, -1 if part.descending else 1))
    if source.unique:
        notes.append(PLAIN_UNTIL)
    if [field for field, _ in keys] == ["_id"] and source.predicate is None:
        return None, ()
    if keys[0][0] == "_id" and source.predicate is None and source.unique:
        notes.append("begins with the key: the index on _id may be all that is needed")
    unordered = [part.column for part in source.parts if not _sorts_alike(table, part.column)]
    if unordered:
        notes.append(
            f"documents may sort {', '.join(unordered)} otherwise than PostgreSQL; equality is the same"
        )
    if source.included:
        notes.append(f"without the columns of INCLUDE: {', '.join(source.included)}")
    partial = None
    if source.predicate is not None:
        try:
            partial = partial_filter(source.predicate, mapping, _base_types(table))
        except Untranslatable as error:
            notes.append(f"of all documents, not only those WHERE {source.predicate}: {error}")
    return Index(_name(source.name), tuple(keys), partial=partial), tuple(notes)


def _refuse(table: MirroredTable, source: SourceIndex) -> None:
    """Untranslatable for what no index of the store is like."""
    if source.relation != table.relation.oid:
        partition = table.snapshot.relations.get(source.relation)
        name = "one partition" if partition is None else f"partition {partition.schema}.{partition.name}"
        raise Untranslatable(f"only {name} has it, and all partitions are one collection")
    if not source.valid:
        raise Untranslatable("it is not valid in PostgreSQL (a build that failed, or is not done)")
    if source.method != "btree":
        raise Untranslatable(f"the store has no index like {source.method}")
    for part in source.parts:
        if not part.column:
            raise Untranslatable(f"it is on an expression: {part.definition}")
    types = _base_types(table)
    for part in source.parts:
        if types.get(part.column) == JSONB or _is_array(table, part.column):
            raise Untranslatable(
                f"{part.column} may hold arrays, which the store indexes by their elements; "
                "an index on two such columns would make it refuse documents"
            )
    if len(source.parts) > MAX_FIELDS:
        raise Untranslatable(f"the store takes {MAX_FIELDS} fields in an index")


def _placed(
    source: SourceIndex,
    index: Index,
    notes: tuple[str, ...],
    there: Sequence[Index],
    before: Sequence[Proposal],
) -> Proposal:
    """Beside what the collection has, and what is proposed already."""
    for other in before:
        if other.index is not None and _same(other.index, index):
            return Proposal(source, other.standing, other.index, (f"the same as {other.source.name}", *notes))
    for known in there:
        if not _alike(known, index):
            continue
        if _same(known, index):
            return Proposal(source, Standing.THERE, known, notes)
        return Proposal(
            source,
            Standing.DIFFERENT,
            index,
            (f"the collection has {known.name}, which is {_traits(known)}", *notes),
        )
    if any(known.name == index.name for known in there):
        reason = f"the collection has an index {index.name} on other fields; drop it first"
        return Proposal(source, Standing.DIFFERENT, index, (reason, *notes))
    return Proposal(source, Standing.MISSING, index, notes)


def _warnings(proposals: Sequence[Proposal], there: Sequence[Index]) -> list[str]:
    warnings = [
        f"index {one.name} of the collection is unique: before decommission it may reject mirrored writes, "
        "which may arrive in another order than they happened; drop it"
        for one in there
        if one.unique
    ]
    missing = {one.index.name for one in proposals if one.standing is Standing.MISSING and one.index}
    count = 1 + len(there) + len(missing)
    if count > MAX_INDEXES:
        warnings.append(f"that would be {count} indexes; the store takes {MAX_INDEXES} for a collection")
    return warnings


def _alike(one: Index, other: Index) -> bool:
    """Whether a store refuses to have both: the same fields and the same filter."""
    return one.keys == other.keys and identity(one.partial) == identity(other.partial)


def _same(one: Index, other: Index) -> bool:
    return _alike(one, other) and (one.unique, one.sparse) == (other.unique, other.sparse)


def _traits(index: Index) -> str:
    traits = [name for name, given in (("unique", index.unique), ("sparse", index.sparse)) if given]
    return " and ".join(traits) or "plain"


def _name(name: str) -> str:
    """The name PostgreSQL gives it; `_id_` is that of the index on `_id`, and `*` means all."""
    return f"{name}_index" if name in ("_id_", "*") else name


def _sorts_alike(table: MirroredTable, column: str) -> bool:
    base = _base_types(table).get(column)
    if base in TEXTS:
        attribute = next(one for one in table.relation.attributes if one.name == column)
        return attribute.collation in BINARY_COLLATIONS
    return base in ORDERED


def _is_array(table: MirroredTable, column: str) -> bool:
    base = _base_types(table).get(column, -1)
    info = table.snapshot.types.get(base)
    return base in VECTORS or (info is not None and info.category == "A")


def _base_types(table: MirroredTable) -> dict[str, int]:
    """The oid of each column's type, that beneath a domain, `ENUM` for an enum."""
    found = {}
    for attribute in table.relation.attributes:
        oid = attribute.type_oid
        info = table.snapshot.types.get(oid)
        if info is not None and info.base:
            oid = info.base
            info = table.snapshot.types.get(oid)
        found[attribute.name] = ENUM if info is not None and info.kind == "e" else oid
    return found
