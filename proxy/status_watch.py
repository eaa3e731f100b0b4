"""`causeway status --watch`: the status, again and again, on one screen."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from proxy.addresses import Address
from proxy.admin.client import AdminUnreachable, fetch_status
from proxy.status_view import render


def look(address: Address) -> RenderableType:
    """The status now, or why there is none."""
    try:
        return render(fetch_status(address, timeout=5.0), now=datetime.now(UTC))
    except AdminUnreachable as error:
        return Text(f"{error}; trying again", "bold red")


def watch(address: Address, interval: float, *, console: Console | None = None) -> None:
    """Until interrupted. `interval` in seconds."""
    with Live(look(address), console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(interval)
                live.update(look(address), refresh=True)
        except KeyboardInterrupt:
            return
