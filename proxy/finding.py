"""What `causeway check` has found of one thing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Finding:
    subject: Literal["rules", "listen", "admin", "tls", "upstream", "store", "control_dsn", "spool", "table"]
    target: str
    """Which one: an address, a path, a table as database.schema.table; never with credentials."""
    outcome: Outcome
    detail: str


def failed(findings: Iterable[Finding]) -> bool:
    return any(finding.outcome == "failed" for finding in findings)
