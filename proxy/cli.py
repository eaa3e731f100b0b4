"""The command line. Exit codes: 0 done, 1 a check or the proxy failed, 2 wrong usage or settings.

Modules are imported by the commands that need them.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from proxy import __version__
from proxy.cli_options import SettingsCommand

if TYPE_CHECKING:
    from proxy.config_sources import ConfigProblem, Loaded

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2

EPILOG = "Exit codes: 0 done, 1 a check or the proxy failed, 2 wrong usage or settings."

app = typer.Typer(
    name="causeway",
    help="A transparent PostgreSQL proxy that moves a live application onto a document database.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.command(cls=SettingsCommand, epilog=EPILOG)
def run(ctx: typer.Context) -> None:
    """Run the proxy until SIGTERM or SIGINT; SIGHUP reloads the rules.

    Every setting is a flag, a variable (CAUSEWAY_...) or a key of the configuration file; the first that is
    given counts, in this order.
    """
    loaded = _load(ctx.obj)
    from proxy.run import run as run_proxy

    raise typer.Exit(run_proxy(loaded.settings))


@app.command()
def schema(
    config: Annotated[bool, typer.Option("--config", help="Of the configuration file instead.")] = False,
) -> None:
    """Print the JSON Schema of rule files, for editors and validators."""
    if config:
        from proxy.config import json_schema as config_schema

        _print_json(config_schema())
    else:
        from proxy.rules import json_schema as rules_schema

        _print_json(rules_schema())


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"causeway {__version__}")


def _load(given: dict[str, Any], *, upstream_optional: bool = False) -> Loaded:
    """The settings; on trouble says so and ends with EXIT_USAGE."""
    from proxy.config_sources import ConfigError, load

    flags = dict(given)
    config = flags.pop("config", None)
    try:
        loaded = load(flags, os.environ, config=config, upstream_optional=upstream_optional)
    except ConfigError as error:
        _refuse(error.problems)
    for warning in loaded.warnings:
        typer.echo(f"warning: {warning}", err=True)
    return loaded


def _refuse(problems: tuple[ConfigProblem, ...]) -> NoReturn:
    for problem in problems:
        typer.echo(f"error: {problem}", err=True)
    raise typer.Exit(EXIT_USAGE)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def main() -> None:
    """The `causeway` command."""
    try:
        app()
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - nothing is left to write at the interpreter's end
        sys.exit(EXIT_FAILED)
