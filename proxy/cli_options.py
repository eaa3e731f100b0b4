"""The flags of commands that take settings, made from the settings themselves."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand

CONFIG_HELP = "A YAML file of settings, one `name: value` a line (CAUSEWAY_CONFIG)."


class SettingsCommand(TyperCommand):
    """A command with a flag for every setting and `--config`; what was given is in `ctx.obj`.

    The flags are made when they are first asked for: commands that need no settings start without them.
    """

    _params: list[Any]
    _of_settings: frozenset[str] | None
    """Names of the settings' parameters, once they are among `_params`."""

    @property
    def params(self) -> Any:
        """The command's own parameters and the settings' flags, in a list that Click changes in place."""
        if self._of_settings is None:
            options = _options()
            self._of_settings = frozenset(option.name for option in options)
            self._params += options
        return self._params

    @params.setter
    def params(self, own: Any) -> None:
        self._params = own
        self._of_settings = None

    def invoke(self, ctx: Any) -> Any:
        """Takes the flags out of what the command's function is called with."""
        ctx.obj = {name: ctx.params.pop(name) for name in self._of_settings or ()}
        return super().invoke(ctx)


def _options() -> list[Any]:
    """One option for each setting, one more for the file of each secret, and `--config`; all are text."""
    from proxy.config import FILE_SUFFIX, settings_table

    parameters = [_parameter("config", "--config", "FILE", CONFIG_HELP, "Settings")]
    for row in settings_table():
        default = f"; default {row.default}" if row.default else ""
        text = f"{row.description} ({row.variable}{default})"
        parameters.append(
            _parameter(row.name, row.flag, row.doc.metavar, text, row.doc.group, repeatable=row.repeatable)
        )
        if row.secret:
            name, variable = row.name + FILE_SUFFIX, row.variable + FILE_SUFFIX.upper()
            text = f"A file that holds {row.name}, so that no process list shows it. ({variable})"
            parameters.append(_parameter(name, f"{row.flag}-file", "FILE", text, row.doc.group))

    def template() -> None:
        """Never called; only its parameters are used."""

    template.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    template.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(add_completion=False)
    app.command()(template)
    return list(typer.main.get_command(app).params)


def _parameter(
    name: str, flag: str, metavar: str, text: str, panel: str, *, repeatable: bool = False
) -> inspect.Parameter:
    option = typer.Option(flag, metavar=metavar, help=escape(text), rich_help_panel=panel, show_default=False)
    kind: Any = list[str] if repeatable else str
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )
