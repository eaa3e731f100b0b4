"""What keeps tables out of `dark_read`: a history that is not copied, gaps that are open. Pure.

Open gaps keep a table from entering; one that is in stays, and what they make differ is found and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from proxy.admin.history import TableHistory
from proxy.mirror.effects import TableId
from proxy.mirror.gap import table_name
from proxy.names import TableName
from proxy.phases import Holding, Phase


def held_back(
    tables: Iterable[tuple[TableName, Holding]],
    histories: Mapping[str, TableHistory] | None,
    gaps: Mapping[tuple[str, str, str], int],
) -> Mapping[str, str] | None:
    """By `str(TableName)`, why each may not enter; None where the store has not told yet.

    `gaps` are counted by database, table (`schema.table`) and cause.
    """
    if histories is None:
        return None
    found: dict[str, str] = {}
    for name, holding in tables:
        why = uncopied(name, histories.get(str(name)))
        if not why and holding.effective < Phase.DARK_READ:
            why = _open_gaps(name, gaps)
        if why:
            found[str(name)] = why
    return found


def uncopied(name: TableName, history: TableHistory | None) -> str:
    """Why the history is not known to be in the store; empty where it is: copied, or compared and found equal."""
    backfill = None if history is None else history.backfill
    verify = None if history is None else history.verify
    if backfill is not None and backfill.status == "done":
        return ""
    if verify is not None and verify.whole_ended_at is not None and verify.whole_left == 0:
        return ""
    if backfill is None:
        return f"its history has not been copied; run `causeway backfill {table_name(TableId(name.schema, name.name))}`"
    return f"its backfill is {backfill.status}"


def _open_gaps(name: TableName, gaps: Mapping[tuple[str, str, str], int]) -> str:
    table = table_name(TableId(name.schema, name.name))
    count = sum(
        number for (database, place, _), number in gaps.items() if (database, place) == (name.database, table)
    )
    return f"{count} open {'gap' if count == 1 else 'gaps'}" if count else ""
