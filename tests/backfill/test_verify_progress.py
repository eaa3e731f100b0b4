"""Lines every few seconds where no terminal is, a bar where one is."""

from __future__ import annotations

import io

from rich.console import Console

from proxy.backfill.verify import Progress
from proxy.backfill.verify_progress import Bars, Lines


def test_a_line_every_few_seconds() -> None:
    now = [0.0]
    written: list[str] = []
    progress = Progress(phase="rows")
    with Lines(written.append, every=5.0, clock=lambda: now[0]) as lines:
        for moment in (0.0, 4.9, 5.0, 6.0, 9.9, 10.0):
            now[0] = moment
            lines.update("t", progress)
    assert len(written) == 2
    assert written[0].startswith("t  0 rows")


def test_nothing_where_nothing_is_wanted() -> None:
    with Lines(None, every=0.0) as lines:
        lines.update("t", Progress())


def test_a_bar() -> None:
    output = io.StringIO()
    progress = Progress(phase="rows", estimate=10)
    progress.report.rows = 5
    with Bars(Console(file=output, force_terminal=True, width=100)) as bars:
        bars.update("shop.public.t", progress)
        progress.phase = ""
        bars.update("shop.public.t", progress)
    assert "shop.public.t" in output.getvalue()
    assert "5 rows" in output.getvalue()
