"""`causeway verify`: compares tables with their collections, beside live traffic."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from proxy.cli_common import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_USAGE,
    console,
    ends_on_failure,
    load_settings,
    print_json,
)

if TYPE_CHECKING:
    from proxy.backfill.verify_progress import Shown


def verify(
    ctx: typer.Context,
    tables: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TABLE...", help="table, schema.table or database:schema.table", show_default=False
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every table that is mirrored.")] = False,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Put right from PostgreSQL what differs; close the gaps this covers."),
    ] = False,
    remove_foreign: Annotated[
        bool,
        typer.Option(
            "--remove-foreign",
            help="With --repair: also documents that Causeway has not made and whose _id is no key of the table.",
        ),
    ] = False,
    sample: Annotated[
        str, typer.Option(metavar="PERCENT", help="Compare only this share of the chunks, such as 1%.")
    ] = "100%",
    where: Annotated[
        str,
        typer.Option(
            metavar="SQL", help="Only rows for which this holds; the table is `t`.", show_default=False
        ),
    ] = "",
    since: Annotated[
        str,
        typer.Option(
            metavar="VALUE",
            help="Only rows whose `last_modified` column is not below: a value, or a time back such as 24h.",
            show_default=False,
        ),
    ] = "",
    rate: Annotated[float, typer.Option(metavar="ROWS/S", help="Rows a second; 0 is no limit.", min=0)] = 0.0,
    concurrency: Annotated[int, typer.Option(metavar="N", help="Chunks at once.", min=1, max=16)] = 2,
    limit_differences: Annotated[
        int,
        typer.Option(metavar="N", help="Differences that are listed; all are counted.", min=0, max=100_000),
    ] = 100,
    show_values: Annotated[
        bool, typer.Option("--show-values", help="Show keys as they are, not only marks of them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare all rows of tables with their documents, whatever is written meanwhile.

    A difference counts only if it lasts. Exit codes: 0 all are equal, or were made so; 1 differences are left, or a
    comparison was cut short; 2 wrong usage or settings.
    """
    if bool(tables) == every:
        _usage("name tables, or give --all")
    if remove_foreign and not repair:
        _usage("--remove-foreign goes with --repair")
    from proxy.units import parse_percent

    try:
        share = parse_percent(sample)
    except ValueError as error:
        _usage(f"--sample: {error}")
    loaded = load_settings(ctx.obj, upstream_optional=True)
    import asyncio

    from proxy.backfill.report import Outcome, Scope
    from proxy.backfill.verify import Options
    from proxy.backfill.verify_view import describe, render, shower
    from proxy.backfill.verifying import WrongScope
    from proxy.backfill.verifying import verify as verify_all
    from proxy.logs import configure

    configure("console", "error")
    options = Options(
        Scope(share, where, since),
        repair=repair,
        remove_foreign=remove_foreign,
        concurrency=concurrency,
        rate=rate,
        max_reread_rows=loaded.settings.max_reread_rows,
    )
    try:
        with ends_on_failure(), shown_on_stderr(quiet=as_json) as shown:
            done = asyncio.run(
                verify_all(
                    loaded.settings,
                    tables or [],
                    options,
                    shown,
                    every=every,
                    limit=limit_differences,
                )
            )
    except WrongScope as error:
        _usage(str(error))
    equal = bool(done) and all(one.state.outcome is Outcome.EQUAL for one in done)
    show = shower(values=show_values)
    if as_json:
        print_json({"equal": equal, "tables": [describe(one, show) for one in done]})
    else:
        console().print(render(done, show))
    raise typer.Exit(EXIT_OK if equal else EXIT_FAILED)


def shown_on_stderr(*, quiet: bool) -> Shown:
    from rich.console import Console

    from proxy.backfill.verify_progress import Bars, Lines

    if sys.stderr.isatty() and not quiet:
        return Bars(Console(stderr=True))
    return Lines(None if quiet else lambda text: typer.echo(text, err=True))


def _usage(text: str) -> NoReturn:
    typer.echo(f"error: {text}", err=True)
    raise typer.Exit(EXIT_USAGE)
