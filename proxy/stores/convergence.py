"""How apply, seed, repair and truncate are made of writes to single documents so that any order gives the same.

A store has no transaction over the documents that say what is known of a key; single-document writes must do:

* the **document** in the table's collection; a **tombstone** in a collection beside it once the row was deleted; one
  **floor**, the tombstone of all keys, once the table was truncated. Each carries a pair (v, r), version of the image
  and repairs since, ordered lexicographically. What is true of a key is what carries the largest pair.
* `upsert` writes a document or tombstone only where nothing is, or something with a smaller pair; `remove` deletes a
  document only where its pair is smaller than a given one. So the pair in one place only grows, and whoever removes a
  document knows of a tombstone or floor, already written, that is larger.
* A delete writes its tombstone (a truncate its floor) *first* and removes the document *afterwards*; whoever *created*
  a document looks for tombstone and floor *afterwards* and, if they are larger, takes back whatever is smaller than
  them. Of two writers that meet, either the one that creates sees the tombstone or the one that deletes sees the
  document. A writer that *replaces* a document need not look: who created it does, and takes back the replacement too
  if that is smaller. Take-backs may overlap and come late: what they remove is dead.
* A crash between create and look leaves a document that nobody looks after. So a *replay* of an apply looks for all
  its keys, any apply for those it finds written already (a command that failed as a whole may be half done), and a
  seed for all. A replayed delete removes again. (No seed is replayed of a row that the source has lost since: see the
  sweep below.)
* A duplicate key answers an upsert that found something as large, *or* that lost the race to create: the pair is then
  read, and the write done again unless what is there is as large.

Versions are unique to one image, repairs are not: two who read the same (v, r) would both write (v, r + 1). So a repair
first **claims** its pair: an upsert of (v, r + 1) into a third collection, which one of them wins. A claim whose owner
crashed before it wrote must not bar the way: `states` gives the largest of the pairs of document, tombstone, floor and
claim, so the next repair claims (v, r + 2). Whoever claims the larger pair has read the source later, so the larger
pair is also the better one. Nothing depends on the state staying as it is between claim and write: an apply that comes
in between has the larger pair, and stands. A repair always looks.

A command whose sender has given up on it, or died, may reach the documents long afterwards, and create one that nobody
looks after either: the replay may be through by then. So after a replay, an error that leaves open what was done, or a
restart, `sweep` takes back, once nothing of that time can be under way any more, what recent tombstones say is dead.

Tombstones, floors and claims expire; nothing older than them may still be under way then (`tombstone_ttl`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from bson import MinKey

from proxy.stores.bson_form import Encoded
from proxy.stores.identity import identity
from proxy.stores.protocol import (
    NOTHING,
    Document,
    Key,
    Outcome,
    Poison,
    Repair,
    State,
    StoreUnavailable,
    Write,
)

FLOOR: Final = MinKey()
"""The `_id` of the floor among the tombstones; no column of PostgreSQL has such a value."""

ROUNDS: Final = 20  # how often one call tries to create what others create and remove at the same time

REMOVED_AT_ONCE: Final = 1000
"""Documents that a truncate finds and removes in one step."""

_First = TypeVar("_First")
_Second = TypeVar("_Second")


class Pair(NamedTuple):
    """What orders the states of a key."""

    version: int
    repairs: int


_UNSEEN: Final = Pair(0, 0)
"""Of what no image was seen of."""


class Area(Enum):
    """The collections that belong to one table."""

    DOCUMENTS = "documents"
    TOMBSTONES = "tombstones"
    CLAIMS = "repairs"


class Wrote(Enum):
    """What became of one upsert or insert."""

    CREATED = "created"
    REPLACED = "replaced"
    EXISTS = "exists"
    """Duplicate key: something was there, which an upsert did not find to be smaller."""


class Item(NamedTuple):
    """One state of a key to be written."""

    id: Any
    pair: Pair
    document: Document | None = None
    """None for tombstones and claims. May hold `_id`."""
    extra: Document = MappingProxyType({})


class Found(NamedTuple):
    """A document as it stands in the collection."""

    pair: Pair
    document: Document
    """With `_id`, without `_cw`."""
    extra: Document


class Elementary(Protocol):
    """What a store can do to the collections of one table. Writes are atomic per document, unordered between them."""

    async def upsert(self, area: Area, items: Sequence[Item]) -> list[Wrote | Poison]:
        """Write each where nothing is, or something with a smaller pair."""

    async def insert(self, items: Sequence[Item | Encoded]) -> list[Wrote | Poison]:
        """Put in each document whose key has none. One that is encoded is whole, with a pair of zeros."""

    async def remove(self, items: Sequence[Item]) -> int:
        """Delete the documents whose pairs are smaller than the items'; the number deleted."""

    async def pairs(self, area: Area, ids: Sequence[Any]) -> dict[Hashable, Pair]:
        """By the identity of each `_id` that is there."""

    async def graves(self, ids: Sequence[Any]) -> dict[Hashable, Pair]:
        """What `pairs` says of the tombstones of keys that most often lie side by side, and of the floor."""

    async def documents(self, ids: Sequence[Any]) -> dict[Hashable, Found]: ...

    def recent(self, since: datetime) -> AsyncIterator[Sequence[Item]]:
        """The tombstones, and the floor, written since then, by the clocks of who wrote them."""

    async def older(self, version: int, limit: int) -> list[Any]:
        """The `_id`s of at most `limit` documents with smaller versions; none only if there are none."""


@dataclass(slots=True)
class _Graves:
    """What is known to be dead: tombstones of keys, and the floor."""

    floor: Pair | None
    tombstones: Mapping[Hashable, Pair] = field(default_factory=dict)

    def of(self, key: Hashable) -> Pair | None:
        tombstone = self.tombstones.get(key)
        if tombstone is None or self.floor is None:
            return tombstone or self.floor
        return max(tombstone, self.floor)


async def apply(
    store: Elementary, writes: Sequence[Write], *, replay: bool = False, look_first: bool = False
) -> list[Outcome | Poison]:
    """`look_first`: many of the writes are expected to be stale; the outcome is the same."""
    puts = [
        (index, Item(write.key.value, Pair(write.version, 0), write.document, write.extra))
        for index, write in enumerate(writes)
        if write.document is not None
    ]
    deletes = [
        (index, Item(write.key.value, Pair(write.version, 0)))
        for index, write in enumerate(writes)
        if write.document is None
    ]
    if not deletes:
        return await _put(store, [item for _, item in puts], replay=replay, look_first=look_first)
    if not puts:
        return await _delete(store, [item for _, item in deletes], look_first=look_first)
    put, deleted = await both(
        _put(store, [item for _, item in puts], replay=replay, look_first=look_first),
        _delete(store, [item for _, item in deletes], look_first=look_first),
    )
    answers = dict(zip((index for index, _ in puts + deletes), put + deleted, strict=True))
    return [answers[index] for index in range(len(writes))]


async def seed(
    store: Elementary, writes: Sequence[Write | Encoded], *, look_first: bool = False
) -> list[Outcome | Poison]:
    """`look_first`: many are expected to be there already; the outcome is the same."""
    items = [
        write if isinstance(write, Encoded) else Item(write.key.value, _UNSEEN, write.document, write.extra)
        for write in writes
    ]
    exist = await store.pairs(Area.DOCUMENTS, [item.id for item in items]) if look_first else {}
    absent = [item for item in items if identity(item.id) not in exist] if exist else items
    wrote = await store.insert(absent) if absent else []
    put = iter(wrote)
    wrote = [Wrote.EXISTS if identity(item.id) in exist else next(put) for item in items] if exist else wrote
    created = wrote.count(Wrote.CREATED) == len(items)
    there = items
    if not created:
        there = [item for item, answer in zip(items, wrote, strict=True) if isinstance(answer, Wrote)]
    if not there:
        return [answer for answer in wrote if isinstance(answer, Poison)]
    tombstones = await store.graves([item.id for item in there])
    graves = _Graves(tombstones.get(identity(FLOOR)), tombstones)
    dead = frozenset[Hashable]()
    if graves.floor or graves.tombstones:
        dead = await _bury(store, [Item(item.id, _UNSEEN) for item in there], graves)
    if created and not dead:
        return [Outcome.APPLIED] * len(items)
    return [
        answer
        if isinstance(answer, Poison)
        else Outcome.APPLIED
        if answer is Wrote.CREATED and not (dead and identity(item.id) in dead)
        else Outcome.STALE
        for item, answer in zip(items, wrote, strict=True)
    ]


async def states(store: Elementary, keys: Sequence[Key]) -> list[State]:
    """Documents are read before tombstones: a key that is deleted meanwhile is seen as one or the other.

    The pair may be a claim's whose content is not there yet. For a repair that does not matter, as it reads the source
    later; but a state that equals the source says nothing of a repair under way, so a gap is only closed by repairing.
    """
    ids = [key.value for key in keys]
    if not ids:
        return []
    documents = await store.documents(ids)
    graves, claims = await both(_graves(store, ids), store.pairs(Area.CLAIMS, ids))
    found: list[State] = []
    for value in ids:
        key = identity(value)
        document, grave, claim = documents.get(key), graves.of(key), claims.get(key)
        state = NOTHING
        if document is not None and (grave is None or grave < document.pair):
            state = State(*document.pair, document.document, document.extra)
        elif grave is not None:
            state = State(*grave, None)
        if claim is not None and claim > (state.version, state.repairs):
            state = State(*claim, state.document, state.extra)
        found.append(state)
    return found


async def repair(store: Elementary, repairs: Sequence[Repair]) -> list[bool | Poison]:
    items = [
        Item(one.key.value, Pair(one.expected.version, one.expected.repairs + 1), one.document, one.extra)
        for one in repairs
    ]
    claimed = await _advance(store, Area.CLAIMS, [Item(item.id, item.pair) for item in items])
    answers: list[bool | Poison] = [claim if isinstance(claim, Poison) else False for claim in claimed]
    won = [index for index, claim in enumerate(claimed) if isinstance(claim, Wrote)]
    puts = [index for index in won if items[index].document is not None]
    deletes = [index for index in won if items[index].document is None]
    put, deleted = await both(
        _put(store, [items[index] for index in puts], replay=True),
        _delete(store, [items[index] for index in deletes], certain=True),
    )
    for index, outcome in zip(puts + deletes, put + deleted, strict=True):
        answers[index] = outcome if isinstance(outcome, Poison) else outcome is Outcome.APPLIED
    return answers


async def truncate(store: Elementary, version: int) -> int:
    """Removes bit by bit, so that one interrupted half-way goes on where it was when it is called again."""
    floor = Item(FLOOR, Pair(version, 0))
    [answer] = await _advance(store, Area.TOMBSTONES, [floor])
    if isinstance(answer, Poison):
        raise StoreUnavailable(f"the store does not take the floor of a TRUNCATE: {answer.reason}")
    return await _level(store, floor.pair)


async def sweep(store: Elementary, since: datetime) -> int:
    """Takes back every document that a tombstone or floor written since then says is dead; the number removed."""
    removed = 0
    async for graves in store.recent(since):
        tombstones = [grave for grave in graves if grave.id != FLOOR]
        if tombstones:
            removed += await store.remove(tombstones)
        for grave in graves:
            if grave.id == FLOOR:
                removed += await _level(store, grave.pair)
    return removed


async def _level(store: Elementary, floor: Pair) -> int:
    removed = 0
    while ids := await store.older(floor.version, REMOVED_AT_ONCE):
        removed += await store.remove([Item(value, floor) for value in ids])
    return removed


async def _put(
    store: Elementary, items: Sequence[Item], *, replay: bool, look_first: bool = False
) -> list[Outcome | Poison]:
    if not items:
        return []
    wrote = await _advance(store, Area.DOCUMENTS, items, look_first=look_first)
    suspects = [
        item
        for item, answer in zip(items, wrote, strict=True)
        if answer is Wrote.CREATED or answer is None or (replay and not isinstance(answer, Poison))
    ]
    dead = frozenset[Hashable]()
    if suspects:
        dead = await _bury(store, suspects, await _graves(store, [item.id for item in suspects]))
    return [
        answer
        if isinstance(answer, Poison)
        else Outcome.STALE
        if answer is None or (dead and identity(item.id) in dead)
        else Outcome.APPLIED
        for item, answer in zip(items, wrote, strict=True)
    ]


async def _delete(
    store: Elementary, items: Sequence[Item], *, certain: bool = False, look_first: bool = False
) -> list[Outcome | Poison]:
    """`certain`: whether a newer document or floor is there is looked at even if every item removed something."""
    if not items:
        return []
    wrote = await _advance(store, Area.TOMBSTONES, items, look_first=look_first)
    good = [item for item, answer in zip(items, wrote, strict=True) if not isinstance(answer, Poison)]
    removed = await store.remove(good) if good else 0
    newer, floor = frozenset[Hashable](), None
    if good and (certain or removed < len(good)):
        newer, graves = await both(_not_older(store, good), _graves(store, ()))
        floor = graves.floor
    return [
        answer
        if isinstance(answer, Poison)
        else Outcome.STALE
        if answer is None or identity(item.id) in newer or (floor is not None and floor > item.pair)
        else Outcome.APPLIED
        for item, answer in zip(items, wrote, strict=True)
    ]


async def _not_older(store: Elementary, items: Sequence[Item]) -> frozenset[Hashable]:
    """The keys whose documents are as new as the items, or newer."""
    there = await store.pairs(Area.DOCUMENTS, [item.id for item in items])
    pairs = {identity(item.id): item.pair for item in items}
    return frozenset(key for key, pair in there.items() if pair >= pairs.get(key, pair))


async def _advance(
    store: Elementary, area: Area, items: Sequence[Item], *, look_first: bool = False
) -> list[Wrote | Poison | None]:
    """Upserts until each is written, refused, or (None) found to be there already, the same or newer."""
    answers: list[Wrote | Poison | None] = [None] * len(items)
    pending = list(range(len(items)))
    if look_first:
        pending = await _older_there(store, area, items, pending)
    for _ in range(ROUNDS):
        if not pending:
            return answers
        wrote = await store.upsert(area, [items[index] for index in pending])
        met = []
        for index, answer in zip(pending, wrote, strict=True):
            if answer is Wrote.EXISTS:
                met.append(index)
            else:
                answers[index] = answer
        pending = await _older_there(store, area, items, met) if met else []
    if pending:
        raise StoreUnavailable(f"{len(pending)} keys are being written by too many at once")
    return answers


async def _older_there(
    store: Elementary, area: Area, items: Sequence[Item], indexes: Sequence[int]
) -> list[int]:
    """Those of `indexes` whose items are newer than what is there."""
    there = await store.pairs(area, [items[index].id for index in indexes])
    older = []
    for index in indexes:
        pair = there.get(identity(items[index].id))
        if pair is None or pair < items[index].pair:
            older.append(index)
    return older


async def _bury(store: Elementary, items: Sequence[Item], graves: _Graves) -> frozenset[Hashable]:
    """Takes back what `graves`, looked at since the items were written, say is dead; the keys of the items that are."""
    dead = []
    for item in items if graves.floor or graves.tombstones else ():
        grave = graves.of(identity(item.id))
        if grave is not None and grave > item.pair:
            dead.append(Item(item.id, grave))
    if dead:
        await store.remove(dead)
    return frozenset(identity(item.id) for item in dead)


async def _graves(store: Elementary, ids: Sequence[Any]) -> _Graves:
    tombstones = await store.pairs(Area.TOMBSTONES, [FLOOR, *ids])
    return _Graves(tombstones.get(identity(FLOOR)), tombstones)


async def both(
    first: Coroutine[Any, Any, _First], second: Coroutine[Any, Any, _Second]
) -> tuple[_First, _Second]:
    """Both at once; neither is left running when the other fails."""
    one, two = await asyncio.gather(first, second, return_exceptions=True)
    for result in (one, two):
        if isinstance(result, BaseException):
            raise result
    return one, two
