"""What is known of a statement from its text alone: immutable values, independent of any catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType


class Verb(Enum):
    """A statement that changes rows and can have a RETURNING clause."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    MERGE = "merge"


class Kind(Enum):
    """What a statement is, as far as mirroring must tell statements apart."""

    __hash__ = object.__hash__
    """By identity, as enumerations are compared: Enum's own is run in Python, several times for each statement."""

    WRITE = "write"
    """INSERT, UPDATE, DELETE or MERGE: `Statement.write` is its main write."""
    READ = "read"
    """SELECT, VALUES, TABLE, EXPLAIN without ANALYZE, SHOW, FETCH: may still write by functions or WITH clauses."""
    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    """The whole transaction."""
    SAVEPOINT = "savepoint"
    RELEASE = "release"
    ROLLBACK_TO = "rollback_to"
    PREPARE_TRANSACTION = "prepare_transaction"
    COMMIT_PREPARED = "commit_prepared"
    ROLLBACK_PREPARED = "rollback_prepared"
    PREPARE = "prepare"
    """SQL-level PREPARE: `Statement.inner` is what it prepares."""
    EXECUTE = "execute"
    DEALLOCATE = "deallocate"
    """`Statement.name` is empty for ALL."""
    DISCARD = "discard"
    """DISCARD ALL; other forms are OTHER."""
    TRUNCATE = "truncate"
    COPY_FROM = "copy_from"
    SET = "set"
    """SET, RESET of any setting: `Statement.name` is the setting, `role` and `session_authorization` among them."""
    DDL = "ddl"
    """Changes a table, view, type, function, trigger, rule, policy, privilege or schema."""
    CALL = "call"
    """CALL and DO: what they write cannot be seen."""
    OTHER = "other"
    """Anything else; writes no rows of a table."""


@dataclass(frozen=True, slots=True)
class RelationRef:
    """A relation as a statement names it, folded to lower case where it was not quoted."""

    name: str
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$n`, from 1."""

    number: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant in the text of the statement, as PostgreSQL's input function of the column would read it."""

    text: str


@dataclass(frozen=True, slots=True)
class Write:
    """One INSERT, UPDATE, DELETE or MERGE."""

    verb: Verb
    target: RelationRef
    reference: str
    """How RETURNING names the target row: its alias or its own name, quoted for SQL."""
    returning: bool
    """Whether the client asks for rows back itself."""
    sets: frozenset[str] = frozenset()
    """Columns assigned by UPDATE, ON CONFLICT DO UPDATE or MERGE ... UPDATE."""
    may_update: bool = False
    """Whether it can change existing rows: UPDATE, ON CONFLICT DO UPDATE, MERGE with UPDATE."""
    may_delete: bool = False
    only: bool = False
    """UPDATE ONLY / DELETE FROM ONLY."""
    pinned: Mapping[str, Parameter | Literal] = field(default_factory=lambda: MappingProxyType({}))
    """Columns of the target that the WHERE clause holds equal to one value, AND-ed at its top level."""
    old_alias: str | None = None
    """What `OLD` is called in RETURNING WITH (OLD AS ...), quoted for SQL; None: `old`, unless `old_hidden`."""
    old_hidden: bool = False
    """Whether a relation of the statement is itself called `old`, so that OLD cannot be reached by that name."""


@dataclass(frozen=True, slots=True)
class CopyFrom:
    """COPY table FROM: how its data is laid out."""

    columns: tuple[str, ...] | None
    """None: all columns, generated ones left out."""
    format: str
    """`text`, `csv` or `binary`."""
    delimiter: str
    null: str
    quote: str
    escape: str
    header: bool
    from_client: bool
    """COPY FROM STDIN; from a file or a program the data does not pass the proxy."""
    encoding: str | None = None
    default: str | None = None
    """What stands for the column's default in the data (PostgreSQL 16); None: nothing does."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text."""

    kind: Kind
    start: int
    """Offset of its first character, white space and comments before it left out."""
    end: int
    """Offset behind its last token: where ` RETURNING ...` or `, ...` may be put."""
    write: Write | None = None
    """Of WRITE; of PREPARE through `inner`."""
    hidden: tuple[tuple[RelationRef, Verb], ...] = ()
    """Relations written where RETURNING cannot be added: by WITH clauses, EXPLAIN ANALYZE, COPY (...) TO, CREATE
    TABLE AS; never `write`. Each with INSERT, UPDATE or DELETE, once for every one that may happen to its rows. A
    main write whose target row no name can reach stands here too, under READ."""
    relations: frozenset[RelationRef] = frozenset()
    """Every relation the statement names, CTE names left out; of TRUNCATE and COPY the tables concerned."""
    functions: frozenset[RelationRef] = frozenset()
    """Every function or procedure it calls by name."""
    name: str = ""
    """Of a savepoint, prepared statement, prepared transaction (gid), or setting (`all`: RESET ALL). Of EXPLAIN
    ANALYZE EXECUTE (READ) and CREATE TABLE AS EXECUTE (DDL): the prepared statement they run."""
    value: tuple[str, ...] | None = None
    """Of SET: the values given; None for DEFAULT and RESET."""
    local: bool = False
    """SET LOCAL."""
    chain: bool = False
    """COMMIT or ROLLBACK AND CHAIN."""
    cascade: bool = False
    """TRUNCATE ... CASCADE."""
    only: bool = False
    """TRUNCATE with ONLY before one of its tables at least: children of that one keep their rows."""
    inner: Statement | None = None
    """What PREPARE prepares; its offsets are into the same text."""
    copy: CopyFrom | None = None
    parameters: bool = False
    """Whether it holds `$n`."""
    tag: str = ""
    """The leading words of the command, upper case, for logs and causes: `ALTER TABLE`."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """All statements of one text, in order. Empty statements are left out."""

    statements: tuple[Statement, ...]
