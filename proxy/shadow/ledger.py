"""The ledger of mismatches: one document of `_causeway.mismatches` for each that is distinct, the same for the fleet.

Two are the same if statement (its fingerprint), kind, columns and keys are. The number kept is bounded, of one
statement and of all; what is not kept is counted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from proxy.rulefiles.types import Redaction
from proxy.stores.protocol import Document, Store

KIND: Final = "mismatches"
UNKEPT: Final = "unkept"
"""The name of the state that counts those not kept."""
MAX_ENTRIES: Final = 1000
MAX_OF_ONE: Final = 50
"""Of one fingerprint."""
MAX_KEYS: Final = 20
MAX_VALUES: Final = 20
MAX_VALUE: Final = 500
"""Characters of a value that are kept in plain."""
ATTEMPTS: Final = 8
HASH_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class DifferingKey:
    """One row whose document is not what it should be."""

    table: str
    key: tuple[str, ...]
    """Text output of the key's columns."""
    columns: tuple[str, ...]
    """Empty where there is no document, or no row."""
    kind: str
    """`missing`, `extra` or `different` document."""


@dataclass(frozen=True, slots=True)
class DifferingValue:
    """One column of one row of the result; redacted. None is NULL."""

    column: str
    postgres: str | None
    store: str | None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One entry of the ledger."""

    id: str
    database: str
    fingerprint: str
    statement: str
    """Without its constants."""
    tables: tuple[str, ...]
    kind: str
    """`rows` (different values), `missing` (rows the store lacks), `extra`, `order`, `description`."""
    columns: tuple[str, ...]
    keys: tuple[DifferingKey, ...]
    values: tuple[DifferingValue, ...]
    redaction: str
    rows: int
    """Rows of either side without a like on the other, when it was first seen."""
    note: str
    """What was known beside: an open gap of the table."""
    count: int
    first_seen: datetime
    last_seen: datetime
    revision: int = 0

    def document(self) -> dict[str, Any]:
        return {
            "database": self.database,
            "fingerprint": self.fingerprint,
            "statement": self.statement,
            "tables": list(self.tables),
            "kind": self.kind,
            "columns": list(self.columns),
            "keys": [
                {"table": one.table, "key": list(one.key), "columns": list(one.columns), "kind": one.kind}
                for one in self.keys
            ],
            "values": [
                {"column": one.column, "postgres": one.postgres, "store": one.store} for one in self.values
            ],
            "redaction": self.redaction,
            "rows": self.rows,
            "note": self.note,
            "count": self.count,
            "first_seen": self.first_seen,
            "last_seen": self.last_seen,
        }


def parse(identifier: str, document: Document) -> Mismatch:
    """KeyError, TypeError or ValueError where another version has written something else."""
    return Mismatch(
        id=identifier,
        database=document["database"],
        fingerprint=document["fingerprint"],
        statement=document["statement"],
        tables=tuple(document["tables"]),
        kind=document["kind"],
        columns=tuple(document["columns"]),
        keys=tuple(
            DifferingKey(one["table"], tuple(one["key"]), tuple(one["columns"]), one["kind"])
            for one in document["keys"]
        ),
        values=tuple(
            DifferingValue(one["column"], one["postgres"], one["store"]) for one in document["values"]
        ),
        redaction=document["redaction"],
        rows=document["rows"],
        note=document["note"],
        count=document["count"],
        first_seen=_time(document["first_seen"]),
        last_seen=_time(document["last_seen"]),
        revision=document["revision"],
    )


def _time(value: Any) -> datetime:
    found: datetime = value
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def identifier(
    database: str, fingerprint: str, kind: str, columns: Sequence[str], keys: Sequence[DifferingKey]
) -> str:
    """16 hexadecimal digits; the same for the same mismatch in every process."""
    content = [database, fingerprint, kind, list(columns), sorted([one.table, *one.key] for one in keys)]
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=8).hexdigest()


def redacted(value: str | None, how: Redaction, salt: bytes) -> str | None:
    """What may be kept of a value. NULL is kept as it is, whatever the rule."""
    if value is None:
        return None
    if how is Redaction.PLAIN:
        return value if len(value) <= MAX_VALUE else value[: MAX_VALUE - 3] + "..."
    if how is Redaction.HASH:
        return hmac.new(salt, value.encode(), "sha256").hexdigest()[:HASH_DIGITS]
    return "(redacted)"


class Ledger:
    """Raises StoreUnavailable and StoreRefused."""

    def __init__(
        self,
        store: Store,
        *,
        max_entries: int = MAX_ENTRIES,
        max_of_one: int = MAX_OF_ONE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._max_entries = max_entries
        self._max_of_one = max_of_one
        self._now = now

    async def record(self, mismatch: Mismatch) -> bool:
        """Adds it, or counts it where it is there; False where there was no room."""
        for _ in range(ATTEMPTS):
            known = await self._store.state(KIND, mismatch.id)
            if known is not None:
                entry = replace(
                    parse(mismatch.id, known),
                    count=known["count"] + 1,
                    last_seen=self._now(),
                    values=mismatch.values,
                    redaction=mismatch.redaction,
                    note=mismatch.note,
                )
            else:
                entry = mismatch
                if not await self._room(mismatch):
                    await self._unkept()
                    return False
            if await self._store.swap_state(KIND, mismatch.id, entry.revision, entry.document()):
                return True
        return True  # so many others count the same one that it is not lost

    async def _room(self, mismatch: Mismatch) -> bool:
        found = await self._store.get_state(KIND)
        found.pop(UNKEPT, None)
        of_one = sum(1 for one in found.values() if one.get("fingerprint") == mismatch.fingerprint)
        return len(found) < self._max_entries and of_one < self._max_of_one

    async def _unkept(self) -> None:
        for _ in range(ATTEMPTS):
            known = await self._store.state(KIND, UNKEPT) or {"count": 0, "revision": 0}
            value = {"count": known["count"] + 1, "last_seen": self._now()}
            if await self._store.swap_state(KIND, UNKEPT, known["revision"], value):
                return

    async def entries(self) -> tuple[list[Mismatch], int]:
        """All, those seen last first; and how many were not kept."""
        states = dict(await self._store.get_state(KIND))
        unkept = states.pop(UNKEPT, None)
        found = []
        for name, document in states.items():
            entry = _readable(name, document)
            if entry is not None:
                found.append(entry)
        found.sort(key=lambda one: one.last_seen, reverse=True)
        return found, 0 if unkept is None else int(unkept.get("count", 0))

    async def clear(self, chosen: Callable[[Mismatch], bool], *, unkept: bool = False) -> int:
        """Takes entries away; how many. One that is seen again meanwhile stays."""
        entries, _ = await self.entries()
        removed = 0
        for entry in entries:
            if chosen(entry):
                removed += await self._store.swap_state(KIND, entry.id, entry.revision, None)
        if unkept and (known := await self._store.state(KIND, UNKEPT)) is not None:
            await self._store.swap_state(KIND, UNKEPT, known["revision"], None)
        return removed


def _readable(name: str, document: Mapping[str, Any]) -> Mismatch | None:
    """None for what a much newer version has written."""
    try:
        return parse(name, document)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
