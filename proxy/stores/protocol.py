"""What a document store must do for the mirror, the backfill and the repair: a second store is one more file.

Every state of a key, document or tombstone, carries a pair (v, r): the version of the row image and the number of
repairs since. Of two states the one with the larger pair stands, whichever was written first.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Protocol

from proxy.stores.bson_form import Encoded

Document = Mapping[str, Any]
"""With `_id`; `_cw` is added by the store and holds what the mapping puts into `Write.extra` beside v and r."""


class StoreUnavailable(Exception):
    """The store cannot be reached, is too slow, or has no primary: the same write may succeed later."""


class StoreRefused(Exception):
    """The store answered, and will never accept what it was asked, whatever the data: credentials, privileges."""


@dataclass(frozen=True, slots=True)
class Namespace:
    database: str
    collection: str

    def __str__(self) -> str:
        return f"{self.database}.{self.collection}"


@dataclass(frozen=True, slots=True)
class Key:
    """What identifies a document."""

    value: Any
    """The `_id`: a BSON value, or a dict of them in key order for a composite key."""
    token: Hashable
    """Equal for the keys PostgreSQL calls equal, and for no others of the same table."""


@dataclass(frozen=True, slots=True)
class Write:
    """One newest image of a key."""

    key: Key
    document: Document | None
    """None: the row is gone."""
    version: int
    extra: Document = field(default_factory=dict)
    """What `_cw` holds beside v and r."""


class Outcome(Enum):
    APPLIED = "applied"
    STALE = "stale"
    """The store has this version or a newer one."""


@dataclass(frozen=True, slots=True)
class Poison:
    """The store will never take this document; all others were taken."""

    reason: str
    """Without any value of the row."""


@dataclass(frozen=True, slots=True)
class State:
    """What the store has of one key."""

    version: int
    repairs: int
    document: Document | None
    """None: there is a tombstone, or (with version 0 and repairs 0) nothing at all. Without `_cw`."""
    extra: Document = field(default_factory=dict)


NOTHING = State(0, 0, None)


@dataclass(frozen=True, slots=True)
class Repair:
    """Put `document` in the place of `expected`, if that is still what is there."""

    key: Key
    expected: State
    """As `states` gave it *before* the row was read from PostgreSQL; its document is not compared."""
    document: Document | None
    extra: Document = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GapEntry:
    """One gap of the ledger."""

    id: str
    """The same for the same database, table, cause and scope, so that repeats are counted in one entry."""
    database: str
    table: str
    """schema.table, quoted where SQL needs it."""
    cause: str
    scope: str
    """`table` or `rows`."""
    rows: Mapping[str, Any] | None
    """{columns: [...], values: [[...]]} where the scope is `rows`."""
    detail: str
    proxy: str
    """Who saw it first."""
    version: int
    """The newest version on the source when it was seen: what was written before is covered."""
    count: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Index:
    """One index of a collection, beside that on `_id`."""

    name: str
    keys: tuple[tuple[str, int | str], ...]
    """(field, 1 or -1, or the name of a special kind), in order."""
    unique: bool = False
    sparse: bool = False
    partial: Document | None = None
    """The filter that documents must match to be in it; None: all are."""


class Store(Protocol):
    """Every method raises StoreUnavailable or StoreRefused; none of them waits longer than the store's timeout."""

    async def apply(
        self, namespace: Namespace, writes: Sequence[Write], *, replay: bool = False
    ) -> list[Outcome | Poison]:
        """Each write takes effect only if its version is newer than what is there; answers in the order given.

        Keys are distinct. `replay`: some of the writes may have been carried out half before, by this process or a
        predecessor.
        """

    async def seed(self, namespace: Namespace, writes: Sequence[Write | Encoded]) -> list[Outcome | Poison]:
        """Each document is put in with version 0, only if there is neither document nor tombstone.

        One that is encoded has its `_cw` already: `SEEDED`, and what of `Write.extra` there is.
        """

    async def states(self, namespace: Namespace, keys: Sequence[Key]) -> list[State]:
        """What is there, in the order of `keys`."""

    async def repair(self, namespace: Namespace, repairs: Sequence[Repair]) -> list[bool | Poison]:
        """Each takes effect only if (v, r) is as expected; v stays, r grows by one."""

    async def truncate(self, namespace: Namespace, version: int) -> int:
        """Removes every document older than `version` and lets no older write bring one back; the number removed."""

    def look_after(self, namespace: Namespace) -> None:
        """This process mirrors the table: what predecessors that were killed have left under way is swept, later, also
        if nothing is ever written to it."""

    async def sweep(self, namespace: Namespace, since: datetime) -> int:
        """Removes documents that tombstones written since then say are dead; the number removed.

        For what a process that was killed in the middle of a write has left; see `convergence`.
        """

    async def find_keys(self, namespace: Namespace, filters: Sequence[Document], limit: int) -> list[Any]:
        """The `_id`s of the documents that match one of the filters (field: BSON value), at most `limit` + 1."""

    async def read(self, namespace: Namespace, ids: Sequence[Any]) -> list[bytes]:
        """The BSON of the documents with these `_id`s, in any order, without v and r: `_cw` holds `Write.extra`."""

    async def scan(self, namespace: Namespace, after: Any, limit: int) -> list[Any]:
        """The next `limit` `_id`s after `after` in the store's own order; `after` None: the first. Of every type."""

    async def count(self, namespace: Namespace) -> int:
        """About how many documents there are."""

    async def indexes(self, namespace: Namespace) -> list[Index]:
        """Those of the collection, the one on `_id` left out."""

    async def create_index(self, namespace: Namespace, index: Index) -> None:
        """Returns when it is there, however long that takes; StoreRefused where it cannot be made."""

    async def open_gap(self, gap: GapEntry) -> None:
        """Adds the gap to the ledger, or to its count where it is there already, durably."""

    async def close_gap(self, gap_id: str, *, up_to: datetime) -> bool:
        """Closes the gap unless it was seen again after `up_to`."""

    async def gaps(self, *, database: str | None = None) -> list[GapEntry]:
        """The open gaps."""

    async def put_state(self, kind: str, name: str, value: Document) -> None:
        """Replaces one small document of Causeway's own (heartbeats, checkpoints) in `_causeway.<kind>`."""

    async def get_state(self, kind: str) -> dict[str, Document]:
        """All of a kind, by name."""

    async def state(self, kind: str, name: str) -> Document | None:
        """One of a kind."""

    async def swap_state(self, kind: str, name: str, expected: int, value: Document | None) -> bool:
        """Puts `value` in the place of the state whose `revision` is `expected`; False: somebody was faster.

        The new one has the revision `expected` + 1. 0 stands for a state that is not there; None takes it away. A
        kind is written either by this alone or by `put_state` alone.
        """

    async def delete_state(self, kind: str, name: str) -> None: ...

    async def close(self) -> None: ...
