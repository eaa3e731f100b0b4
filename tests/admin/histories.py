"""Backfills and comparisons as they may stand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from proxy.admin.history import BackfillStatus, VerifyStatus

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
BEGAN = NOW - timedelta(minutes=2)

RUNNING = BackfillStatus(
    status="running",
    share=0.412,
    rows=412_000,
    estimate=1_000_000,
    rate=8123.4,
    remaining_seconds=72.4,
    throttled="replication lag",
    workers=2,
    seeded=400_000,
    stale=12_000,
    poisoned=1,
    bytes=40_000_000,
    chunks=83,
    started_at=BEGAN,
    updated_at=NOW,
)
DONE = BackfillStatus(
    status="done",
    share=1.0,
    rows=1000,
    estimate=990,
    seeded=1000,
    chunks=1,
    started_at=BEGAN,
    updated_at=NOW,
    ended_at=NOW,
)
FAILED = DONE.model_copy(
    update={"status": "failed", "share": 0.9996, "reason": "permission denied for orders"}
)

DIFFERENT = VerifyStatus(
    outcome="different",
    share=1.0,
    rows=1_000_000,
    documents=1_000_001,
    missing=3,
    extra=1,
    different=2,
    transient=17,
    left=6,
    columns={"total": 2, "note": 1},
    started_at=BEGAN,
    updated_at=NOW,
    ended_at=NOW,
    whole_ended_at=NOW,
    whole_left=6,
)
COMPARING = VerifyStatus(
    outcome="running",
    complete=False,
    scheduled=True,
    share=0.25,
    rows=250,
    documents=5,
    started_at=BEGAN,
    updated_at=NOW,
)
