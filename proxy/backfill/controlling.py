"""Pausing, retuning and ending runs from outside: of any process that can reach the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proxy.backfill.board import RunBoard
from proxy.backfill.run import KIND, Run, parse_run
from proxy.names import parse_table_name, quote_identifier
from proxy.stores.protocol import Store


class NotFound(Exception):
    """No run is meant by a name; the text says which there are."""


async def all_runs(store: Store) -> list[Run]:
    """By table. Documents that cannot be read are left out. Raises StoreUnavailable, StoreRefused."""
    found = []
    for document in (await store.get_state(KIND)).values():
        try:
            found.append(parse_run(document))
        except (LookupError, ValueError, TypeError):
            continue
    return sorted(found, key=lambda run: run.table)


def chosen(runs: Sequence[Run], names: Sequence[str], *, every: bool = False) -> list[Run]:
    """Those that a user names `table`, `schema.table` or `database:schema.table`. Raises NotFound."""
    return (
        list(runs)
        if every
        else list({run.table: run for run in (_one(runs, name) for name in names)}.values())
    )


def _one(runs: Sequence[Run], text: str) -> Run:
    database, colon, rest = text.rpartition(":")
    try:
        name = parse_table_name(rest)
    except ValueError as error:
        raise NotFound(str(error)) from None
    same = [run for run in runs if run.table == f"{quote_identifier(database)}.{name}"]
    if not colon:
        same = [run for run in runs if run.table.endswith(f".{name}")]
    if not same:
        there = ", ".join(run.table for run in runs[:5]) or "none"
        raise NotFound(f"there is no backfill of {text}; there are: {there}")
    if len(same) > 1:
        raise NotFound(
            f"{text} is in several databases: {', '.join(run.table for run in same)}; write database:{name}"
        )
    return same[0]


async def change(store: Store, runs: Sequence[Run], move: Callable[[Run], Run | None]) -> list[Run]:
    """Applies `move` to each; the runs as they are then. Raises StoreUnavailable, StoreRefused, NoRun."""
    after = []
    for run in runs:
        board = RunBoard(store, run.table)
        if await board.read() is not None:
            await board.change(move)
        after.append(board.run)
    return after
