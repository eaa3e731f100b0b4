"""The bar of a backfill in the demo's picture."""

from __future__ import annotations

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.text import Text

from demo.figures import duration, number
from demo.state import Copying


def copying_bar(copying: Copying) -> RenderableType:
    """Five lines."""
    share = copying.share or 0.0
    bar = ProgressBar(total=1.0, completed=share, width=30, pulse=copying.share is None)
    return Group(
        Text(f"causeway backfill {copying.table}", "bold"),
        Columns([bar, Text("" if copying.share is None else f"{int(share * 100)} %", "cyan")]),
        Text(f"{number(copying.rows)} rows, {number(copying.rate)}/s"),
        Text("" if copying.remaining is None else f"{duration(copying.remaining)} left"),
        Text(copying.said, "dim"),
    )
