"""`causeway phase TABLE PHASE`: asks for a phase in the rule file, and waits until the fleet has it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
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
    from proxy.config import Settings
    from proxy.phases import Phase
    from proxy.phasing.choosing import Choice
    from proxy.phasing.fleet import Observer
    from proxy.phasing.running import Result

SILENT_BEATS = 3
"""Heartbeats without which a proxy is called silent."""


def phase(
    ctx: typer.Context,
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE", help="table, schema.table or database:schema.table", show_default=False
        ),
    ],
    to: Annotated[str, typer.Argument(metavar="PHASE", help="The phase to ask for.", show_default=False)],
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Change nothing; say what would be changed, and which gates are open."
        ),
    ] = False,
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="How long to wait for the fleet at most.")
    ] = "1m",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask for another phase: edit the rule file, wait until every live proxy has taken it, and report.

    Comments, order and quotes of the file stay as they are. A table that has fallen back by itself may pass the gates
    again. Exit codes: 0 every live proxy has the table in the phase (or --dry-run: every gate is open); 1 it is held,
    a proxy did not follow in time, or the file cannot be edited; 2 wrong usage or settings.
    """
    loaded = load_settings(ctx.obj, upstream_optional=True)
    import asyncio

    from proxy.logs import configure
    from proxy.phasing.choosing import Unchosen, choose
    from proxy.phasing.running import Outcome
    from proxy.phasing.view import describe, render
    from proxy.rulefiles.rewrite import CannotWrite

    configure("console", "error")
    asked, seconds = _phase(to), _seconds(timeout)
    settings = loaded.settings
    if settings.rules is None:
        typer.echo("error: no `rules` are given, so there is no file to edit", err=True)
        raise typer.Exit(EXIT_USAGE)
    with ends_on_failure(), _progress(quiet=as_json) as say:
        try:
            choice = choose(settings.rules, table, asked, max_size=settings.max_rules_size)
            result = asyncio.run(_run(settings, choice, asked, dry_run, seconds, say))
        except (Unchosen, CannotWrite) as error:
            typer.echo(f"error: {error}", err=True)
            if isinstance(error, CannotWrite):
                typer.echo(f"write there: {choice.edit.new} (line {choice.edit.line})", err=True)
            raise typer.Exit(EXIT_FAILED) from None
    if as_json:
        print_json(describe(result))
    else:
        console().print(render(result))
    good = result.outcome in (Outcome.THERE, Outcome.NO_PROXY, Outcome.NO_STORE)
    if result.outcome is Outcome.DRY_RUN:
        good = all(one.open for _, one in result.gates)
    raise typer.Exit(EXIT_OK if good else EXIT_FAILED)


def _phase(text: str) -> Phase:
    from proxy.phases import Phase

    try:
        return Phase(text)
    except ValueError:
        known = ", ".join(str(one) for one in Phase)
        typer.echo(f"error: {text!r} is not a phase; write one of {known}", err=True)
        raise typer.Exit(EXIT_USAGE) from None


def _seconds(text: str) -> float:
    from proxy.units import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        typer.echo(f"error: --timeout: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None


async def _run(
    settings: Settings,
    choice: Choice,
    asked: Phase,
    dry_run: bool,
    timeout: float,
    say: Callable[[str], None],
) -> Result:
    from proxy.backfill.member import command_store
    from proxy.catalog.limits import CatalogueLimits
    from proxy.fleet.identity import Identity
    from proxy.phasing.fleet import Observer
    from proxy.phasing.running import carry_out

    def carried_out(observer: Observer | None) -> Coroutine[None, None, Result]:
        return carry_out(
            choice,
            asked,
            observer,
            dry_run=dry_run,
            timeout=timeout,
            silent_after=SILENT_BEATS * settings.heartbeat_interval,
            say=say,
        )

    if settings.store is None:
        return await carried_out(None)
    dsn = "" if settings.control_dsn is None else settings.control_dsn.get_secret_value()
    limits = CatalogueLimits(
        connect_timeout=settings.connect_timeout, query_timeout=settings.catalogue_timeout
    )
    identity = Identity(dsn, limits, tuple)
    store = command_store(settings)
    try:
        await identity.learn()
        return await carried_out(Observer(store, identity.system))
    finally:
        await store.close()


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Says on standard error what is waited for: one line that changes, or on no terminal each line once."""
    last = ""
    terminal = sys.stderr.isatty()

    def say(text: str) -> None:
        nonlocal last
        if quiet or text == last:
            return
        last = text
        typer.echo(f"\r\x1b[K{text}" if terminal else text, err=True, nl=not terminal)

    try:
        yield say
    finally:
        if terminal and last:
            typer.echo("\r\x1b[K", err=True, nl=False)
