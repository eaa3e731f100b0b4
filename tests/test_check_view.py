"""The findings of a check as a table."""

from __future__ import annotations

import io

from rich.console import Console

from proxy.check_view import render
from proxy.finding import Finding


def test_findings_as_a_table() -> None:
    out = io.StringIO()
    findings = [Finding("rules", "[b]x", "failed", "wrong"), Finding("store", "", "skipped", "not given")]
    Console(file=out, width=100).print(render(findings))
    assert "[b]x" in out.getvalue()
    assert "wrong" in out.getvalue()
    assert "1 failed, 1 skipped" in out.getvalue()


def test_what_is_said_of_one_table_stands_together() -> None:
    out = io.StringIO()
    findings = [Finding("table", "shop.public.orders", "ok", f"detail {number}") for number in range(3)]
    Console(file=out, width=100).print(render(findings))
    assert out.getvalue().count("shop.public.orders") == 1
    assert all(f"detail {number}" in out.getvalue() for number in range(3))
