"""The status of a proxy as a person reads it on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from proxy.admin.status import ProcessStatus, RuleProblem, Status, TableStatus
from proxy.history_view import render_history
from proxy.mirror_view import name, render_mirror
from proxy.serving_view import render_serving
from proxy.shadow_view import render_shadow

STATE_STYLES = {
    "running": "bold green",
    "starting": "bold yellow",
    "draining": "bold yellow",
    "stopped": "bold red",
}


def render(status: Status, *, now: datetime) -> Group:
    parts: list[RenderableType] = [_heading(status, now), _connections(status)]
    if status.rules.problems:
        parts.append(_problems(status.rules.problems))
    parts.append(_rules(status, now))
    if status.tables:
        parts.append(_tables(status.tables))
    if status.mirror is not None:
        parts += render_mirror(status.mirror, status.tables)
        parts += render_history(status.tables, now=now)
    if status.shadow is not None:
        parts += render_shadow(status.shadow)
    if status.serving is not None:
        parts += render_serving(status.serving)
    parts.append(_processes(status.processes, now))
    return Group(*parts)


def span(length: timedelta) -> str:
    """The two largest units: `3d 4h`, `12s`."""
    seconds = max(0, int(length.total_seconds()))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def _heading(status: Status, now: datetime) -> Text:
    return Text.assemble(
        ("causeway ", "bold"),
        status.version,
        "  ",
        (status.state, STATE_STYLES[status.state]),
        f" for {span(now - status.started_at)}\n",
        (", ".join(status.listen), "cyan"),
        " → ",
        (", ".join(status.upstream), "cyan"),
    )


def _connections(status: Status) -> Text:
    c = status.connections
    full = "bold red" if c.client >= c.limit else ""
    return Text.assemble(
        (f"{c.client} of {c.limit} clients", full),
        f" ({c.active} active, {c.idle} idle, {c.starting} starting), {c.server} server connections\n",
    )


def _problems(problems: Sequence[RuleProblem]) -> Panel:
    lines = Text("The rules before them stay in force.")
    for problem in problems:
        where = problem.file if problem.line is None else f"{problem.file}:{problem.line}:{problem.column}"
        key = f"{problem.key_path}: " if problem.key_path else ""
        hint = f" ({problem.hint})" if problem.hint else ""
        lines.append(f"\n{where}: ", "bold").append(f"{key}{problem.message}{hint}")
    return Panel(lines, title="the rule files are rejected", border_style="red", title_align="left")


def _rules(status: Status, now: datetime) -> Text:
    rules = status.rules
    if rules.source is None:
        return Text("rules: none given, everything is passed through\n", "dim")
    digest = rules.digest or "different in each worker just now"
    return Text(
        f"rules: {rules.source}, digest {digest}, {_count(len(status.tables), 'table')}, "
        f"good since {span(now - rules.loaded_at)}" + ("" if status.tables else "\n")
    )


def _tables(tables: Sequence[TableStatus]) -> Table:
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("table", "requested", "effective", "collection", "why"):
        view.add_column(heading, overflow="fold")
    for table in tables:
        held = table.effective is not table.requested
        why = Text("; ".join(table.reasons))
        if table.overridden:
            why.append(f"forced past: {'; '.join(table.overridden)}", "bold red")
        view.add_row(
            Text(name(table)),
            str(table.requested),
            Text(str(table.effective), "yellow" if held else "green"),
            Text(table.collection),
            why,
        )
    return view


def _processes(processes: Sequence[ProcessStatus], now: datetime) -> Table:
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    view.add_column("worker")
    for heading in ("pid", "state", "up", "clients", "active", "memory", "cpu", "loop lag", "most"):
        view.add_column(heading, justify="left" if heading == "state" else "right")
    for process in processes:
        memory = "?" if process.rss_bytes is None else f"{process.rss_bytes / (1 << 20):.1f} MiB"
        view.add_row(
            str(process.worker),
            str(process.pid),
            Text(process.state, STATE_STYLES[process.state]),
            span(now - process.started_at),
            str(process.connections.client),
            str(process.connections.active),
            memory,
            f"{process.cpu_seconds:.1f} s",
            f"{process.loop_lag_seconds * 1000:.1f} ms",
            f"{process.loop_lag_max * 1000:.1f} ms",
        )
    return view


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
