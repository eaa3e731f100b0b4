"""Statuses and sources for the tests of the admin interface."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from proxy.admin.counters import Counters, Snapshot
from proxy.admin.process import Usage
from proxy.admin.status import ProcessReport, Readiness, Status, combine, readiness, report
from proxy.reload import RuleBook
from proxy.rules import RulesError, RuleSet

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def book(rules: RuleSet | None = None, error: RulesError | None = None) -> RuleBook:
    made = RuleBook(rules, loaded_at=STARTED)
    if error is not None:
        made.reject(error)
    return made


def process(
    rules: RuleBook | None = None, *, worker: int = 0, state: str = "running", clients: int = 3, **more: Any
) -> ProcessReport:
    server = {
        "state": state,
        "listen": ["127.0.0.1:6432"],
        "upstream": ["db:5432"],
        "connections": {
            "client": clients,
            "server": clients,
            "starting": 0,
            "idle": clients - 1,
            "active": 1,
            "limit": 100,
        },
    }
    values: dict[str, Any] = {
        "worker": worker,
        "pid": 1000 + worker,
        "started_at": STARTED,
        "rules_source": "/etc/rules",
        "loop_lag": (0.001, 0.02),
        **more,
    }
    return report(server, rules or book(), Usage(1.5, 50 << 20, 12, 1024), **values)


@dataclass
class FixedSource:
    """Answers what it is given; raises it, if it is an exception."""

    shown: Status = field(default_factory=lambda: combine([process()], workers=1))
    counted: Snapshot = field(default_factory=lambda: Counters().snapshot())
    failure: Exception | None = None

    async def counters(self) -> Snapshot:
        return self.counted

    async def status(self) -> Status:
        if self.failure is not None:
            raise self.failure
        return self.shown

    async def ready(self) -> Readiness:
        return readiness(await self.status())
