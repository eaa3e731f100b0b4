"""What all commands share: exit codes, reading the settings, where output goes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from proxy.config_sources import ConfigProblem, Loaded

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2

PLAIN_WIDTH = 140
"""Characters of a line in a file or pipe."""

EPILOG = "Exit codes: 0 done, 1 a check or the proxy failed, 2 wrong usage or settings."


def load_settings(given: dict[str, Any], *, upstream_optional: bool = False) -> Loaded:
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


def console() -> Console:
    """Standard output; wide where it is no terminal that says how wide it is."""
    from rich.console import Console

    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if known else PLAIN_WIDTH)


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


@contextmanager
def ends_on_failure() -> Iterator[None]:
    """Makes what a command that works on tables may meet one line and EXIT_FAILED."""
    from proxy.backfill.member import MemberError
    from proxy.catalog.source import SourceError
    from proxy.stores.protocol import StoreRefused, StoreUnavailable

    try:
        yield
    except (MemberError, SourceError, StoreRefused, StoreUnavailable) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None
