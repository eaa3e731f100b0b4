"""What `causeway phase` has to report, for people and for programs. Pure."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from proxy.phasing.choosing import databases
from proxy.phasing.running import Outcome, Result

SHORT = 8
"""Characters of a proxy's id."""

_ENDS = {
    Outcome.THERE: ("every live proxy has the table in {phase}", "green"),
    Outcome.HELD: ("every live proxy has the rules; the table is held before {phase}", "yellow"),
    Outcome.LATE: ("not every proxy had the rules in time; they follow when they read the file", "red"),
    Outcome.NO_PROXY: ("no proxy is running; the next one to start reads the file", "yellow"),
    Outcome.NO_STORE: (
        "no `store` is given, so the fleet cannot be asked; `causeway status` tells",
        "yellow",
    ),
}


def describe(result: Result) -> dict[str, Any]:
    """As JSON has it."""
    choice = result.choice
    return {
        "table": str(choice.rules[0].name),
        "databases": list(databases(choice.rules)),
        "phase": str(result.phase),
        "outcome": result.outcome.value,
        "file": choice.file,
        "line": choice.edit.line,
        "changed": choice.edit.changed,
        "before": choice.edit.old,
        "after": choice.edit.new,
        "digest": choice.after.digest,
        "let_again": [str(name) for name in result.let_again],
        "gates": [
            {"table": str(name), "gate": one.gate.value, "open": one.open, "text": one.text}
            for name, one in result.gates
        ],
        "proxies": [
            {
                "proxy": one.proxy,
                "version": one.version,
                "taken": one.taken,
                "requested": str(result.phase) if one.taken else None,
                "effective": str(one.effective),
                "why": one.why,
                "silent": one.proxy in result.silent,
            }
            for one in result.followers
        ],
    }


def render(result: Result) -> Group:
    parts: list[RenderableType] = [_edit(result)]
    if len(databases(result.choice.rules)) > 1:
        parts.append(Text(f"the rule holds for databases {', '.join(databases(result.choice.rules))}"))
    if result.gates and result.outcome in (Outcome.DRY_RUN, Outcome.HELD):
        parts.append(_gates(result))
    elif result.outcome is Outcome.DRY_RUN:
        parts.append(Text(f"no gate stands before {result.phase}, or no proxy has met the table yet", "dim"))
    if result.let_again:
        parts.append(Text("it had fallen back by itself, and may pass the gates again", "yellow"))
    if result.followers:
        parts.append(_followers(result))
    if result.outcome in _ENDS:
        text, style = _ENDS[result.outcome]
        parts.append(Text(text.format(phase=result.phase), style))
    return Group(*parts)


def _edit(result: Result) -> Text:
    edit = result.choice.edit
    where = f"{result.choice.file}:{edit.line}: "
    if not edit.changed:
        return Text.assemble((where, "bold"), f"{edit.new} (as it was)")
    arrow = f"{edit.old} → {edit.new}" if edit.old else f"+ {edit.new}"
    would = " (not written)" if result.outcome is Outcome.DRY_RUN else ""
    return Text.assemble((where, "bold"), arrow, would)


def _gates(result: Result) -> Table:
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("table", "gate", "", "why"):
        view.add_column(heading, overflow="fold")
    for name, one in result.gates:
        state = Text("open", "green") if one.open else Text("closed", "bold red")
        view.add_row(str(name), one.gate.value, state, one.text)
    return view


def _followers(result: Result) -> Table:
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("proxy", "rules", "requested", "effective", "why"):
        view.add_column(heading, overflow="fold")
    for one in result.followers:
        silent = " (silent)" if one.proxy in result.silent else ""
        view.add_row(
            f"{one.proxy[:SHORT]}{silent}",
            Text("taken", "green") if one.taken else Text("others", "red"),
            str(result.phase) if one.taken else "",
            str(one.effective),
            one.why,
        )
    return view
