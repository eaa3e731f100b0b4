"""The command line. Exit codes: 0 done, 1 a check or the proxy failed, 2 wrong usage or settings.

Modules are imported by the commands that need them.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from rich.markup import escape

from proxy import __version__
from proxy.backfill.cli_backfill import app as backfill_app
from proxy.backfill.cli_gaps import app as gaps_app
from proxy.backfill.cli_indexes import indexes
from proxy.backfill.cli_verify import verify
from proxy.cli_common import EPILOG, EXIT_FAILED, EXIT_OK, EXIT_USAGE, console, load_settings, print_json
from proxy.cli_options import CONFIG_HELP, SettingsCommand
from proxy.phasing.cli_phase import phase
from proxy.shadow.cli_mismatches import app as mismatches_app
from proxy.translate.cli_explain import explain

app = typer.Typer(
    name="causeway",
    help="A transparent PostgreSQL proxy that moves a live application onto a document database.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


app.add_typer(backfill_app, name="backfill")


@app.command(cls=SettingsCommand, epilog=EPILOG)
def run(ctx: typer.Context) -> None:
    """Run the proxy until SIGTERM or SIGINT; SIGHUP reloads the rules.

    Every setting is a flag, a variable (CAUSEWAY_...) or a key of the configuration file; the first that is
    given counts, in this order.
    """
    loaded = load_settings(ctx.obj)
    from proxy.run import run as run_proxy

    raise typer.Exit(run_proxy(loaded.settings))


@app.command(cls=SettingsCommand, epilog=EPILOG)
def check(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON.")] = False,
) -> None:
    """Check the rule files and every connection; exit code 1 if anything would keep the proxy from working.

    What is not given is skipped: `causeway check --rules PATH` looks at the rules alone.
    """
    loaded = load_settings(ctx.obj, upstream_optional=True)
    import asyncio
    from dataclasses import asdict

    from proxy.check import check as check_all
    from proxy.finding import Finding, failed
    from proxy.logs import configure

    configure("console", "error")

    async def gather() -> list[Finding]:
        return [finding async for finding in check_all(loaded.settings)]

    findings = asyncio.run(gather())
    if as_json:
        print_json({"ok": not failed(findings), "findings": [asdict(finding) for finding in findings]})
    else:
        from proxy.check_view import render

        console().print(render(findings))
    raise typer.Exit(EXIT_FAILED if failed(findings) else EXIT_OK)


@app.command(epilog=EPILOG)
def status(
    admin: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="The proxy's admin address (CAUSEWAY_ADMIN, or the file's; default 127.0.0.1:9187).",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help=escape(CONFIG_HELP), show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The answer of /status as it is.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it, until Ctrl-C.")] = False,
    interval: Annotated[
        float, typer.Option(metavar="SECONDS", help="Between two looks with --watch.", min=0.2)
    ] = 1.0,
) -> None:
    """Show what a running proxy does: connections, tables and their phases, rules, processes."""
    loaded = load_settings({"admin": admin, "config": config}, upstream_optional=True)
    address = loaded.settings.admin
    if address is None:
        typer.echo("error: the admin interface is off; there is nothing to ask", err=True)
        raise typer.Exit(EXIT_USAGE)
    if as_json and watch:
        typer.echo("error: --json and --watch exclude each other", err=True)
        raise typer.Exit(EXIT_USAGE)
    from proxy.admin.client import AdminUnreachable, fetch_status

    if watch:
        from proxy.status_watch import watch as watch_status

        watch_status(address, interval)
        return
    try:
        found = fetch_status(address)
    except AdminUnreachable as error:
        typer.echo(f"error: {error}", err=True)
        typer.echo("is the proxy running, and is this its admin address? (--admin, CAUSEWAY_ADMIN)", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        from datetime import UTC, datetime

        from proxy.status_view import render

        console().print(render(found, now=datetime.now(UTC)))


app.command(cls=SettingsCommand, epilog=EPILOG)(explain)
app.command(cls=SettingsCommand, epilog=EPILOG)(indexes)
app.command(cls=SettingsCommand, epilog=EPILOG)(phase)
app.command(cls=SettingsCommand, epilog=EPILOG)(verify)
app.add_typer(gaps_app, name="gaps")
app.add_typer(mismatches_app, name="mismatches")


@app.command(epilog=EPILOG)
def schema(
    config: Annotated[bool, typer.Option("--config", help="Of the configuration file instead.")] = False,
    of_status: Annotated[bool, typer.Option("--status", help="Of the answer of /status instead.")] = False,
) -> None:
    """Print the JSON Schema of rule files, for editors and validators."""
    if config and of_status:
        typer.echo("error: --config and --status exclude each other", err=True)
        raise typer.Exit(EXIT_USAGE)
    if config:
        from proxy.config import json_schema as config_schema

        print_json(config_schema())
    elif of_status:
        from proxy.admin.status import json_schema as status_schema

        print_json(status_schema())
    else:
        from proxy.rules import json_schema as rules_schema

        print_json(rules_schema())


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"causeway {__version__}")


def main() -> None:
    """The `causeway` command."""
    try:
        app()
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - nothing is left to write at the interpreter's end
        sys.exit(EXIT_FAILED)
