"""What a transaction did to mirrored tables: row images, and what could not be seen of it. Immutable."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from proxy.sql.model import Verb


class Cause(Enum):
    """Why something written is not known from an image."""

    COPY = "copy"
    """COPY FROM."""
    CASCADE = "cascade"
    """A foreign key's ON DELETE or ON UPDATE action."""
    TRIGGER = "trigger"
    """A trigger that writes."""
    CTE = "cte"
    """A data-modifying WITH clause beside the main statement, EXPLAIN ANALYZE, COPY (...) TO."""
    FUNCTION = "function"
    """A function, procedure or DO block that may write."""
    RULE = "rule"
    """A rewrite rule or a view between the statement and the table."""
    PRIVILEGE = "privilege"
    """The role may not SELECT every column, which RETURNING needs, or row security applies to it."""
    KEY_CHANGE = "key_change"
    """An UPDATE that may have changed a key column, where the old key is not known."""
    TRUNCATE = "truncate"
    """A TRUNCATE that could not be mirrored as such."""
    DDL = "ddl"
    """A change of the table's definition that changes existing rows or their documents."""
    INHERITANCE = "inheritance"
    """A row of a child table that was written through its parent, whose image lacks columns."""
    UNPREPARED = "unprepared"
    """A statement prepared before the table was mirrored."""
    UNPARSED = "unparsed"
    """A statement that is too long to be looked at, or that the parser does not know."""
    UNRESOLVED = "unresolved"
    """A name that might mean a relation RETURNING does not work on, or a catalogue that could not be read."""
    UNDECODABLE = "undecodable"
    """An image that fits no known shape of its table."""
    POISON = "poison"
    """A document the store will never take."""
    OVERFLOW = "overflow"
    """Spool or memory were at their caps."""
    SPOOL = "spool"
    """The spool could not be written or read."""
    IN_DOUBT = "in_doubt"
    """Whether the transaction committed can no longer be found out."""
    UNCLEAN_END = "unclean_end"
    """A proxy ended without having mirrored what it held in memory."""
    UNOBSERVED = "unobserved"
    """A connection whose stream stopped making sense, or a statement in progress that a kill interrupted."""


@dataclass(frozen=True, slots=True)
class TableId:
    """A table of one database."""

    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table in which `columns` have, or had, one of `values`: few enough to be read again one by one."""

    columns: tuple[str, ...]
    values: tuple[tuple[str | None, ...], ...]
    """As the columns' text output; each as long as `columns`."""


@dataclass(frozen=True, slots=True)
class Image:
    """One row as PostgreSQL stored it."""

    verb: Verb
    record: bytes
    """What `record_send` gave: the header fields (see `proxy.sql.splice`), then the row."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """A write that was not captured; when its transaction commits it is a gap."""

    cause: Cause
    table: TableId
    rows: Rows | None = None
    """None: any row of the table."""
    detail: str = ""
    """For people; holds no value of a row."""


@dataclass(frozen=True, slots=True)
class Truncation:
    """Tables emptied by one TRUNCATE."""

    tables: tuple[TableId, ...]
    version: int
    """Taken after the TRUNCATE and before anything else of its transaction; see `proxy.mirror.versions`."""


Effect = Image | Unseen | Truncation
