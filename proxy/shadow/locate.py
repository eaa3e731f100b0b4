"""Which documents behind a result are not what their rows become: the rows that a read rests on, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from proxy.backfill.compare import Kind, difference
from proxy.backfill.digests import identifier_of
from proxy.backfill.lookups import Lookups, Side
from proxy.catalog.source import SourceError, table_sql
from proxy.documents.codec import Foreign
from proxy.logs import get_logger
from proxy.mirror.gap import table_name
from proxy.mirror.reread_rows import CatalogueBehind
from proxy.mirror.tables import MirroredTable
from proxy.names import quote_identifier
from proxy.shadow.ledger import MAX_KEYS, DifferingKey
from proxy.shadow.reader import RecordingReader
from proxy.stores.protocol import Key, StoreRefused, StoreUnavailable

log = get_logger(__name__)

MOST = 1000
"""Documents of one table that are looked at."""
WHOLE = 10_000
"""Rows of a table up to which all its keys are, where a read went through the whole collection."""


async def locate(
    side: Side,
    tables: Sequence[MirroredTable],
    seen: RecordingReader,
    wanted: Iterable[tuple[MirroredTable, tuple[str, ...]]],
) -> tuple[DifferingKey, ...]:
    """The keys whose documents differ, of those that the read has seen or named. What cannot be asked is left out."""
    found: list[DifferingKey] = []
    asked = list(wanted)
    for table in dict.fromkeys(tables):
        namespace = table.mapping.namespace
        there = {key.token: key for key in _keys(table, map(_identifier, seen.found.get(namespace, ())))}
        keys: dict[Any, Key] = {}
        for key in (
            *(one for other, texts in asked if other is table for one in _named(table, texts)),
            *_keys(table, seen.asked.get(namespace, ())),
            *there.values(),
        ):
            if len(keys) < MOST:
                keys.setdefault(key.token, key)
        try:
            if namespace in seen.whole and len(there) < MOST:
                for key in await _all(side, table):
                    if key.token not in there and len(keys) < 2 * MOST:
                        keys.setdefault(key.token, key)
            if keys:
                found += await _compare(side, table, list(keys.values()))
        except (SourceError, StoreUnavailable, StoreRefused, CatalogueBehind) as error:
            log.debug("mismatch_not_located", table=str(table.name), reason=str(error))
    return tuple(found[:MAX_KEYS])


async def _compare(side: Side, table: MirroredTable, keys: list[Key]) -> list[DifferingKey]:
    lookups = Lookups(side, table.name)
    rows = await lookups.rows(keys)
    documents = await lookups.documents([key.value for key in keys])
    found = []
    for key, document in zip(keys, documents, strict=True):
        expected = rows.get(key.token)
        if expected is not None and expected.raw is None:
            continue  # no document can hold the row: that is a gap, and known
        unlike = difference(table.mapping, None if expected is None else expected.raw, document)
        if unlike is not None:
            kind = {Kind.MISSING: "missing", Kind.EXTRA: "extra"}.get(unlike.kind, "different")
            found.append(
                DifferingKey(
                    table_name(table.relation.id), table.mapping.key_text(key.value), unlike.columns, kind
                )
            )
    return found


async def _all(side: Side, table: MirroredTable) -> list[Key]:
    """The keys of all rows, of a small table."""
    columns = ", ".join(
        f"CAST({quote_identifier(name)} AS pg_catalog.text)" for name in table.mapping.key_columns
    )
    assert table.name.database is not None
    rows = await side.source(table.name.database).fetch(
        f"SELECT {columns} FROM {table_sql(table.relation)} LIMIT {WHOLE + 1}"
    )
    if len(rows) > WHOLE:
        return []
    return [key for row in rows for key in _named(table, tuple(row))]


def _identifier(raw: bytes) -> Any:
    try:
        return identifier_of(raw)
    except (KeyError, ValueError, IndexError):  # of a group
        return None


def _keys(table: MirroredTable, ids: Iterable[Any]) -> Iterable[Key]:
    for one in ids:
        if one is None:
            continue
        try:
            yield table.mapping.key_of_id(one)
        except (Foreign, ValueError, TypeError, KeyError):
            continue


def _named(table: MirroredTable, texts: tuple[str, ...]) -> Iterable[Key]:
    try:
        yield table.mapping.key_of_text(texts)
    except ValueError:
        return
