"""What dark reads have found fits on a terminal, worst first."""

from __future__ import annotations

from rich.console import Console, Group

from proxy.admin.shadow import Percentiles, ShadowReads, ShadowReason, ShadowStatus, StatementStatus
from proxy.shadow_view import rate, render_shadow


def status(**more: object) -> ShadowStatus:
    values = {
        "tables": [
            ShadowReads(
                database="shop", table="public.orders", outcomes={"match": 98, "mismatch": 2, "dropped": 7}
            )
        ],
        "statements": [
            StatementStatus(
                database="shop",
                fingerprint="0123456789abcdef",
                statement="select * from orders where id = ?",
                tables=["public.orders"],
                outcomes={"match": 98, "mismatch": 2},
                postgres=Percentiles(p50=0.001, p95=0.002, p99=0.004),
                store=Percentiles(),
            )
        ],
        "reasons": [ShadowReason(outcome="dropped", reason="the queue is full", count=7)],
        "waiting": 3,
        "up": True,
        "restarts": 0,
        **more,
    }
    return ShadowStatus.model_validate(values)


def text(shadow: ShadowStatus) -> str:
    console = Console(width=100, record=True, file=None, quiet=True)
    with console.capture() as capture:
        console.quiet = False
        console.print(Group(*render_shadow(shadow)))
    return capture.get()


def test_everything_is_there() -> None:
    shown = text(status())
    for part in (
        "shop: public.orders",
        "98",
        "2.00%",
        "0123456789abcdef",
        "1.0ms",
        "the queue is full",
        "runs",
    ):
        assert part in shown
    assert all(len(line) <= 100 for line in shown.splitlines())
    assert "is away" in text(status(up=False))


def test_many_statements_are_cut() -> None:
    (one,) = status().statements
    assert "and 5 more" in text(status(statements=[one] * 15))


def test_the_rate_is_of_what_was_compared() -> None:
    assert rate({"match": 3, "mismatch": 1, "dropped": 100}) == 0.25
    assert rate({"dropped": 1}) is None
