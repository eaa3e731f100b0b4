"""The findings of `causeway check` as a table on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from proxy.finding import Finding

STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}


def render(findings: Sequence[Finding]) -> Group:
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("check", "of", "result", "detail"):
        view.add_column(heading, overflow="fold")
    before = ("", "")
    for finding in findings:
        style = STYLES[finding.outcome]
        about = (finding.subject, finding.target)
        subject, target = about if about != before else ("", "")
        view.add_row(subject, Text(target), Text(finding.outcome, style), Text(finding.detail))
        before = about
    counts = {outcome: sum(finding.outcome == outcome for finding in findings) for outcome in STYLES}
    total = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    return Group(view, Text(total, STYLES["failed"] if counts["failed"] else STYLES["ok"]))
