"""A name that is no command of the group goes to its default command."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from proxy.backfill.cli_group import DefaultGroup

app = typer.Typer(cls=DefaultGroup, no_args_is_help=True)


@app.command()
def start(names: list[str], fast: Annotated[bool, typer.Option("--fast")] = False) -> None:
    typer.echo(f"start {names} {fast}")


@app.command()
def pause(names: list[str]) -> None:
    typer.echo(f"pause {names}")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["orders"], "start ['orders'] False"),
        (["--fast", "orders"], "start ['orders'] True"),
        (["start", "orders"], "start ['orders'] False"),
        (["pause", "orders"], "pause ['orders']"),
        (["public.pause"], "start ['public.pause'] False"),
    ],
)
def test_which_command_is_meant(arguments: list[str], told: str) -> None:
    assert CliRunner().invoke(app, arguments).output.strip() == told


def test_help_is_that_of_the_group() -> None:
    for arguments in (["--help"], []):
        output = CliRunner().invoke(app, arguments).output
        assert "pause" in output
        assert "start" in output
