"""The end of the demo: what was done, the figures, what was expected, the verdict. Pure functions of its state."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from demo.figures import duration, number
from demo.metrics import Reading
from demo.side_by_side import Comparison
from demo.state import Expectation, Outage, Pair, State
from demo.view import MARKS, bare, step_line
from proxy.admin.shadow import StatementStatus

_STATEMENT_WIDTH = 44
"""Characters of a statement that are shown."""


def summary(state: State, now: float, *, with_steps: bool) -> RenderableType:
    """The end: what was done (`with_steps`), the figures, what was expected, the verdict."""
    parts: list[RenderableType] = []
    if with_steps:
        parts += [step_line(state, step) for step in state.steps if step.status in ("done", "failed")]
    if state.last is not None:
        parts += [Text(), _figures(state, state.last)]
    if state.pair is not None:
        parts += [_pair(state.pair)]
    if state.outage is not None:
        parts += [
            Text(),
            _outage(state.outage),
            Text(f" `causeway status` meanwhile: {state.outage.told}", "dim"),
        ]
    if state.shadowed:
        parts += [Text(), _shadowed(state.shadowed)]
    if state.equalities:
        parts += [Text(), _equalities(state)]
    if state.comparisons:
        parts += [_comparisons(state.comparisons)]
    if state.expectations:
        parts += [_expectations(state.expectations)]
    parts.append(_verdict(state, now))
    return Group(*parts)


def _figures(state: State, last: Reading) -> Table:
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    shop = state.shop
    verbs = sorted(last.statements.items(), key=lambda item: -item[1])[:4]
    most = ", ".join(f"{number(count)} {verb}" for verb, count in verbs)
    table.add_row("statements through the proxy", f"{number(last.statements_total)} ({most}, …)")
    if state.pgbench_transactions:
        table.add_row("pgbench", f"{number(state.pgbench_transactions)} transactions")
    if shop is not None:
        table.add_row("shop", f"{number(shop.orders)} orders, {number(shop.payments)} payments")
    if state.served is not None:
        table.add_row(
            "reads in primary_switch",
            f"{number(state.served.store)} by the documents, {number(state.served.postgres)} by PostgreSQL",
        )
    errors = state.application_errors
    table.add_row("application errors", Text(str(errors), "bold red" if errors else "green"))
    table.add_row("reconnects", str(shop.reconnects if shop else 0))
    applied, rejected = (last.reloads.get(result, 0) for result in ("applied", "rejected"))
    table.add_row("rule reloads under load", f"{applied:.0f} applied, {rejected:.0f} rejected")
    if state.store:
        documents = f": {number(sum(state.documents.values()))} documents" if state.documents else ""
        table.add_row("document store", state.store + documents)
    return table


def _pair(pair: Pair) -> Table:
    table = _table("", "", title=f"{pair.title}, the row and its document")
    table.show_header = False
    table.add_row("row", f"({', '.join(pair.row.values())})")
    table.add_row("document", pair.document)
    return table


def _outage(outage: Outage) -> Table:
    table = _table(
        "", "before", "meanwhile", title=f"the document store was gone for {outage.seconds:.0f} s", right=2
    )
    before, during = outage.before, outage.during
    table.add_row(
        "the shop's actions", f"{before.actions_per_second:.0f}/s", f"{during.actions_per_second:.0f}/s"
    )
    table.add_row("one action, p50", duration(before.p50), duration(during.p50))
    table.add_row("rows that waited for the store", "", number(outage.most_images))
    table.add_row("transactions on the proxy's disk", "", number(outage.most_spooled))
    if outage.caught_up is not None:
        table.add_row("caught up after its return, under load", "", f"after {duration(outage.caught_up)}")
    return table


def _shadowed(statements: Sequence[StatementStatus]) -> Table:
    table = _table(
        *("read", "equal", "PostgreSQL p50", "p99", "documents p50", "p99"),
        title="reads compared in the dark; both sides share this machine",
        right=5,
    )
    for one in statements:
        text = " ".join(one.statement.split())
        table.add_row(
            text if len(text) <= _STATEMENT_WIDTH else f"{text[:_STATEMENT_WIDTH]}…",
            number(one.outcomes.get("match", 0)),
            *(
                _time(seconds)
                for seconds in (one.postgres.p50, one.postgres.p99, one.store.p50, one.store.p99)
            ),
        )
    return table


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else duration(seconds)


def _equalities(state: State) -> Table:
    """Tables against collections; what the proxy has counted is that of all the time it ran."""
    table = _table(
        *("table", "rows", "documents", "values", "differ", "captured", "applied", "coalesced"),
        title="rows against documents, value by value",
        right=7,
    )
    counted = {bare(one): one.mirror for one in state.compared.tables} if state.compared else {}
    for one in state.equalities:
        mirror = counted.get(one.table)
        differ = Text(str(len(one.differences)), "green" if one.equal else "bold red")
        row: list[RenderableType] = [
            one.table,
            number(one.rows),
            number(one.documents),
            number(one.equal_values),
            differ,
        ]
        counts = (mirror.captured, mirror.applied, mirror.coalesced) if mirror else (0, 0, 0)
        table.add_row(*row, *map(number, counts))
    return table


def _table(*headings: str, title: str, right: int = 0) -> Table:
    """The last `right` columns are of numbers."""
    table = Table(
        box=box.SIMPLE,
        pad_edge=False,
        collapse_padding=True,
        title=title,
        title_style="italic dim",
        title_justify="left",
    )
    for count, heading in enumerate(headings):
        number_column = count >= len(headings) - right
        table.add_column(
            heading, justify="right" if number_column else "left", no_wrap=number_column, overflow="fold"
        )
    return table


def _comparisons(comparisons: Sequence[Comparison]) -> Table:
    table = _table(
        *("latency", "direct p50", "p99", "proxied p50", "p99", "added p50"),
        title="one client, in turns, loopback without TLS; all share this machine",
        right=5,
    )
    for one in comparisons:
        added = one.proxied.p50 - one.direct.p50
        table.add_row(
            one.name,
            duration(one.direct.p50),
            duration(one.direct.p99),
            duration(one.proxied.p50),
            duration(one.proxied.p99),
            duration(added) if added >= 0 else f"-{duration(-added)}",
        )
    return table


def _expectations(expectations: Sequence[Expectation]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("")
    table.add_column("expected")
    table.add_column("seen", overflow="fold")
    for one in expectations:
        mark, style = MARKS["done" if one.held else "failed"]
        table.add_row(Text(mark, style), Text(one.name, "" if one.held else "bold red"), Text(one.seen))
    return table


def _verdict(state: State, now: float) -> Text:
    seconds = (state.ended or now) - state.started
    missed = sum(not expectation.held for expectation in state.expectations)
    if state.success:
        text = f"All {len(state.expectations)} expectations held, in {seconds:.0f} s."
        return Text(text, "bold green")
    if state.interrupted:
        return Text(
            f"Interrupted after {seconds:.0f} s; everything that was started has been stopped.", "bold yellow"
        )
    failed = state.failed_step
    if failed is not None:
        return Text(f"Failed after {seconds:.0f} s at the step “{failed.title}”: {failed.detail}", "bold red")
    return Text(
        f"{missed} of {len(state.expectations)} expectations did not hold, after {seconds:.0f} s.", "bold red"
    )
