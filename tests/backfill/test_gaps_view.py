"""The ledger as it is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from rich.console import Console

from proxy.backfill.gaps_view import Untold, describe, render, untold
from proxy.fleet.beats import Beat
from proxy.stores.protocol import GapEntry

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def gap(**changes: Any) -> GapEntry:
    fields: dict[str, Any] = {
        "id": "0123456789abcdef",
        "database": "shop",
        "table": "public.orders",
        "cause": "copy",
        "scope": "rows",
        "rows": {"columns": ["email"], "values": [["a@b"], ["c@d"]]},
        "detail": "why",
        "proxy": "f" * 32,
        "version": 5,
        "count": 3,
        "first_seen": NOW,
        "last_seen": NOW,
    }
    return GapEntry(**{**fields, **changes})


def shown(gaps: list[GapEntry], waiting: list[Untold]) -> str:
    with open("/dev/null", "w") as nowhere:
        console = Console(width=160, record=True, file=nowhere)
        console.print(render(gaps, waiting))
        return console.export_text()


def test_no_gap() -> None:
    assert shown([], []) == "no gap is open\n"
    assert "the ledger has no open gap" in shown([], [Untold("p" * 32, "shop", "public.orders", 2)])


def test_gaps() -> None:
    text = shown([gap(), gap(cause="trigger", scope="table", rows=None)], [])
    assert "01234567  shop:public.orders  copy     2 rows     3  2026-03-01 12:30:00" in text
    assert "trigger  table" in text
    assert "a@b" not in text


def test_as_json_with_values_only_where_they_are_asked_for() -> None:
    [one] = describe([gap()], [], values=False)["gaps"]
    assert (one["rows"], one["columns"], one["count"]) == (2, ["email"], 3)
    assert "a@b" not in str(one)
    [one] = describe([gap()], [], values=True)["gaps"]
    assert one["values"] == [["a@b"], ["c@d"]]
    [one] = describe([gap(rows=None)], [], values=True)["gaps"]
    assert (one["rows"], one["columns"]) == (None, None)


def test_what_running_proxies_have_not_told_yet() -> None:
    def beat(proxy: str, *, clean: bool = False) -> Beat:
        gaps = MappingProxyType({("shop", "public.orders"): 2, ("shop", "public.items"): 0})
        return Beat(proxy, "i", 1, NOW, NOW, gaps=gaps, clean=clean)

    beats = [beat("runs"), beat("ended", clean=True), beat("lost")]
    assert untold(beats, ["lost"]) == [Untold("runs", "shop", "public.orders", 2)]
