"""`causeway gaps`: the ledger of what was written and not seen, and working it off."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

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
    from proxy.backfill.gap_work import Worked
    from proxy.backfill.gaps_view import Untold
    from proxy.config import Settings
    from proxy.stores.protocol import GapEntry, Store


class _Gaps(DefaultGroup):
    """`causeway gaps` is `causeway gaps list`."""

    default = "list"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or [self.default])


app = typer.Typer(
    cls=_Gaps,
    help="Show the gaps of the ledger, and work them off.\n\nA gap says that rows, or a table, may differ from their "
    "documents. `causeway gaps` is `causeway gaps list`.",
    epilog=EPILOG,
)

Tables = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TABLE...",
        help="Only of these: table, schema.table or database:schema.table",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list", cls=SettingsCommand, epilog=EPILOG)
def list_(
    ctx: typer.Context,
    tables: Tables = None,
    show_values: Annotated[
        bool, typer.Option("--show-values", help="With --json: also the key values of gaps that have rows.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the gaps that are open, and those that proxies have not told of yet."""
    chosen = _chosen(tables)
    loaded = load_settings(ctx.obj, upstream_optional=True)
    import asyncio

    from proxy.backfill.gaps_view import describe, render
    from proxy.logs import configure

    configure("console", "error")
    with ends_on_failure():
        gaps, waiting = asyncio.run(_read(loaded.settings, chosen))
    if as_json:
        print_json(describe(gaps, waiting, values=show_values))
    else:
        console().print(render(gaps, waiting))


@app.command(cls=SettingsCommand, epilog=EPILOG)
def repair(ctx: typer.Context, tables: Tables = None, as_json: Json = False) -> None:
    """Close every gap: read its rows again, or compare its whole table and repair what differs.

    Exit codes: 0 none is left; 1 some are, each with the reason; 2 wrong usage or settings.
    """
    chosen = _chosen(tables)
    loaded = load_settings(ctx.obj, upstream_optional=True)
    import asyncio

    from proxy.backfill.gaps_view import describe
    from proxy.logs import configure

    configure("console", "error")
    with ends_on_failure():
        worked = asyncio.run(_work(loaded.settings, chosen, quiet=as_json))
    if as_json:
        left = describe([gap for gap, _ in worked.left], [], values=False)["gaps"]
        for one, (_, why) in zip(left, worked.left, strict=True):
            one["reason"] = why
        print_json({"closed": worked.closed, "left": left})
    else:
        typer.echo(f"{worked.closed} gaps closed, {len(worked.left)} left")
        for gap, why in worked.left:
            typer.echo(f"{gap.id[:8]} {gap.database}:{gap.table} {gap.cause}: {why}")
    raise typer.Exit(EXIT_FAILED if worked.left else EXIT_OK)


def _chosen(tables: list[str] | None) -> Callable[[GapEntry], bool]:
    """Which gaps are meant; ends with EXIT_USAGE on what is no table."""
    from proxy.mirror.gap import parse_table
    from proxy.names import TableName, parse_table_name

    wanted = set()
    for text in tables or ():
        database, _, name = text.rpartition(":")
        try:
            parsed = parse_table_name(name)
        except ValueError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(EXIT_USAGE) from None
        wanted.add(TableName(parsed.schema, parsed.name, database or None))

    def chosen(gap: GapEntry) -> bool:
        table = parse_table(gap.table)
        names = {TableName(table.schema, table.name, one) for one in (gap.database, None)}
        return not wanted or bool(names & wanted)

    return chosen


async def _read(
    settings: Settings, chosen: Callable[[GapEntry], bool]
) -> tuple[list[GapEntry], list[Untold]]:
    from proxy.backfill.member import command_store

    store = command_store(settings)
    try:
        return [gap for gap in await store.gaps() if chosen(gap)], await _untold(store)
    finally:
        await store.close()


async def _untold(store: Store) -> list[Untold]:
    from proxy.backfill.gaps_view import untold
    from proxy.fleet.beats import parse_beat
    from proxy.fleet.losses import LOST, PROXIES

    beats = [parse_beat(proxy, document) for proxy, document in (await store.get_state(PROXIES)).items()]
    return untold(beats, await store.get_state(LOST))


async def _work(settings: Settings, chosen: Callable[[GapEntry], bool], *, quiet: bool) -> Worked:
    import asyncio

    from proxy.backfill.cli_verify import shown_on_stderr
    from proxy.backfill.gap_work import GapWork
    from proxy.backfill.member import open_member
    from proxy.backfill.verifying import told_to_end

    stop = asyncio.Event()
    with told_to_end(stop), shown_on_stderr(quiet=quiet) as shown:
        async with open_member(settings, "gaps") as member:
            work = GapWork(member, chosen, shown, stop, max_reread_rows=settings.max_reread_rows)
            return await work.run()
