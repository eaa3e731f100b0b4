"""`causeway backfill`: the history of tables, copied beside live traffic."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from proxy.backfill.cli_group import DefaultGroup
from proxy.cli_common import (
    EPILOG,
    EXIT_FAILED,
    EXIT_OK,
    EXIT_USAGE,
    console,
    ends_on_failure,
    load_settings,
    print_json,
)
from proxy.cli_options import SettingsCommand

if TYPE_CHECKING:
    from proxy.backfill.progress import Shown
    from proxy.backfill.run import Run
    from proxy.config import Settings

app = typer.Typer(
    cls=DefaultGroup,
    no_args_is_help=True,
    help="Copy the history of tables into documents, beside live traffic.\n\n"
    "`causeway backfill TABLE...` starts or goes on with it; a table that is called like one of the commands "
    "is written public.NAME.",
    epilog=EPILOG,
)

Tables = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TABLE...", help="table, schema.table or database:schema.table", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LIMITS = "Limits, which can be changed while it runs; 0 is none"


def _limit(flag: str, metavar: str, text: str) -> Any:
    return typer.Option(flag, metavar=metavar, help=escape(text), rich_help_panel=LIMITS, show_default=False)


Rate = Annotated[float | None, _limit("--rate", "ROWS/S", "Rows a second, all workers together.")]
Concurrency = Annotated[int | None, _limit("--concurrency", "N", "Chunks at once in each process (2).")]
ChunkRows = Annotated[int | None, _limit("--chunk-rows", "N", "Rows of one chunk, at most (5000).")]
MaxLag = Annotated[
    str | None, _limit("--max-lag", "DURATION", "Wait while a replica of the source is further behind.")
]
MaxLagBytes = Annotated[str | None, _limit("--max-lag-bytes", "SIZE", "The same in WAL to be replayed.")]
MaxSessions = Annotated[
    int | None, _limit("--max-sessions", "N", "Wait while more sessions of the source are active.")
]
MaxStoreLatency = Annotated[
    str | None, _limit("--max-store-latency", "DURATION", "Rest after a bulk write that took longer.")
]
ThrottleQuery = Annotated[
    str | None,
    _limit("--throttle-query", "SQL", "A query that gives one number; wait while it is over the limit."),
]
ThrottleLimit = Annotated[float | None, _limit("--throttle-limit", "NUMBER", "That limit.")]


@app.command(cls=SettingsCommand, epilog=EPILOG)
def start(
    ctx: typer.Context,
    tables: Tables = None,
    every: Annotated[bool, typer.Option("--all", help="Every table that is mirrored.")] = False,
    since: Annotated[
        str,
        typer.Option(
            metavar="VALUE", help="Only rows whose `last_modified` column is not below.", show_default=False
        ),
    ] = "",
    refresh: Annotated[bool, typer.Option("--refresh", help="Also overwrite documents that differ.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Copy a table that was copied already.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="No proxy need be running: nothing writes to the tables.")
    ] = False,
    rate: Rate = None,
    concurrency: Concurrency = None,
    chunk_rows: ChunkRows = None,
    max_lag: MaxLag = None,
    max_lag_bytes: MaxLagBytes = None,
    max_sessions: MaxSessions = None,
    max_store_latency: MaxStoreLatency = None,
    throttle_query: ThrottleQuery = None,
    throttle_limit: ThrottleLimit = None,
    as_json: Annotated[bool, typer.Option("--json", help="Progress as a line of JSON each second.")] = False,
) -> None:
    """Start copying tables, join others at it, or go on where it was left. What is newer is never overwritten.

    Any number of processes on any number of machines may do this at once and share the work.
    """
    _need_tables(tables, every)
    tuning = _tuning(
        rate, concurrency, chunk_rows, max_lag, max_lag_bytes, max_sessions, max_store_latency,
        throttle_query, throttle_limit,
    )  # fmt: skip
    loaded = load_settings(ctx.obj, upstream_optional=True)
    import uvloop

    from proxy.backfill.joining import Wanted
    from proxy.backfill.run import Mode
    from proxy.backfill.running import backfill
    from proxy.collector import calm_collector
    from proxy.logs import configure

    configure(loaded.settings.log_format, "error")
    wanted = Wanted(Mode.REFRESH if refresh else Mode.SEED, since, tuning, offline, again)
    calm_collector()
    with ends_on_failure(), _shown(as_json) as shown:
        good = uvloop.run(backfill(loaded.settings, tables or [], wanted, shown, every=every))
    raise typer.Exit(EXIT_OK if good else EXIT_FAILED)


@app.command(cls=SettingsCommand, epilog=EPILOG)
def status(
    ctx: typer.Context,
    tables: Tables = None,
    as_json: Json = False,
) -> None:
    """Show the backfills there are, or those of some tables."""
    runs = _changed(ctx, tables, not tables, lambda run: run)
    if as_json:
        from proxy.backfill.run_view import describe

        print_json([describe(run) for run in runs])
    else:
        from proxy.backfill.run_view import table_of

        console().print(table_of(runs) if runs else "no backfill was begun")


@app.command(cls=SettingsCommand, epilog=EPILOG)
def pause(
    ctx: typer.Context,
    tables: Tables = None,
    every: Annotated[bool, typer.Option("--all", help="Every backfill.")] = False,
    reason: Annotated[str, typer.Option(help="Shown to everybody.")] = "by hand",
) -> None:
    """Pause backfills: chunks under way are finished, no other is begun. The workers stay."""
    from datetime import UTC, datetime

    from proxy.backfill.moves import pause as paused

    _need_tables(tables, every)
    _tell(_changed(ctx, tables, every, lambda run: paused(run, reason, datetime.now(UTC))))


@app.command(cls=SettingsCommand, epilog=EPILOG)
def resume(
    ctx: typer.Context,
    tables: Tables = None,
    every: Annotated[bool, typer.Option("--all", help="Every backfill.")] = False,
) -> None:
    """Go on with backfills that are paused."""
    from datetime import UTC, datetime

    from proxy.backfill.moves import resume as resumed

    _need_tables(tables, every)
    _tell(_changed(ctx, tables, every, lambda run: run if run.held else resumed(run, datetime.now(UTC))))


@app.command(cls=SettingsCommand, epilog=EPILOG)
def cancel(
    ctx: typer.Context,
    tables: Tables = None,
    every: Annotated[bool, typer.Option("--all", help="Every backfill.")] = False,
) -> None:
    """End backfills for good. What is copied stays; another start begins from the first row."""
    from datetime import UTC, datetime

    from proxy.backfill.moves import cancel as cancelled

    _need_tables(tables, every)
    _tell(_changed(ctx, tables, every, lambda run: cancelled(run, datetime.now(UTC))))


@app.command("set", cls=SettingsCommand, epilog=EPILOG)
def set_(
    ctx: typer.Context,
    tables: Tables = None,
    every: Annotated[bool, typer.Option("--all", help="Every backfill.")] = False,
    rate: Rate = None,
    concurrency: Concurrency = None,
    chunk_rows: ChunkRows = None,
    max_lag: MaxLag = None,
    max_lag_bytes: MaxLagBytes = None,
    max_sessions: MaxSessions = None,
    max_store_latency: MaxStoreLatency = None,
    throttle_query: ThrottleQuery = None,
    throttle_limit: ThrottleLimit = None,
) -> None:
    """Change the limits of backfills while they run."""
    from proxy.backfill.moves import tune

    _need_tables(tables, every)
    tuning = _tuning(
        rate, concurrency, chunk_rows, max_lag, max_lag_bytes, max_sessions, max_store_latency,
        throttle_query, throttle_limit,
    )  # fmt: skip
    if not tuning:
        _usage("give at least one limit, such as --rate 500")
    _tell(_changed(ctx, tables, every, lambda run: tune(run, **tuning)))


def _need_tables(tables: list[str] | None, every: bool) -> None:
    if bool(tables) == every:
        _usage("name tables, or give --all")


def _usage(text: str) -> None:
    typer.echo(f"error: {text}", err=True)
    raise typer.Exit(EXIT_USAGE)


def _tuning(
    rate: float | None,
    concurrency: int | None,
    chunk_rows: int | None,
    max_lag: str | None,
    max_lag_bytes: str | None,
    max_sessions: int | None,
    max_store_latency: str | None,
    throttle_query: str | None,
    throttle_limit: float | None,
) -> dict[str, Any]:
    """Fields of `Tuning`; ends with EXIT_USAGE on what cannot be."""
    from proxy.backfill.tuning import Impossible, read_tuning

    try:
        return read_tuning(
            rate=rate,
            concurrency=concurrency,
            chunk_rows=chunk_rows,
            max_lag=max_lag,
            max_lag_bytes=max_lag_bytes,
            max_sessions=max_sessions,
            max_store_latency=max_store_latency,
            throttle_query=throttle_query,
            throttle_limit=throttle_limit,
        )
    except Impossible as error:
        _usage(str(error))
        raise


def _changed(
    ctx: typer.Context, tables: list[str] | None, every: bool, move: Callable[[Run], Run | None]
) -> list[Run]:
    loaded = load_settings(ctx.obj, upstream_optional=True)
    import asyncio

    from proxy.backfill.controlling import NotFound
    from proxy.logs import configure

    configure("console", "error")
    try:
        with ends_on_failure():
            return asyncio.run(_change(loaded.settings, tables or [], every, move))
    except NotFound as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None


async def _change(
    settings: Settings, names: list[str], every: bool, move: Callable[[Run], Run | None]
) -> list[Run]:
    from proxy.backfill.controlling import all_runs, change, chosen
    from proxy.backfill.member import command_store

    store = command_store(settings)
    try:
        return await change(store, chosen(await all_runs(store), names, every=every), move)
    finally:
        await store.close()


def _tell(runs: list[Run]) -> None:
    from proxy.backfill.run_view import line

    for run in runs:
        typer.echo(line(run))


def _shown(as_json: bool) -> Shown:
    from proxy.backfill.progress import Bars, JsonLines, PlainLines

    def write(text: str) -> None:
        typer.echo(text)
        sys.stdout.flush()

    if as_json:
        return JsonLines(write)
    return Bars(console()) if sys.stdout.isatty() else PlainLines(write)
