"""What is seen of the demo: pure functions of its state.

`render` makes the live picture for a terminal of 80x24 and larger, `step_line` and `traffic_line` the lines of a
log. The end is in `demo.summary`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.rule import Rule
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from demo.bars import copying_bar
from demo.equality import Equality
from demo.figures import clock, duration, number, size, sparkline
from demo.shop import TABLES
from demo.state import COPIED, LogLine, State, Step
from proxy.admin.status import TableStatus

MARKS = {
    "waiting": ("·", "dim"),
    "running": ("▸", "bold yellow"),
    "done": ("✓", "bold green"),
    "failed": ("✗", "bold red"),
    "skipped": ("-", "dim"),
}
_LOG_FRAME = frozenset({"ts", "level", "event", "logger", "pid"})
_LEVEL_STYLES = {"warning": "yellow not bold", "error": "red not bold"}
_FIXED_LINES = 5
"""Of the picture without its blocks: the heading, the caption, two rules."""
_WIDE_TABLES = 54
"""Columns from which the block of the tables has all of its own."""
_LONG_QUEUE = 100
_LEAST_REST = 6
"""Lines from which the rule file and the proxy's log are shown as well."""


def render(state: State, now: float, width: int, height: int) -> RenderableType:
    """`now` is time.monotonic()."""
    lower = 1 + max(len(TABLES), len(state.status.tables) if state.status else 0)
    upper = max(1, min(len(state.steps), height - _FIXED_LINES - lower))
    rest = height - _FIXED_LINES - lower - upper - 1
    left = max(39, min(54, width * 9 // 20))
    steps = _steps(visible_steps(state.steps, upper), now)
    parts: list[RenderableType] = [
        _heading(state, now, width),
        *_caption(state, width),
        Rule(style="dim"),
        Exactly(upper, _columns(steps, _facts(state, width - left), left)),
        Rule(style="dim"),
        Exactly(lower, _columns(_tables(state, left), _beside(state), left + 1)),
    ]
    if rest >= _LEAST_REST:
        parts += [
            Rule(style="dim"),
            Exactly(rest, _columns(_file(state, rest), _log(state, width - left, rest), left)),
        ]
    return Group(*parts)


@dataclass(frozen=True)
class Exactly:
    """So many lines of what is drawn: the rest is left out, what is missing is blank."""

    height: int
    drawn: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self.drawn, options.update(height=None))[: self.height]
        for line in Segment.set_shape(lines, options.max_width, self.height):
            yield from line
            yield Segment.line()


def visible_steps(steps: Sequence[Step], room: int) -> Sequence[Step]:
    """As many as there is room for, the one that runs (else the last that ended) among them."""
    room = max(1, room)
    if len(steps) <= room:
        return steps
    current = max((n for n, step in enumerate(steps) if step.status not in ("waiting", "skipped")), default=0)
    start = min(max(0, current - max(0, room - 2)), len(steps) - room)
    return steps[start : start + room]


def step_line(state: State, step: Step) -> Text:
    """A step that has ended, as a line of a log."""
    mark, style = MARKS[step.status]
    line = Text.assemble(
        (f"[{step.ended - state.started:5.1f} s] ", "dim"), (mark, style), " ", (step.title, "bold")
    )
    if step.detail:
        line.append(f": {step.detail}")
    return line


def traffic_line(state: State, now: float) -> Text:
    """How things are at the moment, as a line of a log."""
    last = state.last
    step = next((step for step in state.steps if step.status == "running"), None)
    facts = [] if step is None else [f"{step.title}: {step.detail}" if step.detail else step.title]
    if last is not None:
        facts.append(f"{number(state.traffic.statements_per_second)} statements/s")
        facts.append(f"{last.clients:.0f} connections, own share {_own_share(state)}")
    if state.shop is not None:
        facts.append(f"{state.application_errors} application errors")
    return Text(f"[{now - state.started:5.1f} s]   {'; '.join(facts)}", "dim")


def log_line(event: Mapping[str, object]) -> LogLine:
    """An event of the proxy's log: time of day, name, what it says; of files their names only."""
    facts = {key: value for key, value in event.items() if key not in _LOG_FRAME and value not in (None, [])}
    said = " ".join(
        f"{key}={str(value).rpartition('/')[2] if key in ('file', 'source', 'rule') else value}"
        for key, value in facts.items()
    )
    text = f"{str(event.get('ts', ''))[11:19]} {event.get('event', '')} {said}"
    return LogLine(str(event.get("level", "")).lower(), text.strip())


def _heading(state: State, now: float, width: int) -> Text:
    line = Text.assemble(
        ("Causeway demo ", "bold"), (clock((state.ended or now) - state.started), "bold cyan"), "  "
    )
    if state.proxy:
        line.append_text(
            Text.assemble(
                "pgbench, shop ",
                ("─►", "dim"),
                (f" causeway :{state.proxy.rpartition(':')[2]} ", "cyan"),
                ("─►", "dim"),
                f" {state.postgres}",
            )
        )
    line.truncate(width, overflow="ellipsis")
    return line


def _caption(state: State, width: int) -> list[Text]:
    """Two lines on the step that runs, or the last that ended."""
    step = next(
        (step for step in reversed(state.steps) if step.status in ("running", "failed", "done")),
        state.steps[0],
    )
    style = "bold red" if step.status == "failed" or state.rules_rejected else "yellow"
    words = Text(f"{step.title}: {step.detail}" if step.detail else step.title, style)
    lines = list(words.wrap(_measuring(width), width))[:2]
    if len(lines) == 2:
        lines[1].truncate(width, overflow="ellipsis")
    return [*lines, Text(), Text()][:2]


def _steps(steps: Sequence[Step], now: float) -> Table:
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=1)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column(justify="right", no_wrap=True, style="dim")
    for step in steps:
        mark, style = MARKS[step.status]
        title_style = (
            "bold" if step.status == "running" else "dim" if step.status in ("waiting", "skipped") else ""
        )
        seconds = step.seconds(now)
        grid.add_row(Text(mark, style), Text(step.title, title_style), f"{seconds:.1f} s" if seconds else "")
    return grid


def _facts(state: State, width: int) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", no_wrap=True, width=12)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    for name, value in _fact_rows(state, max(5, width - 26)):
        grid.add_row(name, value)
    return grid


def _fact_rows(state: State, spark: int) -> list[tuple[str, Text]]:
    last, traffic, shop = state.last, state.traffic, state.shop
    rows: list[tuple[str, Text]] = []
    if last is not None:
        rate = Text(f"{number(traffic.statements_per_second):>6}/s ")
        rate.append(sparkline(state.rates(min(spark, 30))), "cyan")
        rows += [
            ("statements", rate),
            ("", Text(f"{number(last.statements_total)} in all")),
            ("own share", Text(_own_share(state), "cyan")),
            ("connections", Text(f"{last.clients:.0f} clients, {last.servers:.0f} servers")),
            ("bytes", Text(f"{size(traffic.bytes_per_second)}/s")),
            ("proxy", Text(f"{traffic.cpu * 100:.0f} % of a core, {size(last.memory)}")),
        ]
    if state.pgbench:
        runs = state.pgbench.values()
        rows.append(("pgbench", Text(f"{number(sum(run.tps for run in runs))} transactions/s")))
    elif state.pgbench_transactions:
        rows.append(("pgbench", Text(f"{number(state.pgbench_transactions)} transactions")))
    if shop is not None:
        rows.append(("shop", Text(f"{number(shop.orders)} orders, {number(shop.payments)} paid")))
        if not shop.closed and shop.p50:
            rows.append(("", Text(f"p50 {duration(shop.p50)}, p99 {duration(shop.p99)}")))
        errors = state.application_errors
        rows.append(
            (
                "applications",
                Text(f"{errors} errors, {shop.reconnects} reconnects", "bold red" if errors else "green"),
            )
        )
    if state.store:
        rows.append(("store", _store(state)))
    if state.waiting:
        rows.append(("waiting", _waiting(state, max(0, spark - 8))))
    return rows


def _store(state: State) -> Text:
    mirror = state.status.mirror if state.status else None
    if state.store_stopped:
        known = Text("stopped", "bold yellow")
    elif mirror is None or mirror.store == "unknown":
        known = Text("not used yet", "dim")
    elif mirror.store == "ok":
        known = Text(f"{number(sum(state.documents.values()))} documents", "green")
    else:
        known = Text(mirror.store, "bold yellow")
    return Text.assemble(f"{state.store.split(' (')[0]}, ", known)


def _waiting(state: State, spark: int) -> Text:
    """Rows on their way to the store, and how far the documents are behind."""
    last = state.waiting[-1]
    text = Text(f"{number(last.images)} rows, {duration(last.behind)} ", "yellow" if last.behind > 1 else "")
    if spark:
        text.append(sparkline([one.images for one in state.waiting[-spark:]]), "cyan")
    return text


def _own_share(state: State) -> str:
    traffic = state.traffic
    if traffic.own_share_p50 is None or traffic.own_share_p99 is None:
        return "-"
    return f"p50 {duration(traffic.own_share_p50)}, p99 {duration(traffic.own_share_p99)}"


def _tables(state: State, width: int) -> RenderableType:
    """A row for each table; where there is room, what was captured and how far behind its documents are too."""
    if state.status is None:
        return Text("no tables yet", "dim")
    wide = width >= _WIDE_TABLES
    headings = (
        "table",
        "phase",
        *(("captured",) if wide else ()),
        "documents",
        "queue",
        *(("lag",) if wide else ()),
    )
    grid = Table.grid(padding=(0, 1))
    for heading in headings:
        named = heading in ("table", "phase")
        grid.add_column(
            min_width=11 if heading == "table" else 10 if named else 5,
            justify="left" if named else "right",
            no_wrap=True,
            overflow="ellipsis",
        )
    grid.add_row(*(Text(heading, "bold") for heading in headings))
    for table in state.status.tables:
        mirror = table.mirror
        cells: dict[str, Text] = {
            "table": Text(bare(table)),
            "phase": Text(
                str(table.effective), "yellow" if table.effective is not table.requested else "green"
            ),
            "documents": Text(
                number(state.documents[bare(table)]) if bare(table) in state.documents else "-"
            ),
        }
        if mirror is not None:
            cells["captured"] = Text(number(mirror.captured))
            cells["queue"] = Text(number(mirror.queued), "yellow" if mirror.queued > _LONG_QUEUE else "")
            cells["lag"] = Text(duration(mirror.lag_seconds) if mirror.queued else "-")
        grid.add_row(*(cells.get(heading, Text("-", "dim")) for heading in headings))
    return grid


def _beside(state: State) -> RenderableType:
    """A row and its document, or tables and collections, while they are what is shown; else the rules."""
    running = next((step for step in state.steps if step.status == "running"), None)
    if running is not None and running.title == COPIED and state.copying is not None:
        return copying_bar(state.copying)
    shown = state.compared_in if state.equalities else "" if state.pair is None else state.pair.step
    if running is None or running.title != shown:
        return _rules(state)
    if state.equalities or state.pair is None:
        return _equal(state.equalities)
    return Text.assemble(
        (f"{state.pair.title}\n", "bold"),
        ("row ", "dim"),
        f"({', '.join(state.pair.row.values())})\n",
        ("document ", "dim"),
        (state.pair.document, "cyan"),
    )


def _equal(equalities: Sequence[Equality]) -> Table:
    headings = ("rows", "documents", "values equal", "differ")
    grid = Table.grid(padding=(0, 1))
    for _ in headings:
        grid.add_column(justify="right", no_wrap=True)
    grid.add_row(*(Text(heading, "bold") for heading in headings))
    for one in equalities:
        grid.add_row(
            number(one.rows),
            number(one.documents),
            number(one.equal_values),
            Text(str(len(one.differences)), "bold green" if one.equal else "bold red"),
        )
    return grid


def _rules(state: State) -> RenderableType:
    status = state.status
    if status is None:
        return Text()
    last = state.last
    done = last.reloads if last is not None else {}
    line = Text.assemble(
        ("rules ", "bold"),
        ((status.rules.digest or "differing")[:8], "cyan"),
        f"  {done.get('applied', 0):.0f} applied, {done.get('rejected', 0):.0f} rejected\n",
    )
    if status.rules.problems:
        line.append("Rejected: the rules before it hold.\n", "bold red")
    for problem in status.rules.problems:
        place = problem.file.rpartition("/")[2] + (
            f":{problem.line}:{problem.column}" if problem.line else ""
        )
        line.append(f"{place}: ", "bold red").append(f"{problem.key_path}: {problem.message}\n", "red")
    for reason, tables in held_tables(status.tables):
        line.append("held: ", "bold yellow").append(f"{', '.join(tables)}: {reason}\n", "yellow")
    return line


def bare(table: TableStatus) -> str:
    """Its name, as it is written in the rule file."""
    return table.table.removeprefix("public.")


def held_tables(tables: Sequence[TableStatus]) -> list[tuple[str, list[str]]]:
    """Each reason once, with the tables it holds."""
    found: dict[str, list[str]] = {}
    for table in tables:
        for reason in table.reasons:
            found.setdefault(reason, []).append(bare(table))
    return list(found.items())


def _file(state: State, room: int) -> Text:
    """The rule file as it is, numbered, with what changed and what is wrong."""
    wrong = {problem.line for problem in state.status.rules.problems} if state.status else set()
    text = Text("shop.yaml\n", "bold", no_wrap=True, overflow="ellipsis")
    lines = state.rule_file.splitlines()
    for count, line in enumerate(lines, 1):
        if count == room - 1 and count < len(lines):
            text.append(f"   … {len(lines) - count + 1} more lines", "dim")
            break
        text.append(f"{count:>4} ", "dim not bold")
        style = "bold red" if count in wrong else "green" if count in state.rules_changed else ""
        text.append(line, f"not bold {style}".strip())
        text.append("  ◄\n" if count in wrong else "\n", "bold red")
    text.rstrip()
    return text


def _log(state: State, width: int, room: int) -> Text:
    text = Text("the proxy's log\n", "bold", no_wrap=True, overflow="ellipsis")
    for event in state.events[-(room - 1) :]:
        line = Text(event.text, _LEVEL_STYLES.get(event.level, "dim not bold"))
        line.truncate(width - 2, overflow="ellipsis")
        text.append_text(line).append("\n")
    text.rstrip()
    return text


def _columns(left: RenderableType, right: RenderableType, left_width: int) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(width=left_width)
    grid.add_column(ratio=1)
    grid.add_row(left, right)
    return grid


def _measuring(width: int) -> Console:
    return Console(width=width, height=1, file=None, quiet=True)
