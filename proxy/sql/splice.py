"""The expression appended to a write's RETURNING clause, and where it goes.

It is one bytea column: `record_send` of a row of HEADER_FIELDS fields, then the target's columns in order of their
numbers, dropped ones left out. Its type never changes, whatever becomes of the table, so a prepared statement that
carries it outlives DDL as it would have without (`RETURNING t.*` would not).

| field | type | |
|---|---|---|
| 1 | oid | `tableoid`: the relation really written, a partition as such |
| 2 | pg_lsn | WAL insert position once the row's own record is written |
| 3 | text | name of the WAL file; its first 8 digits are the timeline |
| 4 | xid8 | the transaction |
| 5 | text | of MERGE what was done to this row: INSERT, UPDATE or DELETE; else NULL |
| 6 | text | the row in text form, where asked for; else NULL |
| 7 | bytea | `record_send` of the row as it was before, where asked for; else NULL |

Where OLD is asked for, a row that was inserted has one too: all its fields are NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from proxy.sql.model import Verb, Write

HEADER_FIELDS = 7

OWN_OLD = '"causeway_old"'
"""What the old row is called where another relation of the statement is called `old`."""

_POSITION = "pg_catalog.pg_current_wal_insert_lsn()"

Edit = tuple[int, str]
"""(offset in the text, what to put there)."""


class OldUnreachable(ValueError):
    """The statement has a relation called `old` and a RETURNING clause of its own: no name means the old row."""


def expression(write: Write, *, text: bool, old: bool) -> str:
    """The expression. `old` needs PostgreSQL 18, a MERGE 17.

    Every type among the target's columns needs a binary output function, or the statement would fail. Raises
    OldUnreachable.
    """
    row = f"{write.reference}.*"
    fields = (
        f"{write.reference}.tableoid",
        _POSITION,
        f"pg_catalog.pg_walfile_name({_POSITION})",
        "pg_catalog.pg_current_xact_id()",
        "MERGE_ACTION()" if write.verb is Verb.MERGE else "NULL::pg_catalog.text",
        f"ROW({row})::pg_catalog.text" if text else "NULL::pg_catalog.text",
        f"pg_catalog.record_send(ROW({_old_name(write)}.*))" if old else "NULL::pg_catalog.bytea",
        row,
    )
    return f"pg_catalog.record_send(ROW({', '.join(fields)}))"


def insertion(write: Write, *, text: bool, old: bool) -> str:
    """What to put at the statement's `end`: a RETURNING clause, or one more item for the client's own."""
    if write.returning:
        return ", " + expression(write, text=text, old=old)
    options = f"WITH (OLD AS {OWN_OLD}) " if old and write.old_hidden else ""
    return f" RETURNING {options}{expression(write, text=text, old=old)}"


def spliced(text: str, edits: Iterable[Edit]) -> str:
    """`text` with every edit made; edits in order of their offsets, which are those of the text as it was."""
    parts = []
    done = 0
    for offset, addition in edits:
        parts.append(text[done:offset])
        parts.append(addition)
        done = offset
    parts.append(text[done:])
    return "".join(parts)


def original_offset(edits: Sequence[Edit], offset: int) -> int:
    """Where `offset` of the spliced text was before; within an addition: where that was put."""
    added = 0
    for place, addition in edits:
        if offset < place + added:
            break
        if offset < place + added + len(addition):
            return place
        added += len(addition)
    return offset - added


def _old_name(write: Write) -> str:
    if write.old_alias is not None:
        return write.old_alias
    if not write.old_hidden:
        return "old"
    if write.returning:
        raise OldUnreachable(f"{write.target.name}: a relation of the statement is called old")
    return OWN_OLD
