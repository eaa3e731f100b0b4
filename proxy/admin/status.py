"""The documented answer of /status and /readyz, for the server that gives it and the commands that read it.

A process describes itself in a `ProcessReport`; `combine` makes one `Status` of the reports of all workers.
Fields are only ever added; a change of meaning raises `SCHEMA_VERSION`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from proxy import __version__
from proxy.admin import mirror as mirroring
from proxy.admin.history import BackfillStatus, VerifyStatus
from proxy.admin.mirror import (
    MirrorOverview,
    MirrorReport,
    MirrorStatus,
    TableReport,
    describe,
    is_mirrored,
    overview,
)
from proxy.admin.model import Model
from proxy.admin.process import Usage
from proxy.admin.serving import ServingStatus, serving_status
from proxy.admin.shadow import ShadowStatus, shadow_status
from proxy.reload import RuleBook
from proxy.rules import Phase, Problem, TableRule

SCHEMA_VERSION = 1

State = Literal["starting", "running", "draining", "stopped"]


class Connections(Model):
    client: int
    """Client connections open."""
    server: int
    """Connections to the upstream open."""
    starting: int
    """Clients that are not authenticated yet."""
    idle: int
    """Clients that wait outside a statement and outside a transaction."""
    active: int
    """Clients in a statement or transaction."""
    limit: int
    """max_connections."""


class RuleProblem(Model):
    """One thing wrong with the rule files as they are now."""

    file: str
    line: int | None
    column: int | None
    key_path: str
    """Dotted; empty where no key is concerned."""
    message: str
    hint: str
    """What would be right."""


class RulesStatus(Model):
    source: str | None
    """The path given as `rules`; null without rules."""
    digest: str | None
    """Of the rules in force, 16 hexadecimal digits; null while workers have different ones."""
    loaded_at: datetime
    """When the files were last found good."""
    needs_sql: bool
    """Whether statements are parsed: some table is past passthrough."""
    problems: list[RuleProblem]
    """Why the files as they are now are not in force; empty when they are."""


class TableStatus(Model):
    database: str | None
    """Null: in every database."""
    table: str
    """schema.table, quoted where PostgreSQL would need it."""
    requested: Phase
    """What the rule asks for."""
    effective: Phase
    """The phase the table is in."""
    reasons: list[str]
    """Why it is held before the requested phase; empty when it is not."""
    overridden: list[str]
    """Reasons that `force: true` has overridden."""
    force: bool
    collection: str
    """Where its documents go."""
    rule: str
    """file:line:column."""
    mirror: MirrorStatus | None = None
    """What was mirrored of it; null while nothing is."""
    backfill: BackfillStatus | None = None
    """How far the copy of its history is; null where none was begun."""
    verify: VerifyStatus | None = None
    """How its last comparison with the documents ended; null where there was none."""


class ProcessStatus(Model):
    worker: int
    """From 0."""
    pid: int
    state: State
    started_at: datetime
    listen: list[str]
    connections: Connections
    rules_digest: str
    loop_lag_seconds: float
    """How late the event loop's last tick was."""
    loop_lag_max: float
    """The largest since the start."""
    cpu_seconds: float
    rss_bytes: int | None
    open_fds: int | None
    max_fds: int | None
    mirror: MirrorOverview | None = None
    """Null where this process does not mirror."""


class Status(Model):
    """What GET /status answers and `causeway status --json` prints."""

    schema_version: int = SCHEMA_VERSION
    version: str
    state: State
    started_at: datetime
    """Of the first process."""
    listen: list[str]
    upstream: list[str]
    workers: int
    """As configured; `processes` has those that answered."""
    worker_restarts: int = 0
    """Workers that died and were started again."""
    connections: Connections
    """Of all processes."""
    rules: RulesStatus
    tables: list[TableStatus]
    """A rule for every database is one row until a table is mirrored; then one for each of its databases."""
    mirror: MirrorOverview | None = None
    """Of all processes; null where none of them mirrors."""
    shadow: ShadowStatus | None = None
    """Of dark reads; null where no table was ever in a phase for them."""
    serving: ServingStatus | None = None
    """Of served reads; null where no table was ever in `primary_switch`."""
    processes: list[ProcessStatus]


class Readiness(Model):
    """What GET /readyz answers, with 200 when ready and 503 when not.

    Neither the upstream nor the store is asked: an application must reach the proxy to be told that they are down.
    """

    ready: bool
    state: State
    detail: str
    processes: int
    """Running."""
    workers: int
    """Configured."""
    rules_problems: list[RuleProblem]
    """A rejected reload; the rules before it stay in force, so it does not make the proxy unready."""


class ProcessReport(Model):
    """What one process tells of itself."""

    upstream: list[str]
    process: ProcessStatus
    rules: RulesStatus
    tables: list[TableStatus]
    """One row a rule."""
    mirror: MirrorReport | None = None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of what /status answers."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Status.model_json_schema(mode="serialization"),
    }


def describe_rules(book: RuleBook, source: str | None) -> RulesStatus:
    return RulesStatus(
        source=source,
        digest=book.current.digest,
        loaded_at=book.loaded_at,
        needs_sql=book.current.needs_sql,
        problems=[describe_problem(problem) for problem in book.error.problems] if book.error else [],
    )


def describe_problem(problem: Problem) -> RuleProblem:
    return RuleProblem(
        file=problem.file,
        line=problem.line,
        column=problem.column,
        key_path=problem.key_path,
        message=problem.message,
        hint=problem.hint,
    )


def describe_table(rule: TableRule) -> TableStatus:
    holding = rule.holding
    return TableStatus(
        database=rule.name.database,
        table=str(replace(rule.name, database=None)),
        requested=holding.requested,
        effective=holding.effective,
        reasons=list(holding.reasons),
        overridden=list(holding.overridden),
        force=rule.force,
        collection=rule.collection,
        rule=str(rule.place),
    )


def report(
    server: dict[str, Any],
    book: RuleBook,
    usage: Usage,
    *,
    worker: int,
    pid: int,
    started_at: datetime,
    rules_source: str | None,
    loop_lag: tuple[float, float],
    mirror: MirrorReport | None = None,
) -> ProcessReport:
    """`server` is what `ProxyServer.status` gives; `loop_lag` is the last and the largest, in seconds."""
    return ProcessReport(
        upstream=server["upstream"],
        process=ProcessStatus(
            worker=worker,
            pid=pid,
            state=server["state"],
            started_at=started_at,
            listen=server["listen"],
            connections=Connections.model_validate(server["connections"]),
            rules_digest=book.current.digest,
            loop_lag_seconds=loop_lag[0],
            loop_lag_max=loop_lag[1],
            cpu_seconds=usage.cpu_seconds,
            rss_bytes=usage.rss_bytes,
            open_fds=usage.open_fds,
            max_fds=usage.max_fds,
            mirror=None if mirror is None else overview(mirror),
        ),
        rules=describe_rules(book, rules_source),
        tables=[describe_table(rule) for rule in book.current.tables.values()],
        mirror=mirror,
    )


def combine(reports: Sequence[ProcessReport], *, workers: int, worker_restarts: int = 0) -> Status:
    """One status of the workers that answered, of which there must be one at least.

    While workers have different rules, the tables are those of the worker that loaded its rules first: what the
    whole proxy has reached, not what one worker is ahead with.
    """
    reports = sorted(reports, key=lambda one: one.process.worker)
    processes = [one.process for one in reports]
    oldest = min(reports, key=lambda one: one.rules.loaded_at)
    digests = {one.rules.digest for one in reports}
    broken = next((one.rules for one in reports if one.rules.problems), None)
    rules = oldest.rules.model_copy(
        update={
            "digest": oldest.rules.digest if len(digests) == 1 else None,
            "needs_sql": any(one.rules.needs_sql for one in reports),
            "problems": broken.problems if broken else [],
        }
    )
    merged = mirroring.merge(one.mirror for one in reports if one.mirror is not None)
    return Status(
        version=__version__,
        state=_state([process.state for process in processes]),
        started_at=min(process.started_at for process in processes),
        listen=list(dict.fromkeys(address for process in processes for address in process.listen)),
        upstream=reports[0].upstream,
        workers=workers,
        worker_restarts=worker_restarts,
        connections=_sum([process.connections for process in processes]),
        rules=rules,
        tables=mirrored(oldest.tables, None if merged is None else merged.tables),
        mirror=None if merged is None else overview(merged),
        shadow=None if merged is None or merged.shadow is None else shadow_status(merged.shadow),
        serving=None if merged is None or merged.serving is None else serving_status(merged.serving),
        processes=processes,
    )


NOT_MIRRORING = "mirroring needs a `store` and a `control_dsn`"
NOT_MET = "no client has connected to a database with this table yet"


def mirrored(rules: Sequence[TableStatus], found: Sequence[TableReport] | None) -> list[TableStatus]:
    """The tables of the rules with what is mirrored of them: one row a database where a rule holds for several.

    A table that no rule names any more is left out. `found` is None where no process mirrors.
    """
    by_name: dict[str, list[TableReport]] = {}
    for table in found or ():
        by_name.setdefault(table.table, []).append(table)
    own = {(rule.table, rule.database) for rule in rules}
    rows: list[TableStatus] = []
    for rule in rules:
        here = [
            table
            for table in by_name.get(rule.table, ())
            if (table.database == rule.database)
            or (rule.database is None and (table.table, table.database) not in own)
        ]
        rows += [_with_mirror(rule, table) for table in here]
        if not here:
            rows.append(_without_mirror(rule, NOT_MIRRORING if found is None else NOT_MET))
    return rows


def _without_mirror(rule: TableStatus, reason: str) -> TableStatus:
    """The rules alone would have it mirrored; it is not, as nothing is known of it."""
    if rule.effective is Phase.PASSTHROUGH:
        return rule
    return rule.model_copy(update={"effective": Phase.PASSTHROUGH, "reasons": [*rule.reasons, reason]})


def _with_mirror(rule: TableStatus, table: TableReport) -> TableStatus:
    """A holding made under other rules than these is not shown."""
    values: dict[str, Any] = {
        "database": table.database,
        "backfill": table.backfill,
        "verify": table.verify,
    }
    if table.holding is not None and table.holding.requested is rule.requested:
        values |= {name: getattr(table.holding, name) for name in ("effective", "reasons", "overridden")}
    if is_mirrored(table):
        values["mirror"] = describe(table)
    return rule.model_copy(update=values)


def readiness(status: Status) -> Readiness:
    running = sum(process.state == "running" for process in status.processes)
    detail = {
        "starting": "not listening yet",
        "running": "accepting connections",
        "draining": "ending connections; no new ones are accepted",
        "stopped": "stopped",
    }[status.state]
    if status.state == "running" and running < status.workers:
        detail += f" with {running} of {status.workers} workers"
    if status.rules.problems:
        detail += "; the rule files are rejected and the rules before them stay in force"
    return Readiness(
        ready=status.state == "running",
        state=status.state,
        detail=detail,
        processes=running,
        workers=status.workers,
        rules_problems=status.rules.problems,
    )


def _state(states: Sequence[State]) -> State:
    """Draining begins with the first worker and ends with the last; running needs one."""
    if all(state == "stopped" for state in states):
        return "stopped"
    if any(state in ("draining", "stopped") for state in states):
        return "draining"
    return "running" if "running" in states else "starting"


def _sum(parts: Sequence[Connections]) -> Connections:
    totals = {
        name: sum(getattr(part, name) for part in parts)
        for name in ("client", "server", "starting", "idle", "active")
    }
    return Connections(**totals, limit=max(part.limit for part in parts))
