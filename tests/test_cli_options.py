"""Flags come from the settings, one for each and no other."""

from __future__ import annotations

from typer.main import get_command

from proxy.cli import app
from proxy.config import settings_table


def flags() -> set[str]:
    group = get_command(app)
    command = group.get_command(None, "run")  # type: ignore[attr-defined]
    return {flag for parameter in command.params for flag in parameter.opts}


def test_every_setting_has_its_flag_and_every_secret_a_file() -> None:
    expected = {"--config"}
    for row in settings_table():
        expected.add(row.flag)
        if row.secret:
            expected.add(f"{row.flag}-file")
    assert flags() - {"--help"} == expected


def test_the_flags_are_made_once() -> None:
    command = get_command(app).get_command(None, "run")  # type: ignore[attr-defined]
    assert len(command.params) == len(command.params) == len({p.name for p in command.params})
