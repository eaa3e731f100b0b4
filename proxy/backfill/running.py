"""`causeway backfill`: the tables one after the other, until they are copied or the process is told to end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from proxy.backfill.board import NoRun
from proxy.backfill.company import LEASE, Company
from proxy.backfill.gate import Refused
from proxy.backfill.joining import Wanted
from proxy.backfill.member import Member, open_member
from proxy.backfill.progress import Shown
from proxy.backfill.run import Run, Status
from proxy.backfill.watching import LOOK_EVERY
from proxy.backfill.worker import TableWorker
from proxy.config import Settings
from proxy.names import TableName

SHOW_EVERY = 0.25
"""Seconds."""
ROLE = "backfill"


async def backfill(
    settings: Settings, names: Sequence[str], wanted: Wanted, shown: Shown, *, every: bool = False
) -> bool:
    """Whether all of the tables are copied. Raises MemberError, and what store and source raise at the start."""
    stop = asyncio.Event()
    with _signals(stop):
        async with open_member(settings, ROLE) as member:
            tables = member.tables(names, every=every)
            good = True
            for table in tables:
                if stop.is_set():
                    good = False
                    break
                try:
                    run = await _table(settings, member, table.name, wanted, shown, stop)
                except Refused as error:
                    shown.tell(f"error: {error}")
                    good = False
                    continue
                good = good and run.status is Status.DONE
    return good


async def _table(
    settings: Settings,
    member: Member,
    name: TableName,
    wanted: Wanted,
    shown: Shown,
    stop: asyncio.Event,
) -> Run:
    lease = max(LEASE, 4 * settings.heartbeat_interval)
    company = Company(member.store, member.proxy, source=member.system, lease=lease)
    worker = TableWorker(
        member,
        name,
        wanted,
        stop=stop,
        tell=shown.tell,
        backoff_max=settings.retry_backoff_max,
        reread_rows=settings.max_reread_rows,
        look_every=min(LOOK_EVERY, settings.heartbeat_interval / 2),
        late_sweep=settings.proxy_lost_after,
        company=company,
    )
    work = asyncio.create_task(worker.work(), name=f"backfill of {name}")
    try:
        while not work.done():
            await asyncio.wait({work}, timeout=SHOW_EVERY)
            with suppress(NoRun):
                shown.update(worker.board.run)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    run = work.result()
    shown.end(run)
    if not worker.took_part:
        shown.tell(
            f"{name} was copied already, at {run.ended:%Y-%m-%d %H:%M:%S}Z; --again copies it once more"
        )
    elif run.status in (Status.RUNNING, Status.PAUSED):
        shown.tell(f"{name} is not copied whole; the same command goes on with it")
    return run


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set `stop`; the second one does what it does otherwise."""
    loop = asyncio.get_running_loop()
    kinds = (signal.SIGINT, signal.SIGTERM)

    def told() -> None:
        stop.set()
        for kind in kinds:
            loop.remove_signal_handler(kind)

    for kind in kinds:
        loop.add_signal_handler(kind, told)
    try:
        yield
    finally:
        for kind in kinds:
            loop.remove_signal_handler(kind)
