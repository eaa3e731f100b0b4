"""The last steps: a query is stopped, the applications end, what it costs, the proxy drains."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack

import asyncpg

from demo import shop
from demo.audit import audit_pgbench, audit_shop
from demo.causeway import DRAIN_SECONDS
from demo.figures import duration, number
from demo.psql import cancelled_sleep
from demo.scene import Scene
from demo.side_by_side import compare
from demo.stage import DATABASE, PASSWORD, USER, connected
from demo.state import Step

_HANDLED = ("rules_rejected", "rules_problem")
"""Errors that the proxy has to log."""


class Closing:
    """Each step gives what has come of it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def cancel(self, step: Step) -> str:
        stage, state = self._scene.stage, self._scene.state
        step.detail = "select pg_sleep(600), through the proxy"
        taken = await cancelled_sleep(
            stage.databases.postgres.pg_bin / "psql",
            stage.through("postgres"),
            lambda: stage.active(application="psql"),
        )
        await stage.sample()
        last = state.last
        forwarded = last.cancels.get("forwarded", 0) if last else 0
        state.expect("Ctrl-C in psql stops its query", forwarded == 1, f"after {duration(taken)}")
        return f"stopped {duration(taken)} after Ctrl-C"

    async def finish_applications(self, step: Step) -> str:
        scene, stage, state = self._scene, self._scene.stage, self._scene.state
        step.detail = "pgbench's time runs out, then the shop closes"
        outcomes = [await run.outcome() for run in scene.runs]
        state.pgbench.clear()
        state.pgbench_transactions = sum(outcome.transactions for outcome in outcomes)
        state.pgbench_failed = sum(outcome.failed for outcome in outcomes)
        scene.shop.check()
        report = await scene.shop.close_shop()
        scene.opened = None
        state.expect("no error at an application", state.application_errors == 0, report.last_error or "none")
        state.expect(
            "no application has to reconnect", report.reconnects == 0, f"{report.reconnects} reconnects"
        )
        step.detail = "the books are compared with what PostgreSQL holds"
        await stage.until(
            lambda: stage.connections() == 0, "connections stay open after the applications have closed"
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
        async with connected(stage.databases.postgres.dsn(DATABASE)) as connection:
            wrong = await audit_shop(connection, report)
        async with connected(stage.databases.postgres.dsn("pgbench")) as connection:
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

    async def compare_mirrored(self, step: Step) -> str:
        return await self._compare(step, ("a read by key", "an order, mirrored"))

    async def compare_passed(self, step: Step) -> str:
        return await self._compare(step, ("", "an order, passed on"))

    async def _compare(self, step: Step, names: tuple[str, str]) -> str:
        """A read (unless its name is empty) and an order, on PostgreSQL itself and through the proxy."""
        state, stage, pace = self._scene.state, self._scene.stage, self._scene.pace
        step.detail = "one client, in turns"
        done = len(state.comparisons)
        async with AsyncExitStack() as connections:
            pair = []
            for dsn in (stage.direct(DATABASE), stage.through(DATABASE, USER, PASSWORD) + "?sslmode=disable"):
                connection = await asyncpg.connect(dsn)
                connections.push_async_callback(connection.close)
                pair.append(connection)
            direct, proxied = pair
            read, order = names
            if read:
                reads = [await c.prepare("select * from products where id = $1") for c in pair]
                state.comparisons.append(
                    await compare(
                        read, lambda: reads[0].fetchrow(7), lambda: reads[1].fetchrow(7), pace.measure
                    )
                )
            basket = {7: 1, 8: 1}
            await direct.execute("update products set stock = 1000000 where id = any($1)", list(basket))
            state.comparisons.append(
                await compare(
                    order,
                    lambda: shop.place_order(direct, 1, basket),
                    lambda: shop.place_order(proxied, 1, basket),
                    pace.measure,
                )
            )
        return "; ".join(
            f"{one.name}: p50 {duration(one.direct.p50)} direct, {duration(one.proxied.p50)} through the proxy"
            for one in state.comparisons[done:]
        )

    async def drain(self, step: Step) -> str:
        stage, state = self._scene.stage, self._scene.state
        step.detail = "SIGTERM while a transaction is open"
        await stage.sample()
        visitor = await asyncpg.connect(stage.through(DATABASE, USER, PASSWORD))
        transaction = visitor.transaction()
        await transaction.start()
        late = await visitor.fetchval(
            "insert into customers (email, name) values ('late@example.com', 'Late') returning id"
        )
        seen = len(stage.proxy.events)
        stage.stop_sampling()
        began = time.monotonic()
        stage.proxy.terminate()
        await stage.logged("draining", seen)
        ready = (await stage.proxy.readiness()).ready
        turned_away = False
        try:
            await (await asyncpg.connect(stage.through(DATABASE, USER, PASSWORD), timeout=5)).close()
        except (OSError, asyncpg.PostgresError):
            turned_away = True
        state.expect(
            "while it drains it is not ready and takes nobody new",
            not ready and turned_away,
            f"{'still ready' if ready else 'not ready'}, a newcomer {'refused' if turned_away else 'let in'}",
        )
        await transaction.commit()
        code = await stage.proxy.wait(2 * DRAIN_SECONDS + 5)
        visitor.terminate()
        took = time.monotonic() - began
        async with connected(stage.direct(DATABASE)) as connection:
            found = await connection.fetchval("select count(*) from customers where id = $1", late)
        document = await self._scene.documents.find("customers", late)
        state.expect(
            "an open transaction may finish first", found == 1, "committed" if found == 1 else "lost"
        )
        state.expect(
            "its document is there when the proxy has ended",
            document is not None and document.get("name") == "Late",
            f"customers {late}",
        )
        state.expect(
            "the proxy ends by itself, exit code 0", code == 0, f"code {code} after {duration(took)}"
        )
        stage.read_log()
        unexpected = [
            str(event.get("event"))
            for event in stage.proxy.events
            if event.get("level") in ("error", "critical") and event.get("event") not in _HANDLED
        ]
        state.expect(
            "its log has no error but the rejected rules", not unexpected, ", ".join(unexpected) or "none"
        )
        return (
            f"an open transaction committed and was mirrored, newcomers were refused, exit code {code} "
            f"after {duration(took)}"
        )
