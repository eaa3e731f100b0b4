"""Whether a check has failed."""

from __future__ import annotations

from proxy.finding import Finding, failed


def test_only_a_failure_fails() -> None:
    fine = [
        Finding("store", "", "ok", ""),
        Finding("spool", "", "warning", ""),
        Finding("tls", "", "skipped", ""),
    ]
    assert not failed(fine)
    assert failed([*fine, Finding("upstream", "db:5432", "failed", "refused")])
