"""The search_path a new session of a role begins with (PostgreSQL manual, 5.10.3 and ALTER ROLE)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

_ENTRY = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^\s,"]+))\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of pg_db_role_setting that sets search_path."""

    of_database: bool
    role: str
    """Empty: every role."""
    value: str


def split_search_path(text: str) -> tuple[str, ...]:
    """The schemas as they are, names without quotes folded to lower case; empty for what PostgreSQL would refuse."""
    names: list[str] = []
    position = 0
    while position < len(text):
        match = _ENTRY.match(text, position)
        if match is None:
            return ()
        names.append(match[1].replace('""', '"') if match[1] is not None else match[2].lower())
        position = match.end()
    return tuple(names)


def resolve(text: str, role: str, schemas: Collection[str]) -> tuple[str, ...]:
    """`"$user"` is the schema of the role's name where there is one; pg_catalog, which is always there, is left out."""
    found: dict[str, None] = {}
    for name in split_search_path(text):
        if name == "$user":
            if role in schemas:
                found[role] = None
        elif name and name != "pg_catalog":
            found[name] = None
    return tuple(found)


def search_paths(
    roles: Iterable[str], default: str, settings: Iterable[Setting], schemas: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """By role. A setting for role and database goes before one for the role, for the database, for everybody."""
    by_scope = {(setting.of_database, setting.role): setting.value for setting in settings}
    paths = {}
    for role in roles:
        text = default
        for scope in ((True, role), (False, role), (True, ""), (False, "")):
            if scope in by_scope:
                text = by_scope[scope]
                break
        paths[role] = resolve(text, role, schemas)
    return paths
