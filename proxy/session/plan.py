"""What is to be done with each statement of a text, as a plan says it, and what plans rest on. Immutable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from proxy.catalog.model import Relation, Snapshot
from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.sql.model import CopyFrom, Kind, Literal, Parameter, Statement, Verb

if TYPE_CHECKING:
    from proxy.serve.candidates import ServedTables
    from proxy.shadow.candidates import Dark

ENDS = frozenset({Kind.COMMIT, Kind.ROLLBACK, Kind.PREPARE_TRANSACTION})
"""Statements after which a transaction block is over, if they succeed."""

SPLITTABLE = frozenset(
    {
        Kind.WRITE,
        Kind.READ,
        Kind.BEGIN,
        Kind.COMMIT,
        Kind.ROLLBACK,
        Kind.SAVEPOINT,
        Kind.RELEASE,
        Kind.ROLLBACK_TO,
        Kind.PREPARE_TRANSACTION,
        Kind.PREPARE,
        Kind.EXECUTE,
        Kind.SET,
        Kind.TRUNCATE,
    }
)
"""Statements of a simple query that do the same when they are sent one by one in the extended protocol."""

_SPLITTABLE_READS = frozenset({"SELECT", "EXPLAIN", "SHOW"})
"""By tag; cursors, for one, need the implicit transaction block that only a simple query has."""

_OPTIONS_MATTER = frozenset({"EXPLAIN", "COPY"})
"""Tags of statements that constants among their options make write, or not."""

STATEFUL = frozenset({Kind.SET, Kind.PREPARE, Kind.DEALLOCATE, Kind.DISCARD})
"""Statements on whose success the plans of what follows rest."""

_RUNS_PREPARED = frozenset({"EXPLAIN", "CREATE TABLE AS"})
"""Tags of statements that run a prepared one out of sight."""


@dataclass(frozen=True, slots=True)
class MirroredAs:
    """What a session must know of a mirrored table."""

    table: TableId
    relation: Relation
    key: frozenset[str]
    needs_text: bool
    """Whether an image must carry the row's text output as well."""
    strict: bool
    ack_timeout: float | None
    """Seconds the reply to a commit waits for the store; None: it does not."""
    texts: Mapping[str, Callable[[bytes], str]] = field(default_factory=lambda: MappingProxyType({}))
    """Key column -> its text output from a value in binary, where that can be told."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What plans of one database rest on."""

    snapshot: Snapshot
    tables: Mapping[int, MirroredAs]
    """By the oid of the table and of each of its partitions."""
    generation: int
    """Rises whenever a plan made before may be wrong."""
    dark: Dark | None = None
    """The tables whose reads are sampled; None: there are none."""
    served: ServedTables | None = None
    """The tables whose reads are served; None: there are none."""

    @property
    def strict(self) -> bool:
        return any(table.strict for table in self.tables.values())

    @property
    def mirrored(self) -> Mapping[TableId, MirroredAs]:
        """Every mirrored table, once however many partitions it has."""
        return {known.table: known for known in self.tables.values()}


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose statements are planned."""

    roles: frozenset[str]
    """Every role the session has had; RETURNING must be safe for each of them."""
    roles_known: bool
    path: tuple[str, ...] | None
    """The schemas of its search_path; None where it is not known."""
    utf8: bool = True
    """Whether its text comes in UTF-8: images hold text as the session's client_encoding has it."""


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """COPY FROM STDIN into a mirrored table."""

    table: TableId
    layout: CopyFrom
    key: tuple[str, ...]
    positions: tuple[int, ...]
    """Where in the data the key columns stand, from 0; empty where they do not all."""
    types: tuple[int, ...]
    """oids of the key columns' types."""


@dataclass(frozen=True, slots=True)
class KeyPins:
    """The old key of an UPDATE that changes it, as its WHERE clause gives it."""

    table: TableId
    columns: tuple[str, ...]
    values: tuple[Parameter | Literal, ...]
    oids: tuple[int, ...] = ()
    """Of the columns' types, which parameters have that the client gave no type."""
    texts: tuple[Callable[[bytes], str] | None, ...] = ()
    """See MirroredAs."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement and what is to be done with it."""

    statement: Statement
    suffix: str = ""
    """What is put behind the statement, or behind what it prepares; empty: nothing."""
    captured: bool = False
    """Whether its results hold our column, the last."""
    verb: Verb = Verb.INSERT
    """Of a captured statement."""
    returning: bool = False
    """Whether the client asked for rows itself."""
    unseen: tuple[Unseen, ...] = ()
    truncates: tuple[TableId, ...] = ()
    copy: CopyPlan | None = None
    pins: tuple[KeyPins, ...] = ()
    tables: tuple[TableId, ...] = ()
    """The mirrored tables it may write to."""
    strict: bool = False
    ack_timeout: float | None = None
    configures: frozenset[str] = frozenset()
    """`role` or `search_path`, where it calls a function that may change them."""
    prepares: Step | None = None
    """Of a PREPARE: what an EXECUTE of it will do."""
    kind: Kind = field(init=False)
    writes: bool = field(init=False)
    """Whether it has effects on a mirrored table."""
    stateful: bool = field(init=False)
    """Whether what follows can only be planned once it has succeeded."""
    hidden: bool = field(init=False)
    """Whether its results hold our column and no other."""
    splittable: bool = field(init=False)
    """Whether it does the same in the extended protocol, where it was one of several in a simple query."""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "kind", self.statement.kind)
        put(self, "writes", bool(self.captured or self.unseen or self.truncates or self.copy or self.pins))
        put(self, "hidden", self.captured and not self.returning)
        statement = self.statement
        put(self, "stateful", bool(self.configures) or statement.kind in STATEFUL)
        put(
            self,
            "splittable",
            statement.kind in SPLITTABLE
            and not statement.parameters
            and not statement.local
            and not (statement.kind is Kind.SET and statement.name == "transaction")
            and self.copy is None
            and (statement.kind is not Kind.READ or statement.tag in _SPLITTABLE_READS),
        )

    @property
    def streams(self) -> bool:
        """Whether the rows come while it runs: of all else the description comes once it has run."""
        return self.statement.tag == "SELECT" and not self.statement.hidden

    @property
    def runs(self) -> str:
        """The prepared statement it runs out of sight; empty: none."""
        return self.statement.name if self.statement.tag in _RUNS_PREPARED else ""

    def hiding(self, prepared: Step | None) -> Step:
        """This step as one that runs `prepared` without its rows being seen."""
        run = prepared.prepares or prepared if prepared is not None else None
        if run is None or not run.writes:
            return self
        unseen = tuple(Unseen(Cause.CTE, table, None, "run by another statement") for table in run.tables)
        return replace(
            self,
            unseen=self.unseen + run.unseen + unseen,
            tables=run.tables,
            strict=run.strict,
            ack_timeout=run.ack_timeout,
        )

    def executing(self, current: Step | None, origin: Step | None) -> Step:
        """An EXECUTE as what it runs: `origin` is spliced already, `current` is the same text planned now."""
        run = current.prepares or current if current is not None else None
        unseen = run.unseen if run is not None else ()
        if run is not None and origin is None and run.captured:
            unseen += tuple(
                Unseen(Cause.UNPREPARED, table, None, "prepared before the table was mirrored")
                for table in run.tables
            )
        unseen += tuple(
            Unseen(Cause.KEY_CHANGE, pins.table, None, "the old key is not known")
            for pins in (run.pins if run is not None else ())
        )
        return replace(
            self,
            captured=origin is not None,
            verb=origin.verb if origin is not None else self.verb,
            returning=origin.returning if origin is not None else False,
            unseen=unseen,
            tables=run.tables if run is not None else (),
            strict=run is not None and run.strict,
            ack_timeout=run.ack_timeout if run is not None else None,
        )


class Plan:
    """All statements of one text. Never changed once made."""

    __slots__ = ("_tail", "ends", "matters", "spliced", "steps", "strict", "text", "writes")

    def __init__(self, text: str, steps: tuple[Step, ...]) -> None:
        self.text = text
        self.steps = steps
        self.writes = any(step.writes for step in steps)
        self.strict = any(step.strict and step.writes for step in steps)
        self.spliced = any(step.suffix for step in steps)
        self.ends = any(step.kind in ENDS for step in steps)
        """Whether one of them may end a transaction block."""
        self.matters = any(
            step.writes
            or step.suffix
            or step.configures
            or step.kind not in (Kind.READ, Kind.OTHER, Kind.WRITE)
            for step in steps
        )
        """Whether anything has to be known of them."""
        self._tail: int | None = None
        """Characters behind the single statement's end, of a plan that serves every text of a shape."""

    @property
    def shareable(self) -> bool:
        """Whether the plan holds for every text that differs in constants only."""
        if len(self.steps) != 1:
            return False
        step, text = self.steps[0], self.text
        statement = step.statement
        return (
            step.kind in (Kind.WRITE, Kind.READ)
            and statement.tag not in _OPTIONS_MATTER
            and not step.pins
            and not step.configures
            and not text[: statement.start].strip()
            and not text[statement.end :].strip(" \t\r\n;")
        )

    def of(self, text: str) -> Plan:
        """This plan for another text of the same shape; only if it is `shareable`."""
        made = Plan.__new__(Plan)
        made.text = text
        made.steps = self.steps
        made.writes = self.writes
        made.strict = self.strict
        made.spliced = self.spliced
        made.ends = self.ends
        made.matters = self.matters
        made._tail = len(self.text) - self.steps[0].statement.end
        return made

    def whole(self) -> str:
        """The text with everything spliced in."""
        if self._tail is not None:
            end = len(self.text) - self._tail
            return self.text[:end] + self.steps[0].suffix + self.text[end:]
        out: list[str] = []
        position = 0
        for step in self.steps:
            if step.suffix:
                end = _splice_point(step.statement)
                out += (self.text[position:end], step.suffix)
                position = end
        out.append(self.text[position:])
        return "".join(out)

    def shifts(self) -> tuple[tuple[int, int], ...]:
        """Where something is spliced into `whole`, and how much: characters of the client's text, in order."""
        return tuple(
            (_splice_point(step.statement), len(step.suffix)) for step in self.steps[:-1] if step.suffix
        )

    def single(self, step: Step) -> str:
        """One statement alone, spliced."""
        statement = step.statement
        if self._tail is not None:
            return self.text[statement.start : len(self.text) - self._tail] + step.suffix
        if not step.suffix:
            return self.text[statement.start : statement.end]
        end = _splice_point(statement)
        return self.text[statement.start : end] + step.suffix + self.text[end : statement.end]


def _splice_point(statement: Statement) -> int:
    return statement.end if statement.inner is None else statement.inner.end
