"""What the store knows of backfills and comparisons, read now and then, for status and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from proxy.admin.history import BackfillStatus, TableHistory, VerifyStatus
from proxy.backfill.report import KIND as VERIFY
from proxy.backfill.report import Verification, parse_verification
from proxy.backfill.run import KIND as BACKFILL
from proxy.backfill.run import Run, parse_run
from proxy.logs import get_logger
from proxy.stores.protocol import Document, Store, StoreRefused, StoreUnavailable

log = get_logger(__name__)

IDLE_INTERVAL = 10.0
"""Seconds between two looks while nothing goes on."""
BUSY_INTERVAL = 2.0
"""The same while a backfill or a comparison goes on."""
MAX_TABLES = 10_000
"""Tables that are kept; those beyond are not shown."""

_BROKEN = (LookupError, ValueError, TypeError, AttributeError)
"""What parsing raises for a document that a much newer version has written."""

T = TypeVar("T")


def backfill_status(run: Run) -> BackfillStatus:
    return BackfillStatus.model_validate(
        {
            "status": run.status.value,
            "reason": run.reason,
            "share": run.share,
            "rows": run.totals.keys,
            "estimate": run.estimate,
            "rate": run.rate,
            "remaining_seconds": run.remaining,
            "throttled": run.throttled,
            "workers": len(run.workers),
            "seeded": run.totals.seeded,
            "stale": run.totals.stale,
            "poisoned": run.totals.poisoned,
            "bytes": run.totals.bytes,
            "chunks": run.totals.chunks,
            "started_at": run.started,
            "updated_at": run.updated,
            "ended_at": run.ended,
        }
    )


def verify_status(state: Verification) -> VerifyStatus:
    numbers = state.numbers
    looked = numbers.get("rows", 0) + numbers.get("documents", 0)
    share = None
    if state.outcome.value in ("equal", "different", "unsettled"):
        share = 1.0
    elif state.estimate > 0:
        share = min(looked / state.estimate, 0.999)
    return VerifyStatus.model_validate(
        {
            "outcome": state.outcome.value,
            "reason": state.message,
            "scheduled": state.scheduled,
            "repair": state.repair,
            "complete": state.scope.whole,
            "share": share,
            **{
                name: numbers.get(name, 0)
                for name in (
                    "rows",
                    "documents",
                    "missing",
                    "extra",
                    "different",
                    "transient",
                    "left",
                    "gaps_closed",
                )
            },
            "repaired": numbers.get("repaired", 0) + numbers.get("removed", 0),
            "columns": dict(state.columns),
            "started_at": state.started,
            "updated_at": state.updated,
            "ended_at": state.ended,
            "whole_ended_at": None if state.whole is None else state.whole.ended,
            "whole_left": None if state.whole is None else state.whole.left,
        }
    )


def histories(runs: Mapping[str, Document], verifications: Mapping[str, Document]) -> dict[str, TableHistory]:
    """By name of the state: `database.schema.table`. What cannot be read is left out."""
    found = {}
    for name in sorted({*runs, *verifications})[:MAX_TABLES]:
        run = _read(runs.get(name), lambda one: backfill_status(parse_run(one)))
        verification = _read(verifications.get(name), lambda one: verify_status(parse_verification(one)))
        found[name] = TableHistory(run, verification)
    return found


def _read(document: Mapping[str, Any] | None, parse: Callable[[Mapping[str, Any]], T]) -> T | None:
    if document is None:
        return None
    try:
        return parse(document)
    except _BROKEN as error:
        log.debug("state_not_read", error=repr(error))
        return None


class HistoryWatch:
    """Keeps what the store knows while there is somebody to tell it of. Belongs to one event loop."""

    def __init__(
        self,
        store: Store,
        wanted: Callable[[], bool],
        *,
        idle: float | None = None,
        busy: float | None = None,
    ) -> None:
        """`wanted`: whether any table is mirrored; without one the store is left alone. `idle`, `busy`: in place of
        IDLE_INTERVAL and BUSY_INTERVAL."""
        self._store = store
        self._wanted = wanted
        self._idle = IDLE_INTERVAL if idle is None else idle
        self._busy = BUSY_INTERVAL if busy is None else busy
        self.found: Mapping[str, TableHistory] = MappingProxyType({})
        """By `str(TableName)` with the database, as last read."""
        self.known = False
        """Whether it was ever read."""

    async def run(self) -> None:
        """Until cancelled. While the store is away, what was read before stays."""
        while True:
            if self._wanted():
                try:
                    await self.look()
                except (StoreUnavailable, StoreRefused) as error:
                    log.debug("histories_not_read", error=str(error))
            await asyncio.sleep(self._busy if self._goes_on() else self._idle)

    async def look(self) -> None:
        """Raises StoreUnavailable, StoreRefused."""
        runs = await self._store.get_state(BACKFILL)
        self.found = MappingProxyType(histories(runs, await self._store.get_state(VERIFY)))
        self.known = True

    def _goes_on(self) -> bool:
        return any(
            (one.backfill is not None and one.backfill.status == "running")
            or (one.verify is not None and one.verify.outcome == "running")
            for one in self.found.values()
        )
