"""States of the demo as they are on the way, for the tests of what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any

from rich.console import Console, RenderableType

from demo.clerks import Report
from demo.equality import Equality
from demo.metrics import Reading
from demo.pgbench import Progress
from demo.rule_edits import MISTAKE, START
from demo.shop import TABLES
from demo.side_by_side import Comparison, Latency
from demo.state import COPIED, Copying, LogLine, Outage, Pair, Served, State, Step, Waiting, Work
from proxy.admin.shadow import Percentiles, StatementStatus
from proxy.admin.status import Status

REASON = "dark_read: its history has not been copied"
TITLES = (
    "databases",
    "proxy",
    "pgbench fills its tables",
    "the shop's tables are made",
    "the shop opens",
    "both under load",
    "rows become documents",
    "rules: a mistake, rejected",
    "the document store is gone",
    "applications end, books hold",
    "every row equals its document",
    "side by side with PostgreSQL",
    "the proxy drains",
)


def status(phases: Mapping[str, str] | None = None, problems: list[dict[str, Any]] | None = None) -> Status:
    connections = {"client": 10, "server": 10, "starting": 0, "idle": 4, "active": 6, "limit": 1000}
    phases = phases or {}
    overview = {"store": "ok", "spool_entries": 3, "catalogues": [{"database": "shop", "state": "ok"}]}
    return Status.model_validate(
        {
            "version": "0.1.0",
            "state": "running",
            "started_at": "2026-01-01T00:00:00Z",
            "listen": ["127.0.0.1:6432"],
            "upstream": ["127.0.0.1:5432"],
            "workers": 1,
            "connections": connections,
            "rules": {
                "source": "/tmp/rules",
                "digest": "eb09adcd709460dc",
                "loaded_at": "2026-01-01T00:00:00Z",
                "needs_sql": False,
                "problems": problems or [],
            },
            "tables": [
                {
                    "database": "shop",
                    "table": f"public.{table}",
                    "requested": phases.get(table, "dual_write"),
                    "effective": "dual_write",
                    "reasons": [REASON] if table in phases else [],
                    "overridden": [],
                    "force": False,
                    "collection": table,
                    "rule": "/tmp/rules/shop.yaml:7:3",
                    "mirror": {"captured": 1234, "applied": 1200, "queued": 34, "lag_seconds": 0.25},
                }
                for table in TABLES
            ],
            "mirror": overview,
            "processes": [
                {
                    "worker": 0,
                    "pid": 4711,
                    "state": "running",
                    "started_at": "2026-01-01T00:00:00Z",
                    "listen": ["127.0.0.1:6432"],
                    "connections": connections,
                    "rules_digest": "eb09adcd709460dc",
                    "loop_lag_seconds": 0.001,
                    "loop_lag_max": 0.01,
                    "cpu_seconds": 2.5,
                    "rss_bytes": 60_000_000,
                    "open_fds": 40,
                    "max_fds": 1024,
                }
            ],
        }
    )


def beginning() -> State:
    """Nothing has run yet."""
    return State(100.0, [Step(title) for title in TITLES])


def under_load() -> State:
    """Two tables ask for more than what is built and are held."""
    state = beginning()
    for number, step in enumerate(state.steps[:6]):
        step.status, step.began, step.ended = "done", 100.0 + number, 101.0 + number
    state.steps[5].status = "running"
    state.steps[5].detail = f"in force after 110 ms; held: orders, payments: {REASON}"
    state.postgres, state.store = "PostgreSQL 18.1", "DocumentDB (as MongoDB 8.0.0)"
    state.proxy = "127.0.0.1:34567"
    for second in range(20):
        state.add(
            Reading(
                at=100.0 + second / 2,
                statements={"SELECT": 1000.0 * second, "UPDATE": 500.0 * second},
                reloads={"applied": 1.0},
                own_share=(
                    (1.6e-05, 90.0 * second),
                    (6.5e-05, 100.0 * second),
                    (float("inf"), 100.0 * second),
                ),
                connections=11,
                clients=10,
                servers=10,
                bytes=100_000.0 * second,
                memory=60e6,
                cpu=0.1 * second,
            )
        )
        state.wait(Waiting(100.0 + second / 2, 5 * second, second, second / 10))
    state.documents = dict.fromkeys(TABLES, 1000)
    state.status = status({"orders": "dark_read", "payments": "primary_switch"})
    state.shop = Report(actions=400, orders=137, payments=94, connections=6, p50=0.0123, p99=0.0456)
    state.pgbench = {"simple": Progress(100.0, 0.02, 0), "prepared": Progress(163.0, 0.012, 0)}
    state.rule_file = START.text
    state.events = [LogLine("info", "07:39:43 started listen=127.0.0.1:34567")] * 3
    return state


def rejected() -> State:
    """The rule file has two mistakes."""
    state = under_load()
    state.steps[5].status = "done"
    state.steps[7].status, state.steps[7].began = "running", 109.0
    state.steps[7].detail = "shop.yaml:5:11: defaults.shadow: '5' has no percent sign (write 5%)"
    state.rules_rejected = True
    state.rule_file = MISTAKE.text
    state.rules_changed = frozenset(MISTAKE.mistakes)
    state.status = status(
        {},
        [
            {
                "file": "/tmp/rules/shop.yaml",
                "line": line,
                "column": 11,
                "key_path": path,
                "message": message,
                "hint": "write 5%",
            }
            for line, path, message in (
                (5, "defaults.shadow", "'5' has no percent sign"),
                (13, "tables.order_items.phase", "dual_wirte is not one of the words for this key"),
            )
        ],
    )
    state.events.append(LogLine("error", "07:39:58 rules_problem file=shop.yaml line=5"))
    return state


def paired() -> State:
    """A row is shown beside its document."""
    state = under_load()
    state.steps[5].status = "done"
    state.steps[6].status, state.steps[6].began = "running", 109.0
    state.pair = Pair(
        TITLES[6],
        "orders 41",
        {
            "id": "41",
            "customer_id": "7",
            "status": "shipped",
            "total": "64.50",
            "placed_at": "2026-01-01 00:00:00+00",
        },
        '{_id: 41, customer_id: 7, status: "shipped", total: Decimal(64.50), placed_at: Date(2026-01-01T00:00:00.000)}',
    )
    return state


def copying() -> State:
    """The history is being copied."""
    state = under_load()
    state.steps[5].status = "done"
    state.steps[6] = Step(COPIED, "running", "12,345 rows (41 %)", 109.0)
    state.copying = Copying("shop.public.visits", 0.41, 12_345, 3456.0, 5.0, "running")
    return state


def without_store() -> State:
    """The document store has been stopped."""
    state = under_load()
    state.steps[5].status = "done"
    state.steps[8].status, state.steps[8].began = "running", 109.0
    state.steps[8].detail = "killed; 95 rows wait on the proxy's disk"
    state.store_stopped = True
    return state


def compared() -> State:
    """Tables and collections are compared; one row differs."""
    state = under_load()
    state.steps[5].status = "done"
    state.steps[10].status, state.steps[10].began = "running", 109.0
    state.compared, state.compared_in = state.status, TITLES[10]
    state.equalities = [
        Equality(table, 1000, 1000, 5000, ("orders 1: total differs",) if table == "orders" else ())
        for table in sorted(TABLES)
    ]
    return state


def ended() -> State:
    """All is well."""
    state = under_load()
    for step in state.steps:
        step.status, step.ended = "done", 140.0
    state.status = status()
    state.pgbench = {}
    state.pgbench_transactions = 12_246
    state.shop = Report(actions=4000, orders=950, payments=645, connections=6, closed=True)
    state.comparisons = [
        Comparison("a read by key", Latency(0.0001, 0.0004), Latency(0.00016, 0.0009), 500),
        Comparison("an order, mirrored", Latency(0.004, 0.009), Latency(0.0038, 0.012), 50),
    ]
    state.pair = paired().pair
    state.compared = state.status
    state.equalities = [Equality(table, 1000, 1000, 5000, ()) for table in sorted(TABLES)]
    state.outage = Outage(
        7.1, Work(0.0131, 211.0), Work(0.0127, 214.0), 2075, 610, "mirror: store away", caught_up=1.8
    )
    state.shadowed = (
        StatementStatus(
            database="shop",
            fingerprint="0123456789abcdef",
            statement="select id, email, name, joined_at from customers where id = ?",
            tables=["public.customers"],
            outcomes={"match": 512},
            postgres=Percentiles(p50=0.0004, p95=0.001, p99=0.002),
            store=Percentiles(p50=0.0012, p95=0.003, p99=None),
        ),
    )
    state.served = Served(1234, 321, Work(0.0131, 211.0))
    state.expect("no error at an application", True, "none")
    state.ended = 145.0
    return state


def shown(what: RenderableType, width: int = 80) -> str:
    """As text, without colours."""
    console = Console(width=width, height=500, file=StringIO(), color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(what)
    return capture.get()
