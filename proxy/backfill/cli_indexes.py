"""`causeway indexes`: what indexes the documents of a table should have, and making them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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
    from proxy.backfill.indexes import Plan, Proposal
    from proxy.config import Settings


def indexes(
    ctx: typer.Context,
    tables: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TABLE...", help="table, schema.table or database:schema.table", show_default=False
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Of every table that is mirrored.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Make what is missing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show which indexes of a table its documents have, lack, or cannot have; --apply makes those they lack.

    Those that are unique in PostgreSQL are made plain: until decommission PostgreSQL sees to uniqueness, and mirrored
    writes may arrive in another order than they happened. Nothing that is there is changed or dropped.
    """
    if bool(tables) == every:
        typer.echo("error: name tables, or give --all", err=True)
        raise typer.Exit(EXIT_USAGE)
    loaded = load_settings(ctx.obj, upstream_optional=True)
    import asyncio

    from proxy.backfill.index_view import describe, render
    from proxy.logs import configure

    configure("console", "error")
    with ends_on_failure():
        plans = asyncio.run(_plans(loaded.settings, tables or [], every, apply, quiet=as_json))
    if as_json:
        print_json([describe(plan) for plan in plans])
    else:
        output = console()
        for plan in plans:
            output.print(render(plan))
    failed = any(one.standing.is_failure for plan in plans for one in plan.proposals)
    raise typer.Exit(EXIT_FAILED if failed else EXIT_OK)


async def _plans(
    settings: Settings, names: list[str], every: bool, apply: bool, *, quiet: bool
) -> list[Plan]:
    from proxy.backfill.index_work import look, make
    from proxy.backfill.member import open_member

    def begun(proposal: Proposal) -> None:
        if not quiet and proposal.index is not None:
            typer.echo(f"making {proposal.index.name} ...", err=True)

    found = []
    async with open_member(settings, "indexes") as member:
        for table in member.tables(names, every=every):
            plan = await look(table, member.source(table.database), member.store)
            if apply:
                plan = await make(plan, table, member.store, begun=begun)
            found.append(plan)
    return found
