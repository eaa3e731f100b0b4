"""From a text to a plan that can be run: the steps of `proxy.translate`, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from proxy.mirror.tables import MirroredTable, TableBook
from proxy.sql.parse import Source, Unparsed
from proxy.stores.bson_form import decode
from proxy.stores.protocol import Namespace
from proxy.translate import aggregates, constants, explain, parameters, plan
from proxy.translate.api import (
    Explanation,
    Fetched,
    Order,
    OutputColumn,
    Reader,
    ReadError,
    ReadLimits,
    Result,
    SessionSettings,
    TooMuch,
    Unsupported,
)
from proxy.translate.bind import QueryBinder
from proxy.translate.context import CANONICAL, Context
from proxy.translate.execute import Program
from proxy.translate.literals import Literals, Slot, values
from proxy.translate.outputs import writer
from proxy.translate.rewrite import expressions, queries, walk
from proxy.translate.runtime import Row, Run
from proxy.translate.tree import Agg, Query, Window
from proxy.translate.types import UNKNOWN, Types


def compile_text(
    text: str,
    book: TableBook,
    database: str,
    search_path: Sequence[str],
    parameter_types: Sequence[int],
    *,
    push_down: bool,
    literals: Literals | None = None,
) -> CompiledPlan:
    """See `api.compile_read`. `literals`: constants that are to be left open in the plan."""
    try:
        source = Source(text)
    except Unparsed as error:
        raise Unsupported(
            "a text that cannot be parsed", error.position if error.position >= 0 else None
        ) from None
    if len(source.statements) != 1:
        raise Unsupported("more or fewer statements than one")
    (statement,) = source.statements
    if statement.type != "SelectStmt":
        raise Unsupported("a statement that is not a SELECT")
    context = Context(source, book, database, search_path, parameter_types, literals)
    try:
        query = QueryBinder(context).query(statement.node)
        oids = _parameter_types(context)
        known = () if literals is None else tuple(literals.values)
        trials = constants.trials(query, Run(CANONICAL, context.types, (), 0, known))
        program = Program(query, context.types)
        fetches = plan.fetches(query, context.scans, context.types, push_down=push_down)
    except RecursionError:
        raise Unsupported("a statement that is nested too deeply") from None
    return CompiledPlan(
        tuple(dict.fromkeys(scan.table for scan in context.scans)),
        _columns(context, query),
        oids,
        Order(
            bool(query.order),
            query.limit is not None or query.offset is not None,
            frozenset(context.uses),
        ),
        query,
        program,
        fetches,
        context.types,
        _approximate(query),
        trials,
        () if literals is None else tuple(literals.slots),
        known,
    )


def _parameter_types(context: Context) -> tuple[int, ...]:
    count = max(context.parameters, default=0)
    oids = tuple(context.parameter(number) for number in range(1, count + 1))
    if UNKNOWN in oids:
        raise Unsupported("a parameter whose type is not known")
    return oids


_NO_TRIALS = constants.Trials()


def _columns(context: Context, query: Query) -> tuple[OutputColumn, ...]:
    columns = []
    for target in query.targets[: query.visible]:
        shape = target.expr.shape
        table, number = target.origin or (0, 0)
        columns.append(OutputColumn(target.name, shape.type, shape.typmod, table, number))
    return tuple(columns)


def _approximate(query: Query) -> tuple[bool, ...]:
    """Columns of the result whose last digits depend on the order of rows."""
    loose = [
        part
        for one in queries(query)
        for expr in expressions(one)
        for part in walk(expr)
        if isinstance(part, Agg | Window)
        and part.args
        and aggregates.approximate(part.name, part.args[0].type)
    ]
    if not loose:
        return (False,) * query.visible
    # told by type alone: whatever is a float or made of one may be
    return (True,) * query.visible


@dataclass(frozen=True)
class CompiledPlan:
    """See `api.ReadPlan`."""

    tables: tuple[MirroredTable, ...]
    columns: tuple[OutputColumn, ...]
    parameter_types: tuple[int, ...]
    order: Order
    query: Query
    program: Program
    fetches: tuple[plan.Fetch, ...]
    types: Types
    approximate: tuple[bool, ...]
    trials: constants.Trials = _NO_TRIALS
    slots: tuple[Slot, ...] = ()
    literals: tuple[Any, ...] = ()
    """Values of the constants that the plan leaves open, by slot."""
    followed: set[tuple[object, ...]] = field(default_factory=set)
    """Settings that the results are known to be written in exactly."""

    def with_constants(self, given: Sequence[str]) -> CompiledPlan:
        """The plan of another text of the same shape. Unsupported as if that had been compiled."""
        try:
            made = values(self.slots, given)
        except ReadError:
            raise Unsupported("a constant that PostgreSQL refuses") from None
        if self.trials.always:
            constants.check(self.trials.always, Run(CANONICAL, self.types, (), 0, made))
        return replace(self, literals=made)

    def explain(self, parameters: Sequence[bytes | None] | None = None) -> Explanation:
        """With parameters, as text, or where there are none to be given, filters are shown with their values."""
        if parameters is None and self.parameter_types:
            return explain.explanation(self.query, self.fetches, self.columns)
        given = self._values(parameters or (), (), CANONICAL)
        run = Run(CANONICAL, self.types, given, 0, self.literals)
        return explain.explanation(self.query, self.fetches, self.columns, run)

    def bind(
        self, parameters: Sequence[bytes | None], formats: Sequence[int], session: SessionSettings
    ) -> CompiledRead:
        bound = self._values(parameters, formats, session)
        if self.trials.bound or self.trials.written:
            constants.check_bound(self.trials, Run(session, self.types, bound, 0, self.literals))
        return CompiledRead(self, bound, session)

    def _values(
        self, given: Sequence[bytes | None], formats: Sequence[int], session: SessionSettings
    ) -> tuple[Any, ...]:
        settings = (
            session.time_zone,
            session.date_style,
            session.interval_style,
            session.extra_float_digits,
            session.bytea_output,
        )
        if settings not in self.followed:
            for column in self.columns:
                writer(column.type_oid, self.types, session)
            if len(self.followed) < _SETTINGS_KEPT:
                self.followed.add(settings)
        return parameters.values(self.parameter_types, given, formats, session, self.types)


_SETTINGS_KEPT = 100


async def _count(reader: Reader, namespace: Namespace, condition: Mapping[str, Any]) -> int:
    steps: list[Mapping[str, Any]] = [{"$match": condition}] if condition else []
    steps.append({"$count": "n"})
    async for raw in reader.aggregate(namespace, steps):
        return int(decode(raw)["n"])
    return 0


class CompiledRead:
    """See `api.BoundRead`."""

    def __init__(self, compiled: CompiledPlan, values: tuple[Any, ...], session: SessionSettings) -> None:
        self.plan = compiled
        self.values = values
        self.session = session

    async def run(self, reader: Reader, limits: ReadLimits, *, texts: bool = True) -> Result:
        run = Run(self.session, self.plan.types, self.values, limits.max_rows, self.plan.literals)
        fetched = []
        documents = size = 0
        for fetch in self.plan.fetches:
            count, read = await self._fetch(fetch, run, reader, limits, documents, size)
            fetched.append(Fetched(fetch.scan.table.mapping.table, count, read))
            documents += count
            size += read
        return self._result(run, tuple(fetched), texts)

    async def _fetch(
        self, fetch: plan.Fetch, run: Run, reader: Reader, limits: ReadLimits, documents: int, size: int
    ) -> tuple[int, int]:
        rows: list[Row] = []
        run.rows[fetch.scan.number] = rows
        question = fetch.question(run)
        if question is None:
            return 0, 0
        read = 0
        namespace = fetch.scan.table.mapping.namespace
        if question.count:
            run.counts[fetch.scan.number] = await _count(reader, namespace, question.condition)
            return 0, 0
        limit = question.limit or limits.max_rows - documents + 1
        if question.pipeline is not None:
            found = reader.aggregate(namespace, question.pipeline)
        else:
            found = reader.find(namespace, question.condition, question.projection, question.sort, limit)
        async for raw in found:
            read += len(raw)
            if documents + len(rows) >= limits.max_rows or size + read > limits.max_bytes:
                raise TooMuch("the read fetches too many documents")
            rows.append(fetch.decoder.row(raw))
        return len(rows), read

    def _result(self, run: Run, fetched: tuple[Fetched, ...], texts: bool) -> Result:
        outcome = self.plan.program.outcome(run)
        return Result(
            self.plan.columns,
            outcome.rows,
            self._texts(run, outcome.rows) if texts else [],
            tuple(outcome.ties),
            outcome.loose_head,
            outcome.loose_tail,
            self.plan.approximate,
            run.indeterminate,
            fetched,
        )

    def _texts(self, run: Run, rows: list[Row]) -> list[tuple[str | None, ...]]:
        writers = [writer(column.type_oid, run.types, run.session) for column in self.plan.columns]
        return [
            tuple(None if value is None else write(value) for value, write in zip(row, writers, strict=True))
            for row in rows
        ]
