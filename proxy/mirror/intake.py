"""Committed transactions on their way from the session, or back from the spool, to the decoder.

Decoding is done in turns of the event loop that are bounded in time. Images that need a newer catalogue wait for it
apart, so that they delay nobody else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from proxy.catalog.model import Snapshot
from proxy.logs import get_logger
from proxy.mirror.decode import Decoder
from proxy.mirror.effects import Image
from proxy.mirror.held import Held
from proxy.mirror.targets import Targets
from proxy.mirror.transaction import table_of

log = get_logger(__name__)

TURN_SECONDS = 0.002
"""Decoding in one turn of the event loop."""

GATHER_SECONDS = 0.005
"""How long transactions nobody waits for gather before they are decoded."""

CATALOGUE_PATIENCE = 60.0
"""Seconds for which an image waits for a catalogue that cannot be read; then it becomes a gap."""

CATALOGUE_RETRY = 0.5


class Catalogue(Protocol):
    async def refresh(self, database: str) -> Snapshot | None:
        """The newest snapshot after a look that began after this call, whether or not it succeeded."""

    def error(self, database: str) -> str | None:
        """Why the last look failed; None while all is well."""


class Intake:
    """Belongs to one event loop."""

    def __init__(
        self, decoder: Decoder, targets: Targets, catalogue: Catalogue, finished: Callable[[Held], None]
    ) -> None:
        self._decoder = decoder
        self._targets = targets
        self._catalogue = catalogue
        self._finished = finished
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[Held] = deque()
        self._scheduled: asyncio.Handle | None = None
        self._soon = False
        self._puzzled: dict[str, list[Held]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    @property
    def waiting(self) -> int:
        """Transactions that are not decoded yet."""
        return len(self._arrived) + sum(map(len, self._puzzled.values()))

    def oldest(self, database: str) -> float | None:
        """When the commit of the oldest of them was seen; it may be another database's."""
        times = [held.since for held in self._puzzled.get(database, ())[:1]]
        if self._arrived:
            times.append(self._arrived[0].since)
        return min(times, default=None)

    def take(self, held: Held) -> None:
        self._arrived.append(held)
        if self._stopped:
            return
        if held.urgent and not self._soon:
            if self._scheduled is not None:
                self._scheduled.cancel()
            self._scheduled = self._loop.call_soon(self._turn)
            self._soon = True
        elif self._scheduled is None:
            self._scheduled = self._loop.call_later(GATHER_SECONDS, self._turn)

    async def stop(self) -> list[Held]:
        """Ends decoding; what was not decoded."""
        self._stopped = True
        if self._scheduled is not None:
            self._scheduled.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        left = [*self._arrived, *(held for many in self._puzzled.values() for held in many)]
        self._arrived.clear()
        self._puzzled.clear()
        return left

    def _turn(self) -> None:
        self._scheduled = None
        self._soon = False
        end = self._loop.time() + TURN_SECONDS
        arrived = self._arrived
        while arrived:
            self._decode(arrived.popleft(), final=False)
            if self._loop.time() >= end:
                break
        if arrived and not self._stopped:
            self._scheduled = self._loop.call_soon(self._turn)
            self._soon = True

    def _decode(self, held: Held, *, final: bool) -> None:
        held.open += 1  # while it is being decoded, nothing it waits for may end it
        try:
            left = self._decoder.decode(held, final=final)
        except Exception as error:
            log.exception("decode_failed", error, database=held.database)
            self._decoder.fail(held, f"decoding failed with {type(error).__qualname__}")
            left = []
        held.effects = left
        if left:
            self._puzzle(held)  # and stays open
            return
        held.open -= 1
        if not held.open:
            self._finished(held)

    def _puzzle(self, held: Held) -> None:
        waiting = self._puzzled.setdefault(held.database, [])
        waiting.append(held)
        if len(waiting) == 1 and not self._stopped:
            task = self._loop.create_task(self._look(held.database))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _look(self, database: str) -> None:
        """Until nothing of the database waits for its catalogue any more."""
        first = self._loop.time()
        while waiting := self._puzzled.get(database):
            concerned = list(waiting)
            await self._catalogue.refresh(database)
            error = self._catalogue.error(database)
            late = self._loop.time() - first > CATALOGUE_PATIENCE
            if error is not None and not late:
                await asyncio.sleep(CATALOGUE_RETRY)
                continue
            del waiting[: len(concerned)]
            for held in concerned:
                if error is None:
                    self._note_foreign(held)
                held.open -= 1
                self._decode(held, final=True)
        self._puzzled.pop(database, None)

    def _note_foreign(self, held: Held) -> None:
        for effect in held.effects:
            if type(effect) is Image:
                oid = table_of(effect.record)
                if self._targets.by_oid(held.database, oid) is None:
                    self._targets.looked(held.database, oid)
