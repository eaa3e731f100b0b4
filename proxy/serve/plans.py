"""What is known of a text: its plan, or why it is left to PostgreSQL, and how its rows are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from proxy.logs import get_logger
from proxy.mirror.gap import table_name
from proxy.mirror.tables import TableBook
from proxy.serve.binary import Unencodable
from proxy.serve.encode import RowEncoder, formats_of, length_of
from proxy.serve.reasons import APPROXIMATE, FAILED, LONG, TIMED
from proxy.shadow.candidates import Candidate, DarkTable
from proxy.sql.bounded import Bounded
from proxy.translate.api import ReadPlan, SessionSettings, Unsupported
from proxy.translate.cache import PlanCache
from proxy.translate.compiler import CompiledPlan
from proxy.translate.rewrite import walk
from proxy.translate.tree import Agg, Column, Sub, Window
from proxy.translate.types import Types

log = get_logger(__name__)

MAX_STATEMENT: Final = 16 * 1024
"""Characters: compiling takes the event loop's time."""
KEPT: Final = 2000
ENCODERS: Final = 32
"""Kept of one plan: combinations of formats and settings."""

Settings = tuple[str, str, str, int, str]


class Known:
    """Of one text. `reason` is empty where there is a plan that can be served."""

    __slots__ = ("_encoders", "candidate", "concurrency", "constant", "places", "plan", "reason", "types")

    def __init__(self, plan: ReadPlan | None, reason: str = "", database: str = "") -> None:
        self.plan = plan
        self.reason = reason
        self._encoders: dict[tuple[tuple[int, ...], Settings], RowEncoder] = {}
        self.constant = False
        """Whether all rows look alike, so that it does not matter which of them a LIMIT takes."""
        self.candidate = Candidate((), 0.0)
        """As the shadow knows the read."""
        self.places: tuple[tuple[str, str], ...] = ()
        """Database and name of each table."""
        self.concurrency: tuple[int, ...] = ()
        """Of each table: reads at once."""
        self.types = Types({})
        if plan is None:
            return
        if plan.tables:
            self.types = Types(plan.tables[0].snapshot.types)
        self.constant = isinstance(plan, CompiledPlan) and _constant(plan)
        names = [table_name(table.relation.id) for table in plan.tables]
        self.candidate = Candidate(
            tuple(DarkTable(name, table.rule.shadow) for name, table in zip(names, plan.tables, strict=True)),
            1.0,
        )
        self.places = tuple((database, name) for name in names)
        self.concurrency = tuple(table.rule.reads.concurrency for table in plan.tables)

    def encoder(self, formats: Sequence[int], session: SessionSettings) -> RowEncoder:
        """`formats` as in a Bind message. Unencodable or Inexact where PostgreSQL must write the rows."""
        assert self.plan is not None
        key = (
            tuple(formats),
            (
                session.time_zone,
                session.date_style,
                session.interval_style,
                session.extra_float_digits,
                session.bytea_output,
            ),
        )
        found = self._encoders.get(key)
        if found is None:
            columns = self.plan.columns
            found = RowEncoder(columns, formats_of(formats, len(columns)), self.types, session)
            if len(self._encoders) >= ENCODERS:
                self._encoders.clear()
            self._encoders[key] = found
        return found


def _constant(plan: CompiledPlan) -> bool:
    query = plan.query
    return not any(
        isinstance(part, Column | Sub | Agg | Window)
        for target in query.targets[: query.visible]
        for part in walk(target.expr)
    )


class ServingPlans:
    """Plans of one book of tables: of another, everything is looked at anew."""

    def __init__(self, cache: PlanCache | None = None, *, size: int = KEPT) -> None:
        self.cache = PlanCache(size) if cache is None else cache
        self._size = size
        self._book: TableBook | None = None
        self._known: Bounded[tuple[object, ...], Known] = Bounded(size)
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._known)

    def use(self, book: TableBook) -> None:
        self._book = book
        self._known = Bounded(self._size)

    def get(
        self, database: str, text: str, parameter_types: tuple[int, ...], search_path: tuple[str, ...]
    ) -> Known:
        key = (text, database, search_path, parameter_types)
        known = self._known.get(key)
        if known is None:
            self.misses += 1
            known = self._made(database, text, parameter_types, search_path)
            self._known.put(key, known, len(text))
        else:
            self.hits += 1
        return known

    def _made(
        self, database: str, text: str, parameter_types: tuple[int, ...], search_path: tuple[str, ...]
    ) -> Known:
        if len(text) > MAX_STATEMENT:
            return Known(None, LONG)
        if self._book is None:
            return Known(None, "the tables are not known yet")
        try:
            plan = self.cache.plan(text, self._book, database, search_path, parameter_types)
        except Unsupported as error:
            return Known(None, error.reason)
        except Exception as error:  # whatever it is, PostgreSQL answers; it is of this statement alone
            log.exception("read_not_compiled", error, database=database)
            return Known(None, FAILED)
        known = Known(plan, "", database)
        known.reason = _unfit(plan, known.types)
        return known


def _unfit(plan: ReadPlan, types: Types) -> str:
    """Why a plan is not served, whatever its parameters."""
    if "now" in plan.order.volatile:
        return TIMED
    if isinstance(plan, CompiledPlan) and any(plan.approximate):
        return APPROXIMATE
    try:
        for column in plan.columns:
            length_of(column.type_oid, types)
    except Unencodable as error:
        return error.reason
    return ""
