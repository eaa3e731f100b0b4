"""How a process comes to take part in the backfill of a table: it begins a run, or joins the one there is."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from proxy.backfill.board import RunBoard
from proxy.backfill.chunks import KeyPages
from proxy.backfill.company import Company
from proxy.backfill.copying import Host
from proxy.backfill.gate import Refused, pass_gate
from proxy.backfill.moves import join, tune
from proxy.backfill.run import KeyText, Mode, Run, Status, Tuning, Worker
from proxy.backfill.statistics import Size, read_size
from proxy.mirror.tables import MirroredTable

MAX_PROXIES = 10_000
"""Incarnations remembered in a run; a proxy that is forgotten is waited for once more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user has asked for."""

    mode: Mode = Mode.SEED
    since: str = ""
    """Text of the least value of the column `last_modified`; empty: all rows."""
    tuning: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Fields of `Tuning`; what is not given stays as it is, or is the default."""
    offline: bool = False
    """No proxy need mirror the table: nothing writes to it."""
    again: bool = False
    """Copy a table that is copied already."""


def this_worker(now: datetime) -> Worker:
    return Worker(socket.gethostname(), os.getpid(), now)


def last_modified(table: MirroredTable, wanted: Wanted) -> tuple[str, str] | None:
    """The column and the value that rows must have at least. Refused where the rule names no column."""
    if not wanted.since:
        return None
    column = table.rule.last_modified
    if column is None:
        raise Refused(
            f"--since needs to know when a row was changed last; name the column of {table.name} "
            "under `last_modified` in its rule"
        )
    return column, wanted.since


def obstacle(run: Run, table: MirroredTable, wanted: Wanted) -> str:
    """Why an unfinished run cannot be gone on with as it is wanted; empty where it can."""
    cancel = f"`causeway backfill cancel {table.name.name}` ends it"
    if (run.mode, run.since) != (wanted.mode, wanted.since):
        options = " ".join(
            filter(
                None,
                (
                    "--refresh" if run.mode is Mode.REFRESH else "",
                    f"--since '{run.since}'" if run.since else "",
                ),
            )
        )
        return (
            f"a backfill of {run.table} {f'with {options}' if options else 'without these options'} "
            f"is not finished; go on with it as it was begun, or {cancel}"
        )
    if run.relation != table.relation.oid:
        return f"{run.table} was dropped and made anew since its backfill began; {cancel}, then begin again"
    if run.columns != table.mapping.key_columns:
        return f"the key of {run.table} has changed since its backfill began; {cancel}, then begin again"
    return ""


def new_run(before: Run | None, table: MirroredTable, wanted: Wanted, size: Size, now: datetime) -> Run:
    """The next run of the table; its revision is that of the one before."""
    return Run(
        table=str(table.name),
        number=1 if before is None else before.number + 1,
        relation=table.relation.oid,
        columns=table.mapping.key_columns,
        started=now,
        updated=now,
        estimate=size.rows,
        mode=wanted.mode,
        since=wanted.since,
        tuning=replace(Tuning(), **wanted.tuning),
        doubt=None if before is None else before.doubt,
        doubted_from=None
        if before is None or before.doubt is None
        else before.doubted_from or before.started,
    )


def is_wanted(run: Run | None, wanted: Wanted) -> bool:
    """Whether a run that is over did what is wanted now."""
    return (
        run is not None
        and run.status is Status.DONE
        and not wanted.again
        and (run.mode, run.since) == (wanted.mode, wanted.since)
    )


async def take_part(
    host: Host,
    company: Company,
    board: RunBoard,
    table: MirroredTable,
    wanted: Wanted,
    *,
    say: Callable[[str], None],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> tuple[Run, float]:
    """The run this process takes part in, or that is done already, and the bytes of a row on average.

    Raises Refused, and what store and source raise.
    """
    last_modified(table, wanted)
    size = await read_size(host.source(table.database), table.relation)
    while True:
        run = await board.read()
        if is_wanted(run, wanted):
            assert run is not None
            return run, size.row_bytes
        taken = await _try(host, company, board, run, table, wanted, size, say, now)
        if taken is not None:
            return taken, size.row_bytes
        wanted = replace(wanted, again=False)  # somebody has begun or ended a run just now


async def _end(host: Host, table: MirroredTable) -> KeyText | None:
    """The largest key there is; what is inserted behind it from now on is mirrored. None of an empty table."""
    query, arguments = KeyPages(table.relation, table.mapping.key_columns, table.snapshot.types).last()
    rows = await host.source(table.database).fetch(query, *arguments)
    return tuple(rows[0]) if rows else None


async def _try(
    host: Host,
    company: Company,
    board: RunBoard,
    before: Run | None,
    table: MirroredTable,
    wanted: Wanted,
    size: Size,
    say: Callable[[str], None],
    now: Callable[[], datetime],
) -> Run | None:
    """None where somebody was faster."""
    going = before is not None and not before.status.is_over
    if before is not None and going:
        fault = obstacle(before, table, wanted)
        if fault:
            raise Refused(fault)
    proxies = await pass_gate(
        company,
        host.source(table.database),
        table.database,
        table.relation.id,
        str(table.name),
        known=before.proxies if before is not None and going else (),
        offline=wanted.offline,
        say=say,
    )
    if not going:
        end = await _end(host, table) if proxies else None
        fresh = replace(new_run(before, table, wanted, size, now()), proxies=proxies[:MAX_PROXIES], end=end)
        if not await board.begin(fresh):
            return None
    number = board.run.number

    def joined(run: Run) -> Run | None:
        if run.number != number or run.status.is_over:
            return None
        known = tuple(sorted({*run.proxies, *proxies}))[:MAX_PROXIES]
        return join(tune(replace(run, proxies=known), **wanted.tuning), host.proxy, this_worker(now()))

    return await board.change(joined)
