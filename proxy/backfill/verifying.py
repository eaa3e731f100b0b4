"""`causeway verify`: the tables one after the other; the store keeps how each stands, for the whole fleet."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from proxy.backfill.lookups import Lookups
from proxy.backfill.member import Member, NotReady, open_member
from proxy.backfill.passing import HeldUp
from proxy.backfill.report import Report, Scope, Verification, begun, ended, progressed
from proxy.backfill.states import keep
from proxy.backfill.verify import Options, Progress, Verify
from proxy.backfill.verify_progress import Shown
from proxy.backfill.verify_view import Done
from proxy.catalog.source import SourceError, SourceRefused
from proxy.config import Settings
from proxy.mirror.reread_rows import CatalogueBehind, NotRereadable
from proxy.mirror.tables import MirroredTable
from proxy.stores.protocol import StoreRefused, StoreUnavailable
from proxy.units import parse_duration

ROLE = "verify"
SHOW_EVERY = 0.25
FAULTS = (SourceError, StoreUnavailable, StoreRefused, NotReady, HeldUp, CatalogueBehind, NotRereadable)
"""What cuts a comparison short, and is told rather than raised."""
KEEP_EVERY = 2.0
"""Seconds between two writes of the state."""


class WrongScope(Exception):
    """`--where` or `--since` cannot be; the text says why."""


async def verify(
    settings: Settings,
    names: Sequence[str],
    options: Options,
    shown: Shown,
    *,
    every: bool = False,
    limit: int = 100,
    scheduled: bool = False,
) -> list[Done]:
    """Raises MemberError and WrongScope, and what store and source raise at the start.

    SIGINT and SIGTERM cut the comparison short; what it has found until then is told.
    """
    stop = asyncio.Event()
    with told_to_end(stop):
        async with open_member(settings, ROLE) as member:
            tables = member.tables(names, every=every)
            scopes = [await checked(member, table, options.scope) for table in tables]
            found = []
            for table, scope in zip(tables, scopes, strict=True):
                if stop.is_set():
                    break
                given = replace(options, scope=scope)
                found.append(
                    await one_table(member, table, given, shown, stop, limit=limit, scheduled=scheduled)
                )
    return found


async def checked(member: Member, table: MirroredTable, scope: Scope) -> Scope:
    """The scope as it is for this table. Raises WrongScope, and SourceUnavailable."""
    if scope.since:
        if table.rule.last_modified is None:
            raise WrongScope(f"{table.name}: --since needs `last_modified` in the table's rule")
        scope = replace(scope, since=moment_of(scope.since, datetime.now(UTC)))
    if scope.filtered:
        try:
            await Lookups(member, table.name).try_out(scope)
        except SourceRefused as error:
            raise WrongScope(f"{table.name}: {error.reason}") from None
    return scope


def moment_of(text: str, now: datetime) -> str:
    """`24h` is that long before now; anything else, a number without unit too, is a value of the column."""
    if text[-1:].isdigit():
        return text
    try:
        seconds = parse_duration(text)
    except ValueError:
        return text
    return (now - timedelta(seconds=seconds)).isoformat(sep=" ")


async def one_table(
    member: Member,
    table: MirroredTable,
    options: Options,
    shown: Shown,
    stop: asyncio.Event,
    *,
    limit: int = 100,
    scheduled: bool = False,
) -> Done:
    """What becomes of it is kept in the store."""
    name = str(table.name)
    progress = Progress(report=Report(limit=limit))
    state = await keep(
        member.store,
        name,
        lambda before: begun(
            before,
            name,
            member.proxy,
            datetime.now(UTC),
            scheduled=scheduled,
            repair=options.repair,
            scope=options.scope,
        ),
    )
    assert state is not None
    work = asyncio.create_task(Verify(member, table.name, options, progress).run(), name=f"verify {name}")
    stopped = asyncio.create_task(stop.wait())
    keeping = asyncio.create_task(_keep_told(member, name, progress))
    fault = ""
    try:
        while not work.done() and not stopped.done():
            await asyncio.wait({work, stopped}, timeout=SHOW_EVERY, return_when=asyncio.FIRST_COMPLETED)
            progress.behind = member.passing.waiting
            shown.update(name, progress)
    finally:
        tasks = (work, stopped, keeping)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if work.cancelled():
        fault = "it was told to end"
    else:
        error = work.exception()
        if error is not None and not isinstance(error, FAULTS):
            raise error
        fault = "" if error is None else str(error)
    state = replace(state, estimate=progress.estimate)
    last = ended(state, progress.report, datetime.now(UTC), fault=fault)
    await keep(
        member.store,
        name,
        lambda before: last if _own(before, member) else None,
    )
    return Done(last, progress.report)


async def _keep_told(member: Member, name: str, progress: Progress) -> None:
    """Until cancelled. A store that is away is told later."""
    while True:
        await asyncio.sleep(KEEP_EVERY)
        try:
            await keep(member.store, name, lambda before: _moved(before, member, progress))
        except (StoreUnavailable, StoreRefused):
            continue


def _moved(before: Verification | None, member: Member, progress: Progress) -> Verification | None:
    if before is None or not _own(before, member):
        return None
    return replace(progressed(before, progress.report, datetime.now(UTC)), estimate=progress.estimate)


def _own(state: Verification | None, member: Member) -> bool:
    """Whether nobody has begun another comparison of the table since."""
    return state is not None and state.owner == member.proxy


@contextmanager
def told_to_end(stop: asyncio.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set `stop`."""
    loop = asyncio.get_running_loop()
    kinds = (signal.SIGINT, signal.SIGTERM)
    for kind in kinds:
        loop.add_signal_handler(kind, stop.set)
    try:
        yield
    finally:
        for kind in kinds:
            loop.remove_signal_handler(kind)
