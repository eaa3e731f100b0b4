"""What is shown of served reads fits on a terminal."""

from __future__ import annotations

from rich.console import Console, Group

from proxy.admin.serving import BreakerState, ReadReason, ServingStatus, TableReads
from proxy.admin.shadow import Percentiles
from proxy.serving_view import SHOWN_REASONS, render_serving


def text(serving: ServingStatus) -> str:
    console = Console(width=100, record=True, quiet=True)
    with console.capture() as capture:
        console.quiet = False
        console.print(Group(*render_serving(serving)))
    return capture.get()


def status(breaker: BreakerState = "closed", reasons: int = 2) -> ServingStatus:
    table = TableReads(
        database="shop",
        table="public.orders",
        store=950,
        postgres=50,
        latency=Percentiles(p50=0.001, p95=0.002, p99=0.004),
    )
    other = TableReads(database="shop", table="public.lines", store=0, postgres=1234, latency=Percentiles())
    return ServingStatus(
        tables=[table, other],
        reasons=[ReadReason(reason=f"reason {place}", count=place + 7) for place in range(reasons)],
        breaker=breaker,
        opened=3,
        running=2,
    )


def test_everything_is_there() -> None:
    shown = text(status())
    for part in (
        "shop: public.orders",
        "95.0%",
        "1.0ms 2.0ms 4.0ms",
        "public.lines",
        "1234",
        "0.0%",
        "reason 1",
        "is asked",
    ):
        assert part in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_a_breaker_that_is_open_is_told() -> None:
    assert "is not asked, after errors" in text(status("open"))
    assert "is tried again" in text(status("half_open"))


def test_reasons_that_find_no_room_are_added_up() -> None:
    shown = text(status(reasons=SHOWN_REASONS + 2))
    assert "and 2 more reasons" in shown
    assert str(17 + 18) in shown


def test_nothing_yet() -> None:
    shown = text(ServingStatus(tables=[], reasons=[], breaker="closed", opened=0, running=0))
    assert len(shown.splitlines()) == 1
