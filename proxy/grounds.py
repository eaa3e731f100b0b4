"""From tables that are mirrored to what the plans of sessions rest on."""

from __future__ import annotations

from proxy.catalog.model import Snapshot
from proxy.mirror.tables import MirroredTable, TableBook
from proxy.phases import Phase
from proxy.rulefiles.types import AckMode, Durability
from proxy.serve.candidates import served_of
from proxy.session.plan import Ground, MirroredAs
from proxy.shadow.candidates import dark_of


def ground_of(book: TableBook, database: str, snapshot: Snapshot, generation: int) -> Ground | None:
    """None where nothing of the database is mirrored."""
    tables: dict[int, MirroredAs] = {}
    for table in book.mirrored(database):
        holding = book.holding(database, table.relation.schema, table.relation.name)
        seen = mirrored_as(table, Phase.DUAL_WRITE if holding is None else holding.effective)
        tables[table.relation.oid] = seen
        if table.relation.kind == "p":
            tables.update(dict.fromkeys(table.relation.children, seen))
    if not tables:
        return None
    return Ground(snapshot, tables, generation, dark_of(book, database), served_of(book, database))


def mirrored_as(table: MirroredTable, phase: Phase) -> MirroredAs:
    """What a session must know of it. `phase`: the one it is in; what its rule asks for makes nobody wait."""
    ack = table.rule.ack
    return MirroredAs(
        table.relation.id,
        table.relation,
        frozenset(table.mapping.key_columns),
        table.mapping.needs_text,
        table.rule.durability is Durability.STRICT,
        ack.timeout if ack.effective(phase) is AckMode.SYNC else None,
        {
            column.name: column.codec.out
            for column in table.mapping.columns
            if column.name in table.mapping.key_columns and column.codec.binary
        },
    )
