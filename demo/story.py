"""What happens, step by step, and what is expected of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg

from demo import rule_edits, shop
from demo.audit import audit_pgbench, audit_shop
from demo.causeway import DRAIN_SECONDS
from demo.databases import describe
from demo.errors import DemoError
from demo.pgbench import Pgbench, Progress, Run
from demo.psql import cancelled_sleep
from demo.rule_edits import Edit
from demo.shop_process import ShopProcess
from demo.side_by_side import compare
from demo.stage import PASSWORD, USER, Stage, connected
from demo.state import State, Step
from demo.view import bare, duration, held_tables, number
from devstack.errors import DevstackError
from proxy.admin.status import Status
from proxy.phases import Phase

LIMIT_SECONDS = 90
"""For the whole, databases cached."""
_STEP_SECONDS = 60.0
"""For one step; past it something hangs."""
_CHECK_SECONDS = 0.5

FAILURES = (
    DemoError,
    DevstackError,
    TimeoutError,
    OSError,
    aiohttp.ClientError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)
"""What may go wrong in a step without being a mistake of the demo itself."""


@dataclass(frozen=True)
class Pace:
    """How long things take, in seconds, and how large they are."""

    alone: float
    """Both applications before anything is done to them."""
    look: float
    """After each edit of the rules, for whoever watches."""
    load: int
    """How long pgbench runs."""
    measure: float
    """For each comparison with PostgreSQL."""
    scale: int
    """Of pgbench: 100,000 accounts each."""
    clerks: int = 6
    think: float = 0.01
    pgbench_clients: int = 2
    """For each of the protocols."""


NORMAL = Pace(alone=5, look=4.5, load=28, measure=2, scale=4)
QUICK = Pace(alone=0.5, look=0.3, load=4, measure=0.3, scale=1)

PROTOCOLS = ("simple", "prepared")


class Story:
    """One run. `state` is what can be seen of it; `changed` is called when a step begins or ends."""

    def __init__(self, pace: Pace, changed: Callable[[], None] = lambda: None) -> None:
        self._pace = pace
        self.changed = changed
        self._plan: tuple[tuple[str, Callable[[Step], Awaitable[str]]], ...] = (
            ("databases", self._start_databases),
            ("proxy", self._start_proxy),
            ("pgbench fills its tables", self._fill_pgbench),
            ("the shop opens", self._open_shop),
            ("both under load", self._load),
            *((edit.title, self._editing(edit)) for edit in rule_edits.EDITS),
            ("psql: Ctrl-C stops a query", self._cancel),
            ("applications end, books hold", self._finish_applications),
            ("side by side with PostgreSQL", self._compare),
            ("the proxy drains", self._drain),
        )
        self.state = State(time.monotonic(), [Step(title) for title, _ in self._plan])
        self._stage = Stage(self.state)
        self._pgbench: Pgbench
        self._runs: list[Run] = []
        self._reloads: list[str] = []
        self._shop: ShopProcess

    async def run(self) -> None:
        """To the end, to the first step that fails, or until cancelled; what was started is stopped in each case."""
        state = self.state
        try:
            async with self._stage.exit:
                for step, (_, action) in zip(state.steps, self._plan, strict=True):
                    if not await self._carry_out(step, action):
                        break
        except asyncio.CancelledError:
            state.interrupted = True
            raise
        finally:
            state.ended = time.monotonic()
            for step in state.steps:
                if step.status in ("waiting", "running"):
                    step.status = "skipped"
            self.changed()
        if state.failed_step is None:
            seconds = state.ended - state.started
            state.expect(f"the whole within {LIMIT_SECONDS} s", seconds <= LIMIT_SECONDS, duration(seconds))

    async def _carry_out(self, step: Step, action: Callable[[Step], Awaitable[str]]) -> bool:
        step.status, step.began = "running", time.monotonic()
        self.changed()
        try:
            async with asyncio.timeout(_STEP_SECONDS):
                step.detail = await action(step)
        except FAILURES as error:
            step.status = "failed"
            step.detail = str(error) or f"{type(error).__name__} after {_STEP_SECONDS:.0f} s"
        else:
            step.status = "done"
        step.ended = time.monotonic()
        self.changed()
        return step.status == "done"

    # The steps. Each gives what has come of it.

    async def _start_databases(self, step: Step) -> str:
        step.detail = "PostgreSQL and the document store start"
        await self._stage.start_databases()
        postgres, store = self._stage.databases.postgres, self._stage.databases.document_store
        self.state.postgres = f"PostgreSQL {postgres.version}"
        self.state.store = await describe(store)
        await asyncio.to_thread(postgres.psql, "create database shop;\ncreate database pgbench;")
        return f"PostgreSQL {postgres.version} on port {postgres.port}; {self.state.store}"

    async def _start_proxy(self, step: Step) -> str:
        await self._stage.start_proxy()
        self.state.proxy = self._stage.proxy.address
        return (
            f"in front of PostgreSQL on port {self._stage.proxy.port}; the store is configured, "
            "but this version does not use it yet"
        )

    async def _fill_pgbench(self, step: Step) -> str:
        self._pgbench = Pgbench(self._stage.databases.postgres.pg_bin, self._stage.through("pgbench"))

        def told(percent: int) -> None:
            step.detail = f"{percent} % of {number(self._pace.scale * 100_000)} accounts, through the proxy"

        told(0)
        await self._pgbench.fill(self._pace.scale, told)
        return f"{number(self._pace.scale * 100_000)} accounts, by COPY through the proxy"

    async def _open_shop(self, step: Step) -> str:
        step.detail = "tables are made and filled through the proxy"

        def told(report: object) -> None:
            self.state.shop = self._shop.report

        self._shop = await ShopProcess.start(
            self._stage.through("shop", USER, PASSWORD),
            clerks=self._pace.clerks,
            think=self._pace.think,
            on_report=told,
        )
        self._stage.exit.push_async_callback(self._shop.close)
        await self._shop.opened()
        return (
            f"{len(shop.TABLES)} tables, {number(shop.CUSTOMERS)} customers, {self._pace.clerks} clerks on asyncpg; "
            "logged in with SCRAM-SHA-256 through the proxy"
        )

    async def _load(self, step: Step) -> str:
        for protocol in PROTOCOLS:

            def told(progress: Progress, protocol: str = protocol) -> None:
                self.state.pgbench[protocol] = progress

            run = await self._pgbench.start(protocol, self._pace.pgbench_clients, self._pace.load, told)
            self._stage.exit.push_async_callback(run.close)
            self._runs.append(run)
        clients = len(PROTOCOLS) * self._pace.pgbench_clients
        step.detail = f"{self._pace.clerks} clerks of the shop, {clients} clients of pgbench"
        await self._watch(self._pace.alone)
        await self._stage.sample()
        return f"{number(self.state.traffic.statements_per_second)} statements/s"

    def _editing(self, edit: Edit) -> Callable[[Step], Awaitable[str]]:
        async def step(step: Step) -> str:
            return await self._edit(edit, step)

        return step

    async def _edit(self, edit: Edit, step: Step) -> str:
        state = self.state
        before = await self._stage.sample()
        digest = before.rules.digest
        statements = self._stage.statements()
        seen = len(self._stage.proxy.events)
        began = time.monotonic()
        self._stage.write_rules(edit)
        step.detail = f"{len(state.rules_changed)} lines of {rule_edits.FILE_NAME} have changed"
        await self._stage.logged("rules_applied" if edit.good else "rules_rejected", seen)
        took = time.monotonic() - began
        state.rules_rejected = not edit.good
        status = await self._stage.sample()
        detail = (
            self._taken(edit, status, digest, took)
            if edit.good
            else await self._refused(edit, status, digest)
        )
        step.detail = detail
        await self._watch(self._pace.look)
        await self._stage.sample()
        passed = self._stage.statements() - statements
        state.expect(
            "statements go on through every reload",
            passed > 0 and state.application_errors == 0,
            f"{number(passed)} during the last",
        )
        return detail

    def _taken(self, edit: Edit, status: Status, before: str | None, took: float) -> str:
        """What a good edit has to lead to, `took` seconds after it; `before` is the digest of the rules until then."""
        self._reloads.append(duration(took))
        self.state.expect(
            "good rules are taken while statements run",
            not status.rules.problems and status.rules.digest != before,
            f"after {', '.join(self._reloads)}",
        )
        requested = {bare(table): str(table.requested) for table in status.tables}
        self.state.expect(
            "every table shows the phase it asks for",
            requested == {table: edit.phases.get(table, "passthrough") for table in shop.TABLES},
            ", ".join(f"{table} {phase}" for table, phase in requested.items() if table in edit.phases),
        )
        passing = all(table.effective is Phase.PASSTHROUGH for table in status.tables)
        if not edit.phases:
            held = any(table.reasons for table in status.tables)
            self.state.expect(
                "going back is always possible", passing and not held, f"after {duration(took)}"
            )
            return f"in force after {duration(took)}"
        reasons = "; ".join(f"{', '.join(tables)}: {reason}" for reason, tables in held_tables(status.tables))
        self.state.expect(
            "what asks for too much is held in passthrough, and why is said",
            passing and all(bool(table.reasons) == (bare(table) in edit.phases) for table in status.tables),
            reasons,
        )
        return f"in force after {duration(took)}; held: {reasons}"

    async def _refused(self, edit: Edit, status: Status, before: str | None) -> str:
        """What a bad edit has to lead to."""
        problems = status.rules.problems
        places = [f"{Path(problem.file).name}:{problem.line}" for problem in problems]
        self.state.expect(
            "bad rules are rejected, with file and line",
            places == [f"{rule_edits.FILE_NAME}:{line}" for line in edit.mistakes],
            ", ".join(places),
        )
        ready = (await self._stage.proxy.readiness()).ready
        self.state.expect(
            "the rules before them stay in force, the proxy stays ready",
            status.rules.digest == before and ready,
            f"digest {status.rules.digest}, {'ready' if ready else 'not ready'}",
        )
        return "; ".join(
            f"{place}:{problem.column}: {problem.key_path}: {problem.message} ({problem.hint})"
            for place, problem in zip(places, problems, strict=True)
        )

    async def _cancel(self, step: Step) -> str:
        step.detail = "select pg_sleep(600), through the proxy"
        taken = await cancelled_sleep(
            self._stage.databases.postgres.pg_bin / "psql",
            self._stage.through("postgres"),
            lambda: self._stage.active(application="psql"),
        )
        await self._stage.sample()
        last = self.state.last
        forwarded = last.cancels.get("forwarded", 0) if last else 0
        self.state.expect(
            "Ctrl-C in psql stops its query",
            forwarded == 1,
            f"after {duration(taken)}",
        )
        return f"stopped {duration(taken)} after Ctrl-C"

    async def _finish_applications(self, step: Step) -> str:
        state = self.state
        step.detail = "pgbench's time runs out, then the shop closes"
        outcomes = [await run.outcome() for run in self._runs]
        state.pgbench.clear()
        state.pgbench_transactions = sum(outcome.transactions for outcome in outcomes)
        state.pgbench_failed = sum(outcome.failed for outcome in outcomes)
        self._shop.check()
        report = await self._shop.close_shop()
        state.expect("no error at an application", state.application_errors == 0, report.last_error or "none")
        state.expect(
            "no application has to reconnect", report.reconnects == 0, f"{report.reconnects} reconnects"
        )
        step.detail = "the books are compared with what PostgreSQL holds"
        await self._stage.until(
            lambda: self._stage.connections() == 0, "connections stay open after the applications have closed"
        )
        last = state.last
        assert last is not None
        state.expect(
            "no connection is left over",
            last.clients == last.servers == 0,
            f"{last.connections:.0f} were opened, {last.servers:.0f} are left",
        )
        state.expect(
            "the only error passed on is the stopped query's",
            dict(last.errors) == {"57": 1},
            ", ".join(f"class {kind}: {count:.0f}" for kind, count in last.errors.items()) or "none",
        )
        async with connected(self._stage.databases.postgres.dsn("shop")) as connection:
            wrong = await audit_shop(connection, report)
        async with connected(self._stage.databases.postgres.dsn("pgbench")) as connection:
            wrong += await audit_pgbench(connection, state.pgbench_transactions)
        kept = (
            f"{number(report.orders)} orders, {number(report.payments)} payments, "
            f"{number(state.pgbench_transactions)} transactions"
        )
        state.expect(
            "PostgreSQL holds what the applications were told",
            not wrong and report.orders > 0 and state.pgbench_transactions > 0,
            "; ".join(wrong) or kept,
        )
        return f"{kept}; no connection is left over"

    async def _compare(self, step: Step) -> str:
        step.detail = "one client, in turns"
        async with AsyncExitStack() as connections:
            pair = []
            for dsn in (
                self._stage.direct("shop"),
                self._stage.through("shop", USER, PASSWORD) + "?sslmode=disable",
            ):
                connection = await asyncpg.connect(dsn)
                connections.push_async_callback(connection.close)
                pair.append(connection)
            direct, proxied = pair
            reads = [await c.prepare("select * from products where id = $1") for c in pair]
            self.state.comparisons.append(
                await compare(
                    "a read by key, prepared",
                    lambda: reads[0].fetchrow(7),
                    lambda: reads[1].fetchrow(7),
                    self._pace.measure,
                )
            )
            basket = {7: 1, 8: 1}
            await direct.execute("update products set stock = 1000000 where id = any($1)", list(basket))
            self.state.comparisons.append(
                await compare(
                    "an order, 11 round trips",
                    lambda: shop.place_order(direct, 1, basket),
                    lambda: shop.place_order(proxied, 1, basket),
                    self._pace.measure,
                )
            )
        return "; ".join(
            f"{one.name}: p50 {duration(one.direct.p50)} direct, {duration(one.proxied.p50)} through the proxy"
            for one in self.state.comparisons
        )

    async def _drain(self, step: Step) -> str:
        state = self.state
        step.detail = "SIGTERM while a transaction is open"
        await self._stage.sample()
        visitor = await asyncpg.connect(self._stage.through("shop", USER, PASSWORD))
        transaction = visitor.transaction()
        await transaction.start()
        await visitor.execute("insert into customers (email, name) values ('late@example.com', 'Late')")
        seen = len(self._stage.proxy.events)
        self._stage.stop_sampling()
        began = time.monotonic()
        self._stage.proxy.terminate()
        await self._stage.logged("draining", seen)
        ready = (await self._stage.proxy.readiness()).ready
        turned_away = False
        try:
            await (await asyncpg.connect(self._stage.through("shop", USER, PASSWORD), timeout=5)).close()
        except (OSError, asyncpg.PostgresError):
            turned_away = True
        state.expect(
            "while it drains it is not ready and takes nobody new",
            not ready and turned_away,
            f"{'still ready' if ready else 'not ready'}, a newcomer {'refused' if turned_away else 'let in'}",
        )
        await transaction.commit()
        code = await self._stage.proxy.wait(DRAIN_SECONDS + 5)
        visitor.terminate()
        took = time.monotonic() - began
        async with connected(self._stage.direct("shop")) as connection:
            late = await connection.fetchval(
                "select count(*) from customers where email = 'late@example.com'"
            )
        state.expect("an open transaction may finish first", late == 1, "committed" if late == 1 else "lost")
        state.expect(
            "the proxy ends by itself, exit code 0", code == 0, f"code {code} after {duration(took)}"
        )
        self._stage.read_log()
        unexpected = [
            str(event.get("event"))
            for event in self._stage.proxy.events
            if event.get("level") in ("error", "critical")
            and event.get("event") not in ("rules_rejected", "rules_problem")
        ]
        state.expect(
            "its log has no error but the rejected rules", not unexpected, ", ".join(unexpected) or "none"
        )
        return (
            f"an open transaction committed, newcomers were refused, exit code {code} after {duration(took)}"
        )

    async def _watch(self, seconds: float) -> None:
        """Let the applications run. Raises DemoError where the shop is gone."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._shop.check()
            await asyncio.sleep(min(left, _CHECK_SECONDS))
