"""What is mirrored, as it is read on a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console, Group

from proxy.admin.mirror import CatalogueReport, MirrorReport, TableReport
from proxy.admin.status import combine
from proxy.mirror_view import duration, number, render_mirror, size
from proxy.rules import load_rules
from tests.admin.sources import book, process

BUSY = TableReport(
    database="shop",
    table="public.order_positions",
    captured=1_234_567,
    applied=1_200_001,
    queued=45_678,
    oldest_seconds=12.3,
    lag_seconds=12.3,
    lag_bytes=88 << 20,
    retried=12,
    gaps={"copy": 2, "trigger": 1},
    latency=[0] * 22 + [4],
)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "database: shop\ntables:\n  order_positions: {phase: dual_write}\n  carts: {phase: dual_write}\n"
    )
    return path


def shown(rules: Path, report: MirrorReport, *, width: int = 100) -> str:
    status = combine([process(book(load_rules(rules)), mirror=report)], workers=1)
    assert status.mirror is not None
    out = io.StringIO()
    Console(file=out, width=width).print(Group(*render_mirror(status.mirror, status.tables)))
    return out.getvalue()


def test_a_busy_table_fits_into_100_columns(rules: Path) -> None:
    carts = TableReport(database="shop", table="public.carts", captured=1, applied=1)
    text = shown(rules, MirrorReport(tables=[BUSY, carts], store="ok"))
    row = next(line for line in text.splitlines() if "45678" in line)
    name, *cells = row.split("  ")
    assert name.strip() == "shop:"  # folded, nothing cut
    assert [cell.strip() for cell in cells if cell.strip()] == [
        "1.2M",
        "1.2M",
        "45678",
        "12.3s 88.0 MiB",
        "4.2ms",
        "12",
        "3",
    ]
    assert " public.order_positions " in text
    assert "…" not in text
    assert "public.carts" in text


def test_each_cause_of_a_gap_has_a_line(rules: Path) -> None:
    lines = shown(rules, MirrorReport(tables=[BUSY])).splitlines()
    start = lines.index("open gaps:")
    assert [line.strip() for line in lines[start + 1 : start + 3]] == [
        "shop: public.order_positions  copy: 2",
        "shop: public.order_positions  trigger: 1",
    ]


def test_what_is_away_says_why(rules: Path) -> None:
    report = MirrorReport(
        store="away",
        store_error="no primary",
        spool_bytes=3 << 20,
        spool_entries=7,
        catalogues=[
            CatalogueReport(database="shop", state="refused", error="password"),
            CatalogueReport(database="blog", state="ok"),
        ],
        statement_cache_hits=999,
        statement_cache_misses=1,
    )
    text = " ".join(shown(rules, report).split())
    assert "store away (no primary)" in text
    assert "spool 3.0 MiB (7 transactions)" in text
    assert "catalogue of shop: refused (password)" in text
    assert "blog" not in text
    assert "99.9% of 1000 statements cached" in text


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (99_999, "99999"), (100_000, "100k"), (1_234_567, "1.2M"), (5 * 10**12, "5.0T")],
)
def test_numbers_stay_short(value: int, written: str) -> None:
    assert number(value) == written


@pytest.mark.parametrize(
    ("value", "written"), [(0, "0 B"), (1536, "1.5 KiB"), (1 << 30, "1.0 GiB"), (1 << 50, "1024.0 TiB")]
)
def test_sizes(value: int, written: str) -> None:
    assert size(value) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.0004, "0.4ms"), (0.0123, "12ms"), (1.5, "1.5s"), (180.0, "3m"), (7200.0, "2h")],
)
def test_durations(seconds: float, written: str) -> None:
    assert duration(seconds) == written
