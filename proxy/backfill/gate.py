"""What must hold before the first chunk is read: every write that the proxies do not see is over, and so visible.

A row that is written while a proxy does not mirror its table is in no image, and if it is committed after its chunk was
read, in no chunk either. So a backfill begins when

1. every live proxy of the fleet says that it mirrors the table, in a heartbeat composed wholly after the first one that
   said so was seen: statements it sent on before, unseen, have reached the server by then;
2. every transaction that was running at that time has ended. What it wrote unseen is committed, and will be read.
   Transactions are known by their virtual ids: one that has not written yet may be about to.

Prepared transactions have no virtual id any more, so those that are there are waited for too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from proxy.backfill.company import Company
from proxy.fleet.beats import Beat, Newer
from proxy.fleet.cancelling import end_if_cancelled
from proxy.mirror.effects import TableId

FIRST_PAUSE = 0.05
MAX_PAUSE = 1.0
"""Seconds between two looks."""
SAY_AFTER = 3.0
"""Seconds of waiting after which it is said what for; then every SAY_EVERY."""
SAY_EVERY = 30.0

RUNNING = """
SELECT l.virtualtransaction AS id, l.pid
  FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'virtualxid' AND l.virtualxid = l.virtualtransaction AND l.granted
   AND a.datname = pg_catalog.current_database() AND a.usesysid IS NOT NULL
   AND l.pid <> pg_catalog.pg_backend_pid()
UNION ALL
SELECT gid, NULL FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database()
"""
"""Transactions of sessions of this database, and prepared ones; anybody may ask."""


class Refused(Exception):
    """The backfill must not begin; the text says why and what to do."""


class Asked(Protocol):
    """The part of `SourceDatabase` that is needed."""

    async def fetch(self, query: str, *arguments: Any, timeout: float | None = None) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the proxies of the fleet stand to a table."""

    mirroring: tuple[Beat, ...]
    missing: tuple[Beat, ...]

    @property
    def incarnations(self) -> tuple[str, ...]:
        return tuple(sorted(beat.incarnation for beat in self.mirroring))


def judge(proxies: Sequence[Beat], database: str, table: TableId) -> Verdict:
    """Which of them mirror the table."""
    mirroring: list[Beat] = []
    missing: list[Beat] = []
    for beat in proxies:
        there = any((fact.database, fact.table) == (database, table) for fact in beat.tables)
        (mirroring if there else missing).append(beat)
    return Verdict(tuple(mirroring), tuple(missing))


def complaint(verdict: Verdict, table: str, *, offline: bool) -> str:
    """Why a backfill of the table must not go on; empty where it may."""
    if verdict.missing:
        who = ", ".join(map(_described, verdict.missing[:5]))
        more = f" and {len(verdict.missing) - 5} more" if len(verdict.missing) > 5 else ""
        noun, verb = ("proxy", "does") if len(verdict.missing) == 1 else ("proxies", "do")
        return (
            f"{noun} {who}{more} {verb} not mirror {table}, so what is written through it would be lost; "
            "give it the same rules, or wait until it is gone (`causeway status` there says what holds it)"
        )
    if not verdict.mirroring and not offline:
        return (
            f"no proxy mirrors {table}, so what is written while it is copied would be lost; "
            "start one, or give --offline if nothing writes to it"
        )
    return ""


def _described(beat: Beat) -> str:
    return f"{beat.proxy[:8]} (version {beat.version}, last heard of {beat.at:%Y-%m-%d %H:%M:%S}Z)"


async def pass_gate(
    company: Company,
    source: Asked,
    database: str,
    table: TableId,
    name: str,
    *,
    known: Sequence[str] = (),
    offline: bool = False,
    say: Callable[[str], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[str, ...]:
    """Returns the incarnations that mirror the table, once everything that is not seen is over.

    `known`: incarnations this has been waited for before. Raises Refused, and what store and source raise.
    """
    await company.look()
    verdict = await _all_newer(company, database, table, name, known, offline, say, pause, clock)
    if set(verdict.incarnations) <= set(known) and (known or not offline):
        return verdict.incarnations
    await _all_ended(source, name, say, pause, clock)
    return verdict.incarnations


async def _all_newer(
    company: Company,
    database: str,
    table: TableId,
    name: str,
    known: Sequence[str],
    offline: bool,
    say: Callable[[str], None],
    pause: Callable[[float], Awaitable[None]],
    clock: Callable[[], float],
) -> Verdict:
    newer = Newer()
    wait = _Wait(say, clock)
    while True:
        end_if_cancelled()
        verdict = judge(company.proxies(), database, table)
        fault = complaint(verdict, name, offline=offline)
        if fault:
            raise Refused(fault)
        late = [
            beat for beat in verdict.mirroring if not newer.is_newer(beat) and beat.incarnation not in known
        ]
        if not late:
            return verdict
        wait.say(f"waiting for the next heartbeat of {', '.join(map(_described, late[:5]))}")
        await pause(wait.pause())
        await company.look()


async def _all_ended(
    source: Asked,
    name: str,
    say: Callable[[str], None],
    pause: Callable[[float], Awaitable[None]],
    clock: Callable[[], float],
) -> None:
    """Until every transaction that is running now has ended."""
    left = {row["id"]: row["pid"] for row in await source.fetch(RUNNING)}
    wait = _Wait(say, clock)
    while left:
        end_if_cancelled()
        now = {row["id"]: row["pid"] for row in await source.fetch(RUNNING)}
        prepared = {one for one, pid in now.items() if pid is None}
        running = any(pid is not None for pid in left.values())
        # A transaction that is waited for may have been prepared since.
        left = {one: pid for one, pid in now.items() if one in left or (running and one in prepared)}
        if left:
            pids = sorted(pid for pid in left.values() if pid is not None)
            what = f"sessions {', '.join(map(str, pids[:5]))}" if pids else "prepared transactions"
            wait.say(
                f"waiting for {len(left)} transactions that began before all proxies mirrored {name}: {what}"
            )
            await pause(wait.pause())


class _Wait:
    """How long to pause, and when to say what is waited for."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._say = say
        self._clock = clock
        self._due = clock() + SAY_AFTER
        self._next = FIRST_PAUSE

    def pause(self) -> float:
        now, self._next = self._next, min(2 * self._next, MAX_PAUSE)
        return now

    def say(self, text: str) -> None:
        if self._clock() >= self._due:
            self._say(text)
            self._due = self._clock() + SAY_EVERY
