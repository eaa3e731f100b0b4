"""The findings of a check as a table."""

from __future__ import annotations

import io

from rich.console import Console

from proxy.check import Finding
from proxy.check_view import render


def test_findings_as_a_table() -> None:
    out = io.StringIO()
    findings = [Finding("rules", "[b]x", "failed", "wrong"), Finding("store", "", "skipped", "not given")]
    Console(file=out, width=100).print(render(findings))
    assert "[b]x" in out.getvalue()
    assert "wrong" in out.getvalue()
    assert "1 failed, 1 skipped" in out.getvalue()
