"""Copying one chunk: rows read from PostgreSQL in one short transaction, put into the store as documents.

The position of the source is noted and held *before* the rows are read, until the store has them: whoever reads rows
again meanwhile waits (`proxy.mirror.rereads` says why). A seed needs nothing else: what is fresher than the row read,
an image or a tombstone, refuses it or replaces it.

That holds only while others wait. A process that was absent (declared lost, or silent for so long that it may have
been) was not waited for, so what it has seeded since may be older than what a re-read has found to be right already.
It begins no write any more, and reads the chunk again, by way of repair, once it is back; that it is back already when
it looks makes no difference. A refresh works by repair as a whole.

What is left: a process that stands still between this look and the moment its write reaches the store, for longer than
`proxy_lost_after`, and ends before it has read the chunk again; where meanwhile a row of that very write was deleted
unseen, and the gap of it closed. Its document stays then, and `verify` finds it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from proxy.backfill.chunks import KeyPages
from proxy.backfill.run import Claim, Counts
from proxy.documents.codec import Unrepresentable, plain_key
from proxy.documents.encoding import encoder_of
from proxy.documents.records import Fields, parse_read
from proxy.documents.table_mapping import TableMapping
from proxy.fleet.returns import leave_reread
from proxy.mirror.effects import Cause, Rows, Unseen
from proxy.mirror.gap import MAX_ROWS_BYTES, entry_of, gap_id, size_of
from proxy.mirror.gapfile import StoredGap
from proxy.mirror.gaps import GapKeeper
from proxy.mirror.reread_rows import Outcome as Reread
from proxy.mirror.reread_rows import Pass
from proxy.mirror.tables import MirroredTable
from proxy.names import TableName
from proxy.stores.bson_form import Encoded
from proxy.stores.protocol import Key, Outcome, Poison, Store, Write

BATCH = 1000
"""Rows of one write to the store."""
MAX_POISONED = 1000
"""Rows of a chunk that are named in gaps one by one; where there are more, the gap is of the whole table."""


class Shifted(Exception):
    """A row has a shape that the catalogue, as it is known, does not tell of."""


class Source(Protocol):
    """The part of `SourceDatabase` that is needed. Its methods raise SourceError."""

    async def fetch(self, query: str, *arguments: Any, timeout: float | None = None) -> Sequence[Any]: ...


class Host(Protocol):
    """The part of `proxy.backfill.member.Member` that is needed."""

    store: Store
    keeper: GapKeeper
    proxy: str

    def table(self, name: TableName) -> MirroredTable: ...
    def source(self, database: str) -> Any: ...
    def holding(self, database: str, version: int) -> AbstractContextManager[None]: ...
    async def position(self, database: str) -> int: ...
    async def wait_passed(self, database: str, version: int) -> None: ...
    @property
    def absences(self) -> int: ...
    def lost(self) -> bool: ...
    def lost_since(self, absences: int) -> bool: ...


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a chunk."""

    counts: Counts
    position: int
    """Of the source, before the chunk was read."""
    slowest: float
    """Seconds of the slowest write to the store."""
    absences: int = 0
    """Of this process, before the chunk was read."""


Poisoned = tuple[tuple[str, ...] | None, str]
"""Key and reason; None: the key itself cannot be told."""


class Copier:
    """Copies chunks of one table. Its methods raise what source and store raise, NotReady, and Shifted."""

    def __init__(
        self,
        host: Host,
        table: MirroredTable,
        *,
        since: tuple[str, str] | None = None,
        batch: int = BATCH,
        reread_rows: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`since`: a column and the text of the least value that a row must have in it."""
        self._host = host
        self.table = table
        self._since = since
        self._batch = batch
        self._reread_rows = reread_rows
        self._clock = clock
        self._encoder = encoder_of(table.mapping)
        self._pages = KeyPages(table.relation, table.mapping.key_columns, table.snapshot.types)

    @property
    def pages(self) -> KeyPages:
        return self._pages

    async def seed(self, claim: Claim) -> Done:
        """Puts in what is not there."""
        table, host = self.table, self._host
        absences = host.absences
        position = await host.position(table.database)
        with host.holding(table.database, position):
            records = await self._read(claim)
            counts, slowest = Counts(), 0.0
            for start in range(0, len(records), self._batch):
                if host.lost_since(absences):
                    break  # nobody waits for the rest: `settle` reads it again
                part = records[start : start + self._batch]
                writes, poisoned = self._writes(part)
                began = self._clock()
                answers = await host.store.seed(table.mapping.namespace, writes) if writes else []
                slowest = max(slowest, self._clock() - began)
                seeded = answers.count(Outcome.APPLIED)
                if seeded < len(answers):
                    poisoned += [
                        (table.mapping.key_text(_id(write)), answer.reason)
                        for write, answer in zip(writes, answers, strict=True)
                        if isinstance(answer, Poison)
                    ]
                await self._record(poisoned, position)
                counts += Counts(
                    rows=len(part),
                    seeded=seeded,
                    stale=len(part) - seeded - len(poisoned),
                    poisoned=len(poisoned),
                    bytes=sum(map(len, part)),
                )
        return Done(counts, position, slowest, absences)

    async def refresh(self, claim: Claim) -> Done:
        """Puts in what is not there, and overwrites what differs.

        Every queue of the fleet must have passed the moment from which on changes are to be seen; see `rereads`.
        """
        table, host = self.table, self._host
        absences = host.absences
        position = await host.position(table.database)
        with host.holding(table.database, position):
            records = await self._read(claim)
            keys, poisoned = self._keys(records)
            counts, slowest = Counts(), 0.0
            for start in range(0, len(keys), self._batch):
                began = self._clock()
                outcome = await self._pass(keys[start : start + self._batch], position)
                slowest = max(slowest, self._clock() - began)
                poisoned += [
                    (None if one.rows is None else _text(one.rows.values[0]), one.detail)
                    for one in outcome.poisoned
                ]
                counts += Counts(seeded=outcome.repaired, stale=outcome.same + outcome.unsettled)
            await self._record(poisoned, position)
            counts += Counts(rows=len(records), poisoned=len(poisoned), bytes=sum(map(len, records)))
        return Done(counts, position, slowest, absences)

    async def settle(self, until_back: Callable[[], Awaitable[None]], claim: Claim, done: Done) -> Done:
        """Looks at a chunk again as long as this process was absent while it was written."""
        while self._host.lost_since(done.absences):
            await until_back()
            position = await self._host.position(self.table.database)
            await self._host.wait_passed(self.table.database, position)
            again = await self.refresh(claim)
            counts = replace(done.counts, poisoned=max(done.counts.poisoned, again.counts.poisoned))
            done = Done(counts, again.position, max(done.slowest, again.slowest), again.absences)
        return done

    async def _read(self, claim: Claim) -> list[bytes]:
        query, arguments = self._pages.rows(
            claim.low, claim.high, text=self.table.mapping.needs_text, since=self._since
        )
        source: Source = self._host.source(self.table.database)
        return [row[0] for row in await source.fetch(query, *arguments)]

    def _writes(self, records: list[bytes]) -> tuple[Sequence[Write | Encoded], list[Poisoned]]:
        if self._encoder is None:
            return self._by_codecs(records)
        encoded = self._encoder.encode(records)
        done = [one for one in encoded if one is not None]
        if len(done) == len(records):
            return done, []
        others, poisoned = self._by_codecs(
            [record for record, one in zip(records, encoded, strict=True) if one is None]
        )
        return [*done, *others], poisoned

    def _by_codecs(self, records: Iterable[bytes]) -> tuple[list[Write], list[Poisoned]]:
        writes: list[Write] = []
        poisoned: list[Poisoned] = []
        mapping, shape, plain = None, None, False
        for record in records:
            header, oids, fields = parse_read(record)
            if mapping is None or shape != (header.relation, oids):
                mapping, shape = self._mapping(header.relation, oids), (header.relation, oids)
                plain = len(mapping.key_parts) == 1 and mapping.key_parts[0].codec.key is plain_key
            try:
                document, extra = mapping.document(fields, header.text)
                key = Key(document["_id"], document["_id"]) if plain else mapping.key(fields)
            except Unrepresentable as error:
                poisoned.append((_key_text(mapping, fields), str(error)))
                continue
            writes.append(Write(key, document, 0, extra))
        return writes, poisoned

    def _mapping(self, relation: int, oids: tuple[int, ...]) -> TableMapping:
        mapping = self.table.mapping_of(oids, relation=relation)
        if mapping is None:
            raise Shifted(f"a row of {self.table.name} fits no known shape of the table")
        return mapping

    def _keys(self, records: Iterable[bytes]) -> tuple[list[tuple[str, ...]], list[Poisoned]]:
        keys: list[tuple[str, ...]] = []
        poisoned: list[Poisoned] = []
        for record in records:
            header, oids, fields = parse_read(record)
            mapping = self._mapping(header.relation, oids)
            try:
                keys.append(mapping.key_text(mapping.key(fields).value))
            except Unrepresentable as error:
                poisoned.append((None, str(error)))
        return keys, poisoned

    async def _pass(self, keys: Sequence[tuple[str, ...]], position: int) -> Reread:
        table, host = self.table, self._host

        async def before_repairs() -> None:
            await leave_reread(host.store, host.proxy, table.database, table.relation.id, position)

        reread = Pass(
            table,
            host.source(table.database),
            host.store,
            limit=max(self._reread_rows, len(keys)),
            mirrored=lambda other: self._is_mirrored(other.schema, other.name),
            record=lambda unseen: host.keeper.record(table.database, unseen, position),
            before_repairs=before_repairs,
        )
        return await reread.run(Rows(table.mapping.key_columns, tuple(keys)))

    def _is_mirrored(self, schema: str, name: str) -> bool:
        from proxy.backfill.member import NotReady

        try:
            self._host.table(TableName(schema, name, self.table.database))
        except NotReady:
            return False
        return True

    async def _record(self, poisoned: Sequence[Poisoned], position: int) -> None:
        """Gaps in the ledger, before the chunk counts as done: this process may be killed at any moment."""
        reasons: dict[str, list[tuple[str, ...]]] = {}
        whole = len(poisoned) > MAX_POISONED
        for key, reason in poisoned:
            found = reasons.setdefault(reason, [])
            if key is None:
                whole = True
            else:
                found.append(key)
        for reason, keys in reasons.items():
            rows = Rows(self.table.mapping.key_columns, tuple(keys))
            named = not whole and size_of(rows) <= MAX_ROWS_BYTES
            unseen = Unseen(Cause.POISON, self.table.relation.id, rows if named else None, reason)
            await open_gap(self._host.store, self._host.proxy, self.table.database, unseen, position)
            if whole:
                break


async def open_gap(store: Store, proxy: str, database: str, unseen: Unseen, version: int) -> None:
    """Writes a gap to the ledger at once. Raises StoreUnavailable, StoreRefused."""
    moment = datetime.now(UTC)
    state = StoredGap(gap_id(database, unseen), database, unseen, "", version, 1, moment, moment, True)
    await store.open_gap(entry_of(state, proxy))


def _id(write: Write | Encoded) -> Any:
    return write.id if isinstance(write, Encoded) else write.key.value


def _key_text(mapping: TableMapping, fields: Fields) -> tuple[str, ...] | None:
    """None where the key itself cannot be told."""
    try:
        return mapping.key_text(mapping.key(fields).value)
    except Unrepresentable:
        return None


def _text(values: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(value or "" for value in values)
