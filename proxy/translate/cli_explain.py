"""`causeway explain`: what a read would ask of the documents, or why it stays on PostgreSQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.cli_common import EXIT_FAILED, EXIT_OK, EXIT_USAGE, load_settings, print_json

if TYPE_CHECKING:
    from proxy.config import Settings
    from proxy.translate.api import Explanation, Unsupported

NO_RULES = "give --rules: a read is compiled for the tables they name"


def explain(
    ctx: typer.Context,
    sql: Annotated[str, typer.Argument(metavar="SELECT", help="One statement.", show_default=False)],
    params: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="VALUE", help="A parameter, $1 first, as text.", show_default=False),
    ] = None,
    database: Annotated[
        str, typer.Option(metavar="NAME", help="Default: that of control_dsn.", show_default=False)
    ] = "",
    search_path: Annotated[str, typer.Option(metavar="SCHEMAS", help="With commas.")] = "public",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how a read would be answered from documents: questions to the store, what the proxy does itself, indexes.

    The tables' rules and the catalogue are read; no row is. Exit codes: 0 the read is compiled, 1 it stays on
    PostgreSQL, 2 wrong usage or settings.
    """
    loaded = load_settings(ctx.obj, upstream_optional=True)
    if loaded.settings.control_dsn is None or not loaded.settings.rules:
        typer.echo(f"error: give --control-dsn; {NO_RULES}", err=True)
        raise typer.Exit(EXIT_USAGE)
    import asyncio

    from proxy.logs import configure
    from proxy.translate.api import ReadError, Unsupported

    configure("console", "error")
    given = None if params is None else [value.encode() for value in params]
    try:
        found = asyncio.run(_explained(loaded.settings, sql, given, database, search_path.split(",")))
    except Unsupported as error:
        _show_refusal(sql, error, as_json)
        raise typer.Exit(EXIT_FAILED) from None
    except ReadError as error:
        typer.echo(f"error: {error.message} ({error.sqlstate})", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    if as_json:
        print_json(described(found))
    else:
        typer.echo("\n".join(lines(found)))
    raise typer.Exit(EXIT_OK)


async def _explained(
    settings: Settings, sql: str, given: list[bytes] | None, database: str, search_path: list[str]
) -> Explanation:
    import asyncpg

    from proxy.catalog.book import ruled_tables
    from proxy.catalog.introspect import read_snapshot
    from proxy.mirror.tables import Surroundings, TableBook
    from proxy.phases import Phase
    from proxy.rules import load_rules
    from proxy.translate.compiler import compile_text

    assert settings.control_dsn is not None
    assert settings.rules is not None
    more: dict[str, Any] = {"database": database} if database else {}
    connection = await asyncpg.connect(settings.control_dsn.get_secret_value(), **more)
    try:
        name: str = await connection.fetchval("SELECT current_database()")
        rules = load_rules(settings.rules)
        snapshot = (await read_snapshot(connection, ruled_tables(rules, name))).snapshot
    finally:
        await connection.close()
    book = TableBook(rules, {name: snapshot}, Surroundings(True, True, True), last_built=Phase.DUAL_WRITE)
    path = tuple(schema.strip() for schema in search_path if schema.strip())
    return compile_text(sql, book, name, path, (), push_down=True).explain(given)


def described(found: Explanation) -> dict[str, Any]:
    from bson import json_util

    questions: list[Any] = json.loads(json_util.dumps(found.questions))
    return {
        "questions": questions,
        "proxy": list(found.steps),
        "indexes": list(found.indexes),
        "columns": [{"name": column.name, "type": column.type_oid} for column in found.columns],
    }


def lines(found: Explanation) -> list[str]:
    shown = []
    for number, question in enumerate(described(found)["questions"], 1):
        shown.append(f"{number}. {question.pop('table')} in {question.pop('collection')}")
        shown += [
            f"   {name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
            for name, value in question.items()
        ]
    if not found.questions:
        shown.append("nothing is asked of the store")
    if found.steps:
        shown.append(f"the proxy: {', '.join(found.steps)}")
    shown += [f"index on {index}" for index in found.indexes]
    return shown


def _show_refusal(sql: str, error: Unsupported, as_json: bool) -> None:
    if as_json:
        print_json({"unsupported": error.reason, "position": error.position})
        return
    typer.echo(f"stays on PostgreSQL: {error.reason}")
    if error.position is not None:
        before = sql[: error.position]
        line = sql.splitlines()[before.count("\n")] if sql else ""
        typer.echo(f"  {line}\n  {' ' * (len(before) - before.rfind(chr(10)) - 1)}^")
