"""Names of tables as people write them in rule files, following PostgreSQL's rules for identifiers.

Source: PostgreSQL manual, 4.1.1 "Identifiers and Key Words".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_IDENTIFIER_BYTES = 63
"""NAMEDATALEN - 1: PostgreSQL cuts longer names."""

_PLAIN = re.compile(r"(?:[a-z_]|(?![\0-\x7f])[^\W\d])(?:[a-z0-9_$]|(?![\0-\x7f])\w)*")
_PART = re.compile(r'"((?:[^"\x00]|"")+)"|([^".\s\x00]+)')


@dataclass(frozen=True, slots=True)
class TableName:
    """A table as the catalogue knows it, not folded, not quoted."""

    schema: str
    name: str
    database: str | None = None
    """None in a rule for every database, and where the database is understood."""

    def __str__(self) -> str:
        """`schema.table`, or `database.schema.table`, quoted where SQL needs it."""
        parts = (self.schema, self.name) if self.database is None else (self.database, self.schema, self.name)
        return ".".join(map(quote_identifier, parts))


def quote_identifier(name: str) -> str:
    """As it must be written in a rule file (and in SQL, reserved words aside)."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def parse_table_name(text: str) -> TableName:
    """`table` (in schema public) or `schema.table`, each part plain or `"quoted"`.

    ValueError, saying what would be right, for anything else; also for capitals outside quotes, which
    PostgreSQL folds to lower case: the writer may have meant either table.
    """
    parts: list[str] = []
    position = 0
    while True:
        match = _PART.match(text, position)
        if match is None:
            raise ValueError(f'{text!r} is not a table name; write table, schema.table or "Quoted.Name"')
        parts.append(match[1].replace('""', '"') if match[1] is not None else _plain(match[2], text))
        position = match.end()
        if position == len(text):
            break
        if text[position] != ".":
            raise ValueError(f'{text!r} is not a table name; write table, schema.table or "Quoted.Name"')
        position += 1
    for part in parts:
        if len(part.encode("utf-8", "surrogatepass")) > MAX_IDENTIFIER_BYTES:
            raise ValueError(
                f"{part!r} is longer than {MAX_IDENTIFIER_BYTES} bytes; PostgreSQL cuts such names"
            )
    if len(parts) == 1:
        return TableName("public", parts[0])
    if len(parts) == 2:
        return TableName(parts[0], parts[1])
    raise ValueError(
        f"{text!r} has {len(parts)} parts; write schema.table, and the database under `database`"
    )


def _plain(part: str, text: str) -> str:
    if _PLAIN.fullmatch(part):
        return part
    if _PLAIN.fullmatch(part.lower()):
        folded = part.lower()
        raise ValueError(
            f"{text!r}: PostgreSQL reads {part} as {folded}; "
            f"write {folded}, or '\"{part}\"' to keep the capitals"
        )
    raise ValueError(f"{text!r}: {part} must stand in double quotes: '\"{part}\"'")
