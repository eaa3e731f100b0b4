"""One read to its outcome, with both sides made of lists: what is looked at again, how often, and what is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from proxy.catalog.source import SourceDatabase, SourceUnavailable
from proxy.documents.mapping import Server, build_mapping
from proxy.mirror.tables import MirroredTable, Surroundings, TableBook
from proxy.names import TableName
from proxy.rulefiles.ruleset import RuleSet
from proxy.rulefiles.schema import Shadow
from proxy.shadow.engine import Case, Engine
from proxy.shadow.judge import MAX_LOOKS
from proxy.shadow.ledger import Mismatch
from proxy.shadow.outcomes import Done, Outcome
from proxy.shadow.plans import ShadowPlans
from proxy.shadow.rows import Row
from proxy.shadow.sample import SampledRead, strictest
from proxy.shadow.source import Answer, SourceFailed
from proxy.stores.protocol import StoreUnavailable
from proxy.translate.api import (
    ForeignDocument,
    Inexact,
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
from tests.documents.made import relation, rule_of
from tests.shadow.made import described, sampled
from tests.support.capture import snapshot

ORDERS = relation("orders", [("id", 23), ("note", 25)], key=("id",))
COLUMNS = (OutputColumn("id", 23, -1, ORDERS.oid, 1), OutputColumn("note", 25, -1, ORDERS.oid, 2))
Says = Callable[[], Sequence[Row]]


def table_of(**shadow: Any) -> MirroredTable:
    rule = rule_of("orders", shadow=shadow) if shadow else rule_of("orders")
    mapping = build_mapping(ORDERS, rule, {}, Server("shop"))
    return MirroredTable("shop", ORDERS, rule, mapping, snapshot([ORDERS]))


class FakePlan:
    """Gives what it is told to; also its own BoundRead."""

    def __init__(self, says: Says, table: MirroredTable, **order: Any) -> None:
        self.says = says
        self.tables = (table,)
        self.columns = COLUMNS
        self.parameter_types: tuple[int, ...] = ()
        self.order = Order(**order)
        self.loose = False
        self.seen: list[SessionSettings] = []

    def bind(self, parameters: Any, formats: Any, session: SessionSettings) -> FakePlan:
        self.seen.append(session)
        return self

    async def run(self, reader: Reader, limits: ReadLimits, *, texts: bool = True) -> Result:
        rows = list(self.says())
        return Result(self.columns, list(rows), list(rows), (len(rows),), loose_tail=self.loose)

    def explain(self) -> Any:
        raise NotImplementedError


class World:
    """Both sides, and an engine between them. `now` counts the questions asked."""

    def __init__(
        self, store: Says, source: Says, *, table: MirroredTable | None = None, **order: Any
    ) -> None:
        self.plan = FakePlan(store, table or table_of(), **order)
        self.source_says = source
        self.asked = 0
        self.waited: list[int] = []
        self.kept: list[Mismatch] = []
        self.described = tuple((column.name, column.type_oid) for column in COLUMNS)
        self.store: Any = None
        book = TableBook(RuleSet(), {}, Surroundings(True, True, True))
        plans = ShadowPlans(book, compile=lambda *_: self.plan)
        self.engine = Engine(plans, self, self, self, self, sleep=self._sleep)  # type: ignore[arg-type]

    async def _sleep(self, seconds: float) -> None:
        pass

    async def ask(self, *_: Any, twice: bool = False, **__: Any) -> Answer:
        self.asked += 1
        rows = list(self.source_says())
        return Answer(rows, list(self.source_says()) if twice else None, self.described, 7, self.asked)

    async def wait_passed(self, database: str, version: int) -> None:
        self.waited.append(version)

    async def open_gap(self, database: str, tables: Sequence[str]) -> str:
        return "open gaps: trigger"

    async def record(self, mismatch: Mismatch) -> bool:
        self.kept.append(mismatch)
        return True

    def table(self, name: TableName) -> MirroredTable:
        return self.plan.tables[0]

    def source(self, database: str) -> SourceDatabase:
        raise SourceUnavailable(database, "not here")

    async def refresh(self, database: str) -> None:
        pass

    async def run(self, read: SampledRead) -> Done:
        found = await self.engine.first(read)
        return await self.engine.again(found) if isinstance(found, Case) else found


def rows(*values: Row) -> Says:
    return lambda: values


def turns(*answers: Sequence[Row]) -> Says:
    """One after the other; the last for ever."""
    left = list(answers)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def raising(error: Exception) -> Says:
    def says() -> Sequence[Row]:
        raise error

    return says


A, B, C = ("1", "a"), ("1", "b"), ("1", "c")
READ = sampled("SELECT id, note FROM orders", [(b"1", b"a")])


async def test_the_same_rows_match_without_another_question() -> None:
    world = World(rows(A), rows(B))
    done = await world.run(READ)
    assert (done.outcome, world.asked) == (Outcome.MATCH, 0)
    assert done.statement == "SELECT id, note FROM orders"
    assert done.store_seconds is not None


async def test_what_was_on_its_way_is_transient() -> None:
    world = World(turns([B], [A]), rows(A))
    done = await world.run(READ)
    assert (done.outcome, done.reason) == (Outcome.TRANSIENT, "")
    assert world.waited == [1], "the mirror has passed the read before the store is asked again"


async def test_a_store_that_is_ahead_is_transient() -> None:
    world = World(rows(B), turns([A], [B]))
    assert (await world.run(READ)).outcome is Outcome.TRANSIENT


async def test_what_lasts_is_a_mismatch_and_kept() -> None:
    world = World(rows(B), rows(A))
    done = await world.run(READ)
    assert (done.outcome, done.reason) == (Outcome.MISMATCH, "rows")
    assert len(world.waited) == 2
    (entry,) = world.kept
    assert (entry.columns, entry.kind, entry.note) == (("note",), "rows", "open gaps: trigger")
    assert entry.keys[0].key == ("1",)
    assert (entry.values[0].postgres, entry.values[0].store) == ("(redacted)", "(redacted)")


async def test_what_changes_under_every_look_is_no_mismatch() -> None:
    count = 0

    def always_new() -> Sequence[Row]:
        nonlocal count
        count += 1
        return [("1", str(count))]

    # PostgreSQL is asked a second time in the same snapshot: there it says the same.
    world = World(rows(("1", "old")), always_new)

    async def ask(*_: Any, twice: bool = False, **__: Any) -> Answer:
        found = list(always_new())
        return Answer(found, found if twice else None, world.described, 7, 1)

    world.engine._source = type("S", (), {"ask": staticmethod(ask)})()
    done = await world.run(READ)
    assert (done.outcome, done.reason) == (Outcome.TRANSIENT, "it changed whenever it was looked at")
    assert len(world.waited) == MAX_LOOKS
    assert not world.kept


async def test_a_source_that_disagrees_with_itself_is_nondeterministic() -> None:
    flip = 0

    def either() -> Sequence[Row]:
        nonlocal flip
        flip += 1
        return [A] if flip % 2 else [C]

    done = await World(rows(B), either).run(READ)
    assert (done.outcome, done.reason) == (Outcome.NONDETERMINISTIC, "PostgreSQL disagrees with itself")


async def test_a_limit_without_a_total_order_is_nondeterministic() -> None:
    world = World(rows(B), rows(A))
    world.plan.loose = True
    assert (await world.run(READ)).outcome is Outcome.NONDETERMINISTIC
    assert world.asked == 0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Inexact("a parameter of type box"), Outcome.UNSUPPORTED),
        (TooMuch("more than max_rows"), Outcome.SKIPPED),
        (TimeoutError(), Outcome.TIMEOUT),
        (StoreUnavailable("away"), Outcome.ERROR),
        (ReadError("22012", "division by zero"), Outcome.ERROR),
        (ForeignDocument("orders", "note"), Outcome.MISMATCH),
    ],
)
async def test_failures_have_their_outcomes(error: Exception, outcome: Outcome) -> None:
    world = World(raising(error), rows(A))
    assert (await world.run(READ)).outcome is outcome
    assert len(world.kept) == (outcome is Outcome.MISMATCH)


async def test_an_error_that_goes_away_is_transient() -> None:
    calls = 0

    def says() -> Sequence[Row]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ReadError("22012", "division by zero")
        return [A]

    assert (await World(says, rows(A)).run(READ)).outcome is Outcome.TRANSIENT


async def test_what_cannot_be_compiled_is_unsupported() -> None:
    world = World(rows(A), rows(A))

    def refuse(*_: Any) -> Any:
        raise Unsupported("LATERAL")

    world.engine.plans = ShadowPlans(world.engine.plans.book, compile=refuse)
    done = await world.run(READ)
    assert (done.outcome, done.reason) == (Outcome.UNSUPPORTED, "LATERAL")
    assert done.fingerprint


async def test_another_description_is_a_mismatch_where_it_lasts() -> None:
    told = described(("id", ORDERS.oid, 1, 20, -1), ("note", ORDERS.oid, 2, 25, -1))
    read = sampled("SELECT id, note FROM orders", [(b"1", b"a")], description=told)
    assert (await World(rows(A), rows(A)).run(read)).outcome is Outcome.TRANSIENT
    world = World(rows(A), rows(A))
    world.described = (("id", 20), ("note", 25))
    done = await world.run(read)
    assert (done.outcome, done.reason) == (Outcome.MISMATCH, "description")


async def test_rows_of_another_width_are_looked_at_again() -> None:
    read = sampled("SELECT id, note FROM orders", [(b"1", b"a", b"new")])
    assert (await World(rows(A), rows(A)).run(read)).outcome is Outcome.TRANSIENT


async def test_ddl_is_no_mismatch() -> None:
    world = World(rows(A), rows(A))
    world.described = (("id", 20), ("note", 25))
    told = described(("id", ORDERS.oid, 1, 20, -1), ("note", ORDERS.oid, 2, 25, -1))
    read = sampled("SELECT id, note FROM orders", [(b"1", b"a")], description=told)
    case = await world.engine.first(read)
    assert isinstance(case, Case)
    world.engine.plans = ShadowPlans(world.engine.plans.book)
    done = await world.engine.again(case)
    assert (done.outcome, done.reason) == (Outcome.TRANSIENT, "rules or catalogue have changed")


async def test_reads_of_the_time_are_asked_of_both_sides_with_one_time() -> None:
    world = World(rows(A), rows(A), volatile=frozenset({"now"}))
    assert (await world.run(READ)).outcome is Outcome.MATCH
    assert [one.now for one in world.plan.seen] == [7]


async def test_reads_of_the_user_are_not_asked_again() -> None:
    world = World(rows(B), rows(A), volatile=frozenset({"user"}))
    done = await world.run(READ)
    assert (done.outcome, world.asked) == (Outcome.SKIPPED, 0)
    assert world.plan.seen[0].user == "ann"


async def test_rules_accept_differences_and_are_named() -> None:
    world = World(rows(B), rows(A), table=table_of(ignore={"table": True}))
    done = await world.run(READ)
    assert (done.outcome, done.accepted) == (Outcome.IGNORED, "table public.orders")
    world = World(rows(B), rows(A), table=table_of(ignore={"columns": ["note"]}))
    done = await world.run(READ)
    assert (done.outcome, done.accepted) == (Outcome.IGNORED, "column public.orders.note")
    world = World(rows(("2", "b")), rows(A), table=table_of(ignore={"columns": ["note"]}))
    assert (await world.run(READ)).outcome is Outcome.MISMATCH
    world = World(rows(B), rows(A), table=table_of(ignore={"fingerprints": [done.fingerprint]}))
    done = await world.run(READ)
    assert (done.outcome, done.accepted) == (Outcome.IGNORED, f"fingerprint {done.fingerprint}")
    assert not world.kept


async def test_a_source_that_does_not_answer_is_an_error() -> None:
    world = World(rows(B), raising(SourceFailed("PostgreSQL could not be reached")))
    done = await world.run(READ)
    assert (done.outcome, done.reason) == (Outcome.ERROR, "PostgreSQL could not be reached")


async def test_floats_cut_short_are_not_compared() -> None:
    read = sampled("SELECT id FROM orders", [(b"1", b"a")], settings=(("extra_float_digits", "0"),))
    assert (await World(rows(A), rows(A)).run(read)).outcome is Outcome.SKIPPED


def test_the_strictest_rule_of_several_tables_holds() -> None:
    wide = Shadow.model_validate({"timeout": "9s", "max_rows": 5, "redaction": "plain"})
    narrow = Shadow.model_validate({"timeout": "1s", "max_rows": 7, "redaction": "hash"})
    limits = strictest((wide, narrow))
    assert (limits.timeout, limits.max_rows, limits.redaction.value) == (1.0, 5, "hash")
