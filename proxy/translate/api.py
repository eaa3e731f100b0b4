"""What others see of the compiler of reads: exact, or `Unsupported`; never a guess.

`compile_read` makes a `ReadPlan` of a text, `ReadPlan.bind` gives it parameters, `BoundRead.run` fetches documents and
does in the proxy what only PostgreSQL's semantics can do. The result is what PostgreSQL would have answered.
A session that has temporary tables must not ask: their names go before all others, and no catalogue has them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from proxy.mirror.tables import MirroredTable, TableBook
    from proxy.stores.protocol import Namespace


class Unsupported(Exception):
    """There is no exact rule for something: the read stays on PostgreSQL."""

    def __init__(self, reason: str, position: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        """Short, stable, without any value: it is counted."""
        self.position = position
        """Where in the text, in characters from 0."""


class Inexact(Unsupported):
    """Found out while parameters were bound or rows were gone through: with these values there is no exact rule."""


class TooMuch(Exception):
    """The read would fetch more than its limits allow."""


class ReadError(Exception):
    """What PostgreSQL would raise, too. Whether it does may depend on the order in which it looks at rows and
    conditions: an error is never served, and one that PostgreSQL did not have is not a mismatch by itself."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message


class ForeignDocument(Exception):
    """A document holds what the mirror never writes: somebody else has changed it."""

    def __init__(self, table: str, column: str) -> None:
        super().__init__(f"{table}, column {column}")
        self.table = table
        self.column = column


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One column of the row description, as PostgreSQL's own Describe gives it."""

    name: str
    type_oid: int
    typmod: int = -1
    table_oid: int = 0
    attnum: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """What is fixed about the order of the rows; `Result.ties` says it for the rows of one result."""

    ordered: bool = False
    """Whether there is an ORDER BY."""
    limited: bool = False
    """Whether there is a LIMIT or OFFSET."""
    volatile: frozenset[str] = frozenset()
    """What the result depends on beside data and parameters: `now`, `timezone`, `user`."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What of a session changes values or how they are written. `Inexact` where a read needs what is not known."""

    time_zone: str = "UTC"
    date_style: str = "ISO, MDY"
    interval_style: str = "postgres"
    extra_float_digits: int = 1
    bytea_output: str = "hex"
    now: int | None = None
    """The transaction's timestamp in microseconds since 2000-01-01 UTC."""
    user: str | None = None
    standard_conforming_strings: bool = True


@dataclass(frozen=True, slots=True)
class ReadLimits:
    max_rows: int = 10_000
    """Documents fetched, and rows between two steps."""
    max_bytes: int = 16 * 1024 * 1024
    """BSON fetched."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one question of a plan brought."""

    table: str
    documents: int
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Result:
    """The rows, and how far they are determined."""

    columns: tuple[OutputColumn, ...]
    rows: list[tuple[Any, ...]]
    """Values as `proxy.translate` has them; see `values.py`. None is NULL."""
    texts: list[tuple[str | None, ...]]
    """The same as PostgreSQL's text output in the session's settings."""
    ties: tuple[int, ...]
    """Sizes of runs of rows whose order among themselves is not fixed; they add up to the number of rows. Without
    ORDER BY there is one run."""
    loose_head: bool = False
    """OFFSET cuts through the first run: which of its rows are here is not fixed."""
    loose_tail: bool = False
    """LIMIT cuts through the last run."""
    approximate: tuple[bool, ...] = ()
    """By column: floats whose last digits depend on the order in which rows are added up."""
    indeterminate: str = ""
    """Why another answer of PostgreSQL could be as right as this one (an inner LIMIT without a total order, ...);
    empty where that is not so."""
    fetched: tuple[Fetched, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a plan does, to be shown."""

    questions: tuple[Mapping[str, Any], ...]
    """In order: table, collection, `find` or `aggregate` with its parts."""
    steps: tuple[str, ...]
    """What the proxy does itself."""
    indexes: tuple[str, ...]
    """What the store should have an index on."""
    columns: tuple[OutputColumn, ...] = field(default=())


class Reader(Protocol):
    """The store, for reading. May raise what `proxy.stores.protocol` says of an unavailable store."""

    def find(
        self,
        namespace: Namespace,
        condition: Mapping[str, Any],
        projection: Mapping[str, Any] | None,
        sort: Sequence[tuple[str, int]],
        limit: int,
    ) -> AsyncIterator[bytes]:
        """Documents as BSON, in the order of `sort`; at most `limit`, where it is not 0."""
        ...

    def aggregate(
        self, namespace: Namespace, pipeline: Sequence[Mapping[str, Any]]
    ) -> AsyncIterator[bytes]: ...


class BoundRead(Protocol):
    """A plan with its parameters. Used once."""

    async def run(self, reader: Reader, limits: ReadLimits, *, texts: bool = True) -> Result:
        """ReadError, Inexact, TooMuch, ForeignDocument, and what the reader raises.

        `texts`: off, `Result.texts` stays empty: who writes the values in another way needs none.
        """
        ...


class ReadPlan(Protocol):
    """A compiled read; never changes."""

    @property
    def tables(self) -> tuple[MirroredTable, ...]: ...

    @property
    def columns(self) -> tuple[OutputColumn, ...]: ...

    @property
    def parameter_types(self) -> tuple[int, ...]: ...

    @property
    def order(self) -> Order: ...

    def explain(self) -> Explanation: ...

    def bind(
        self, parameters: Sequence[bytes | None], formats: Sequence[int], session: SessionSettings
    ) -> BoundRead:
        """`formats` as in a Bind message: none (all text), one for all, or one each. ReadError for text that is not of
        its parameter's type, Inexact where that or the session's settings cannot be followed exactly."""
        ...


def compile_read(
    text: str,
    book: TableBook,
    database: str,
    search_path: Sequence[str],
    parameter_types: Sequence[int] = (),
    *,
    push_down: bool = True,
) -> ReadPlan:
    """A plan for the one statement of `text`. Unsupported where there is none.

    `parameter_types` as in a Parse message: 0 is to be found out. `push_down`: off, every row is fetched and all is
    done in the proxy, with the same result.
    """
    from proxy.translate.compiler import compile_text

    return compile_text(text, book, database, search_path, parameter_types, push_down=push_down)
