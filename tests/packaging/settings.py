"""The settings that the environment of a container file amounts to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from proxy.config import Settings, settings_table

SECRETS = {
    "store": "mongodb://store.example:27017",
    "control_dsn": "postgresql://causeway@database.example/shop",
}
PREFIX = "CAUSEWAY_"


def settings_from_environment(environment: Mapping[str, str], scratch: Path) -> Settings:
    """As `causeway run` would read them; a secret's file is taken to hold a URI of the right kind.

    A variable with Causeway's prefix that is no setting fails, as does a value that is not accepted.
    """
    table = {row.variable: row for row in settings_table()}
    values: dict[str, str] = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX):
            continue
        row = table.get(variable)
        if row is None:
            row = table[variable.removesuffix("_FILE")]
            assert row.secret, f"{variable}: {row.name} cannot be given as a file"
            value = SECRETS[row.name]
        values[row.name] = value
    return Settings.model_validate({"upstream": "database.example:5432"} | values)
