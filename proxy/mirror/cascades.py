"""What follows from a changed row by foreign keys: the rows of other tables that PostgreSQL changes with it. Pure.

PostgreSQL carries out ON DELETE and ON UPDATE actions inside the statement, where RETURNING does not see them
(PostgreSQL manual, 5.5.5 "Foreign Keys"). The rows concerned are those whose referencing columns held what the parent
row held, so they are known from the parent's old values, and can be read again.

A table on the way that is not mirrored has no documents, so which of its rows were there cannot be known any more:
what is behind it can be named only as far as its own key is made of the columns one came by; else any row of the
table behind it may have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from proxy.catalog.model import ForeignKey, Reach, Relation, SideEffect, Snapshot
from proxy.mirror.effects import Cause, Rows, TableId, Unseen
from proxy.sql.model import Verb

Values = Mapping[str, str | None]
"""Columns of one row, as their text output."""
IsMirrored = Callable[[TableId], bool]

_SET_OR_CASCADE = frozenset("cnd")
_DELETES = "c"


def followed_columns(snapshot: Snapshot, oid: int, verb: Verb) -> tuple[str, ...]:
    """The columns of a relation whose old values `following` needs, for an UPDATE or DELETE; mostly none."""
    columns: dict[str, None] = {}
    for effect in effects_of(snapshot, oid, verb):
        if effect.foreign_key is not None:
            columns.update(dict.fromkeys(effect.foreign_key.parent_columns))
    return tuple(columns)


def following(
    snapshot: Snapshot,
    oid: int,
    verb: Verb,
    old: Values | None,
    new: Values | None,
    mirrored: IsMirrored,
    *,
    wide: bool = False,
) -> list[Unseen]:
    """What else happened when the row `old` of relation `oid` became `new` (None: it was not there, it is gone).

    `old` and `new` need `followed_columns` only; where one of them is missing, any row of the child may have changed.
    `wide`: also effects that reach a whole table (triggers, rules), which a captured statement has told of itself.
    """
    found: list[Unseen] = []
    for effect in effects_of(snapshot, oid, verb):
        key = effect.foreign_key
        if effect.reach is Reach.TABLE or key is None:
            if wide:
                found += _whole(snapshot, effect, mirrored)
            continue
        if old is None or _action(key, verb) not in _SET_OR_CASCADE:
            continue
        rows = _referencing(key, old, new if verb is Verb.UPDATE else None)
        if rows is None or rows.values:
            found += _reach(snapshot, key, verb, rows, mirrored, frozenset({_top(snapshot, oid)}))
    return found


def behind(snapshot: Snapshot, unseen: Unseen, mirrored: IsMirrored) -> list[Unseen]:
    """What may have changed behind a table whose documents cannot tell, all its rows in `unseen` changed or gone."""
    relation = snapshot.named(unseen.table.schema, unseen.table.name)
    if relation is None:
        return []
    columns = frozenset() if unseen.rows is None else frozenset(unseen.rows.columns)
    seen = frozenset({_top(snapshot, relation.oid)})
    found = _beyond(snapshot, relation, Verb.DELETE, unseen.rows, columns, mirrored, seen)
    found += _beyond(snapshot, relation, Verb.UPDATE, unseen.rows, columns, mirrored, seen)
    return gathered(found)


def gathered(found: Iterable[Unseen]) -> list[Unseen]:
    """The same with the rows of one table, cause and columns in one, and no value twice."""
    values: dict[tuple[Cause, TableId, tuple[str, ...] | None], dict[tuple[str | None, ...], None]] = {}
    details: dict[tuple[Cause, TableId, tuple[str, ...] | None], str] = {}
    for unseen in found:
        columns = None if unseen.rows is None else unseen.rows.columns
        place = (unseen.cause, unseen.table, columns)
        details.setdefault(place, unseen.detail)
        kept = values.setdefault(place, {})
        if unseen.rows is not None:
            kept.update(dict.fromkeys(unseen.rows.values))
    return [
        Unseen(cause, table, None if columns is None else Rows(columns, tuple(kept)), details[place])
        for place, kept in values.items()
        for cause, table, columns in [place]
    ]


def effects_of(snapshot: Snapshot, oid: int, verb: Verb) -> Sequence[SideEffect]:
    """Of a relation and, if it is a partition, of the table it is a part of; each once."""
    own = snapshot.side_effects.get((oid, verb), ())
    top = _top(snapshot, oid)
    if top == oid:
        return own
    above = snapshot.side_effects.get((top, verb), ())
    return own if not above else tuple(dict.fromkeys(above + own))


def _referencing(key: ForeignKey, old: Values, new: Values | None) -> Rows | None:
    """The children's rows; no values where nothing refers to the row, None where that is not known.

    A key with a NULL in it is referred to by no row (MATCH SIMPLE and FULL alike).
    """
    if any(column not in old for column in key.parent_columns):
        return None
    before = tuple(old[column] for column in key.parent_columns)
    if new is not None and all(column in new for column in key.parent_columns):
        unchanged = before == tuple(new[column] for column in key.parent_columns)
    else:
        unchanged = False
    return Rows(key.child_columns, () if unchanged or None in before else (before,))


def _reach(
    snapshot: Snapshot,
    key: ForeignKey,
    verb: Verb,
    rows: Rows | None,
    mirrored: IsMirrored,
    seen: frozenset[int],
) -> list[Unseen]:
    """The rows of the key's child, or what is behind it."""
    child = snapshot.relations.get(_top(snapshot, key.child))
    if child is None:
        return []
    if mirrored(child.id):
        return [Unseen(Cause.CASCADE, child.id, rows, f"foreign key {key.name}")]
    if child.oid in seen:
        return []
    deleted = verb is Verb.DELETE and key.on_delete == _DELETES
    return _beyond(
        snapshot,
        child,
        Verb.DELETE if deleted else Verb.UPDATE,
        rows,
        frozenset(key.child_columns),
        mirrored,
        seen | {child.oid},
    )


def _beyond(
    snapshot: Snapshot,
    relation: Relation,
    verb: Verb,
    rows: Rows | None,
    changed: frozenset[str],
    mirrored: IsMirrored,
    seen: frozenset[int],
) -> list[Unseen]:
    """Behind rows of `relation` that were deleted, or had `changed` changed."""
    found: list[Unseen] = []
    for effect in effects_of(snapshot, relation.oid, verb):
        key = effect.foreign_key
        if effect.reach is Reach.TABLE or key is None:
            found += _whole(snapshot, effect, mirrored)
            continue
        if _action(key, verb) not in _SET_OR_CASCADE:
            continue
        if verb is Verb.UPDATE and changed and not changed.intersection(key.parent_columns):
            continue
        onward = None
        if rows is not None and set(rows.columns) <= set(key.parent_columns):
            places = [key.parent_columns.index(column) for column in rows.columns]
            onward = Rows(tuple(key.child_columns[place] for place in places), rows.values)
        found += _reach(snapshot, key, verb, onward, mirrored, seen)
    return found


def _whole(snapshot: Snapshot, effect: SideEffect, mirrored: IsMirrored) -> list[Unseen]:
    table = snapshot.relations.get(_top(snapshot, effect.table))
    if table is None or not mirrored(table.id):
        return []
    return [Unseen(effect.cause, table.id, None, effect.detail)]


def _action(key: ForeignKey, verb: Verb) -> str:
    return key.on_delete if verb is Verb.DELETE else key.on_update


def _top(snapshot: Snapshot, oid: int) -> int:
    relation = snapshot.relations.get(oid)
    return relation.root or oid if relation is not None else oid
