"""Rules for every table that the client tests make: those their texts name, and those that programs make themselves."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent

ANCHOR = "CREATE SCHEMA causeway_anchor CREATE TABLE anchor (id int PRIMARY KEY)"
"""A mirrored table from the start, so that every session is captured before it makes tables of its own."""

_CREATES = re.compile(r"create (?:unlogged )?table (?:if not exists )?([a-z_][a-z0-9_]*)", re.IGNORECASE)

_MADE_BY_PROGRAMS = """
    auth_group auth_group_permissions auth_permission auth_user auth_user_groups auth_user_user_permissions
    django_content_type django_migrations shop_line shop_product shop_purchase
    pgbench_accounts pgbench_branches pgbench_history pgbench_tellers
    customer orders stock
"""


@cache
def ruled_tables() -> frozenset[str]:
    """schema.table of each, unquoted; one that is not there is only waited for."""
    names = set(_MADE_BY_PROGRAMS.split())
    for path in HERE.rglob("*"):
        if path.suffix in (".py", ".sql", ".js", ".java") and "node_modules" not in path.parts:
            names |= {name.lower() for name in _CREATES.findall(path.read_text(encoding="utf-8"))}
    return frozenset({"causeway_anchor.anchor", "ware house.stock", *(f"public.{name}" for name in names)})
