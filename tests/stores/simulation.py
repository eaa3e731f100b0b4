"""A store in memory whose elementary steps are taken one at a time, in an order that a test decides.

The real algorithm of `convergence` runs on it: what is simulated is MongoDB, down to the two steps of an upsert, the
statements of a bulk write that take place in any order, and finds that look at one document after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from datetime import datetime
from typing import Any, Protocol

from proxy.stores.bson_form import Encoded, decode
from proxy.stores.convergence import FLOOR, Area, Found, Item, Pair, Wrote
from proxy.stores.identity import identity
from proxy.stores.protocol import Poison


def plain(encoded: Encoded) -> Item:
    document = decode(bytes(encoded.raw))
    mark = document.pop("_cw")
    return Item(encoded.id, Pair(mark.pop("v"), mark.pop("r")), document, mark)


class Choices(Protocol):
    """Where the decisions come from."""

    def randrange(self, count: int, /) -> int: ...


class Simulator:
    """Runs tasks, one step of one of them at a time."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._waiting: list[tuple[asyncio.Task[Any] | None, asyncio.Future[None]]] = []
        self._ranks: dict[asyncio.Task[Any] | None, int] = {}

    async def turn(self) -> None:
        """Awaited before each elementary step."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((asyncio.current_task(), future))
        await future

    async def run(self, tasks: Sequence[asyncio.Task[Any]]) -> None:
        """Until all have ended; raises what they raise."""
        while True:
            await self._settle()
            self._waiting = [one for one in self._waiting if not one[1].done()]
            if not self._waiting:
                break
            self._next().set_result(None)
        for task in tasks:
            assert task.done(), "a task waits for something that will not come"
            task.result()

    def _next(self) -> asyncio.Future[None]:
        """Tasks have random ranks, which change now and then: one may rest while others do a great deal."""
        for task, _ in self._waiting:
            if task not in self._ranks:
                self._ranks[task] = self._choices.randrange(1000)
        chosen = max(self._waiting, key=lambda one: self._ranks[one[0]])
        if self._choices.randrange(4) == 0:
            self._ranks[chosen[0]] = self._choices.randrange(1000)
        self._waiting.remove(chosen)
        return chosen[1]

    async def _settle(self) -> None:
        """Until nobody can go on without a turn; a step wakes at most a task, its gather and their parent."""
        for _ in range(8):
            await asyncio.sleep(0)


class Crash(Exception):
    """The process that called died here."""


class SimulatedStore:
    """See `convergence.Elementary`; shared by all callers through `seen_by`."""

    def __init__(self, simulator: Simulator, choices: Choices) -> None:
        self._simulator = simulator
        self._choices = choices
        self._areas: dict[Area, dict[Hashable, Item]] = {area: {} for area in Area}

    def seen_by(self, lifetime: Callable[[], bool]) -> SimulatedClient:
        """`lifetime` is asked before each step whether the caller still lives."""
        return SimulatedClient(self, self._simulator, self._choices, lifetime)

    def area(self, area: Area) -> dict[Hashable, Item]:
        return self._areas[area]


class SimulatedClient:
    def __init__(
        self, store: SimulatedStore, simulator: Simulator, choices: Choices, lifetime: Callable[[], bool]
    ) -> None:
        self._store = store
        self._simulator = simulator
        self._choices = choices
        self._lifetime = lifetime

    async def step(self) -> None:
        await self._simulator.turn()
        if not self._lifetime():
            raise Crash

    async def upsert(self, area: Area, items: Sequence[Item]) -> list[Wrote | Poison]:
        place = self._store.area(area)
        answers: dict[int, Wrote | Poison] = {}
        for index in self._shuffled(len(items)):
            item = items[index]
            key = identity(item.id)
            await self.step()
            there = place.get(key)
            if there is not None and there.pair < item.pair:
                place[key] = item
                answers[index] = Wrote.REPLACED
                continue
            await self.step()
            answers[index] = Wrote.EXISTS if key in place else Wrote.CREATED
            place.setdefault(key, item)
        return [answers[index] for index in range(len(items))]

    async def insert(self, items: Sequence[Item | Encoded]) -> list[Wrote | Poison]:
        place = self._store.area(Area.DOCUMENTS)
        answers: dict[int, Wrote | Poison] = {}
        for index in self._shuffled(len(items)):
            await self.step()
            item = items[index]
            key = identity(item.id)
            answers[index] = Wrote.EXISTS if key in place else Wrote.CREATED
            place.setdefault(key, item if isinstance(item, Item) else plain(item))
        return [answers[index] for index in range(len(items))]

    async def remove(self, items: Sequence[Item]) -> int:
        place = self._store.area(Area.DOCUMENTS)
        removed = 0
        for index in self._shuffled(len(items)):
            await self.step()
            key = identity(items[index].id)
            if key in place and place[key].pair < items[index].pair:
                del place[key]
                removed += 1
        return removed

    async def pairs(self, area: Area, ids: Sequence[Any]) -> dict[Hashable, Pair]:
        found = {}
        for index in self._shuffled(len(ids)):
            await self.step()
            item = self._store.area(area).get(identity(ids[index]))
            if item is not None:
                found[identity(ids[index])] = item.pair
        return found

    async def graves(self, ids: Sequence[Any]) -> dict[Hashable, Pair]:
        return await self.pairs(Area.TOMBSTONES, [FLOOR, *ids])

    async def documents(self, ids: Sequence[Any]) -> dict[Hashable, Found]:
        found = {}
        for index in self._shuffled(len(ids)):
            await self.step()
            item = self._store.area(Area.DOCUMENTS).get(identity(ids[index]))
            if item is not None:
                assert item.document is not None
                found[identity(ids[index])] = Found(item.pair, item.document, item.extra)
        return found

    async def recent(self, since: datetime) -> AsyncIterator[list[Item]]:
        place = self._store.area(Area.TOMBSTONES)
        for key in list(place):
            await self.step()
            yield [place[key]]

    async def older(self, version: int, limit: int) -> list[Any]:
        """The scan visits the documents that were there when it began, each as it is when it is visited."""
        await self.step()
        place = self._store.area(Area.DOCUMENTS)
        found: list[Any] = []
        for key in list(place):
            await self.step()
            item = place.get(key)
            if item is not None and item.pair.version < version and len(found) < limit:
                found.append(item.id)
        return found

    def _shuffled(self, count: int) -> list[int]:
        indexes = list(range(count))
        return [indexes.pop(self._choices.randrange(len(indexes))) for _ in range(count)]
