"""`causeway mismatches`: what dark reads have found to differ, as the store remembers it for the whole fleet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

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
    from proxy.config import Settings
    from proxy.shadow.ledger import Ledger, Mismatch

T = TypeVar("T")


class _Mismatches(DefaultGroup):
    """`causeway mismatches` is `causeway mismatches list`."""

    default = "list"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or [self.default])


app = typer.Typer(
    cls=_Mismatches,
    help="Show what dark reads have found to differ.\n\nEach entry is a statement that PostgreSQL and the store answer "
    "differently, and went on doing so while neither changed. `causeway mismatches` is `causeway mismatches list`.",
    epilog=EPILOG,
)

Chosen = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ENTRY...",
        help="Only these: an entry's id or its beginning, a fingerprint, a table, or database:table",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list", cls=SettingsCommand, epilog=EPILOG)
def list_(ctx: typer.Context, chosen: Chosen = None, as_json: Json = False) -> None:
    """Show the entries, those seen last first."""
    from proxy.shadow.mismatches_view import describe, render

    entries, unkept = _entries(ctx, chosen)
    if as_json:
        print_json({"mismatches": [describe(one) for one in entries], "not_kept": unkept})
    else:
        console().print(render(entries, unkept))


@app.command(cls=SettingsCommand, epilog=EPILOG)
def show(
    ctx: typer.Context,
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="An entry's id or its beginning")],
    as_json: Json = False,
) -> None:
    """Show one entry: its statement, keys, columns, and of values what the rules let the ledger keep.

    Exit codes: 0 done, 1 there is no such entry, or more than one, 2 wrong usage or settings.
    """
    from proxy.shadow.mismatches_view import describe, render_one

    entries, _ = _entries(ctx, None)
    found = [one for one in entries if one.id.startswith(entry)]
    if len(found) != 1:
        typer.echo(
            f"error: {'more than one entry begins' if found else 'no entry begins'} with {entry}", err=True
        )
        raise typer.Exit(EXIT_FAILED)
    if as_json:
        print_json(describe(found[0]))
    else:
        console().print(render_one(found[0]))


@app.command(cls=SettingsCommand, epilog=EPILOG)
def clear(
    ctx: typer.Context,
    chosen: Chosen = None,
    every: Annotated[
        bool, typer.Option("--all", help="All entries, and the count of those not kept.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take entries out of the ledger: what still differs comes back with the next read that finds it."""
    if every == bool(chosen):
        typer.echo("error: name entries, or give --all", err=True)
        raise typer.Exit(EXIT_USAGE)
    meant = _meant(chosen)
    removed = _with_ledger(ctx, lambda ledger: ledger.clear(meant, unkept=every))
    if as_json:
        print_json({"removed": removed})
    else:
        typer.echo(f"{removed} {'entry' if removed == 1 else 'entries'} removed")
    raise typer.Exit(EXIT_OK if removed or every else EXIT_FAILED)


def _meant(chosen: list[str] | None) -> Callable[[Mismatch], bool]:
    wanted = chosen or []

    def meant(entry: Mismatch) -> bool:
        names = {entry.fingerprint, *entry.tables, *(f"{entry.database}:{table}" for table in entry.tables)}
        names |= {name.replace("public.", "", 1) for name in names}
        return not wanted or any(
            one in names or (len(one) >= 4 and entry.id.startswith(one)) for one in wanted
        )

    return meant


def _entries(ctx: typer.Context, chosen: list[str] | None) -> tuple[list[Mismatch], int]:
    entries, unkept = _with_ledger(ctx, lambda ledger: ledger.entries())
    meant = _meant(chosen)
    return [one for one in entries if meant(one)], unkept


def _with_ledger(ctx: typer.Context, work: Callable[[Ledger], Awaitable[T]]) -> T:
    loaded = load_settings(ctx.obj, upstream_optional=True)
    import asyncio

    from proxy.logs import configure

    configure("console", "error")
    with ends_on_failure():
        return asyncio.run(_worked(loaded.settings, work))


async def _worked(settings: Settings, work: Callable[[Ledger], Awaitable[T]]) -> T:
    from proxy.backfill.member import command_store
    from proxy.shadow.ledger import Ledger

    store = command_store(settings)
    try:
        return await work(Ledger(store))
    finally:
        await store.close()
