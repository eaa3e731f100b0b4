"""Looks again at keys whose row and document differed, beside the comparison, until each is decided; see `recheck`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from proxy.backfill.compare import Difference, difference, fingerprint
from proxy.backfill.crew import Crew
from proxy.backfill.digests import Expected
from proxy.backfill.lookups import Lookups
from proxy.backfill.passing import HeldUp
from proxy.backfill.patience import Patience
from proxy.backfill.recheck import MAX_LOOKS, Look, Verdict, verdict
from proxy.backfill.report import Report
from proxy.stores.convergence import Pair
from proxy.stores.protocol import Key

BATCH = 5000
"""Keys that are looked at together: they share the wait for the fleet."""
SLICE = 500
"""Rows or documents held at once of a batch."""
AT_ONCE = 4
"""Batches that are being looked at."""
GATHER = 1.0
"""Seconds after which fewer keys than a batch are looked at: most of them are right by then."""

IMPOSSIBLE = b"!"
"""Stands for a row that no document can hold; no fingerprint is like it."""


class Passing(Protocol):
    """The part of `member.Member` that looks need; `wait_passed` raises HeldUp."""

    async def position(self, database: str) -> int: ...
    async def wait_passed(self, database: str, version: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Lasting:
    """A key whose row and document differ for good."""

    key: Key
    difference: Difference | None
    """None: no document can hold the row."""
    fault: str = ""
    """Why not."""


@dataclass(frozen=True, slots=True)
class Decided:
    lasting: list[Lasting]
    unsettled: int
    """Keys that others kept repairing, or of which a proxy may still hold something."""
    position: int
    """Of the source, passed by every queue before the documents were last read."""
    held_up: str = ""
    """By whom."""


Settle = Callable[[Decided], Awaitable[None]]
"""What is done where something lasts."""


class Rechecks:
    """Belongs to one comparison of one table."""

    def __init__(
        self,
        lookups: Lookups,
        passing: Passing,
        report: Report,
        settle: Settle,
        crew: Crew,
        patience: Patience,
        *,
        gather: float = GATHER,
    ) -> None:
        """`crew` has room for AT_ONCE batches."""
        self._lookups = lookups
        self._passing = passing
        self._report = report
        self._settle = settle
        self._crew = crew
        self._patience = patience
        self._gather = gather
        self._waiting: dict[Hashable, Key] = {}
        self._since = 0.0

    async def suspect(self, keys: Iterable[Key]) -> None:
        """Takes keys, none for the time that passes; waits where too many are being looked at."""
        now = time.monotonic()
        for key in keys:
            if not self._waiting:
                self._since = now
            self._waiting[key.token] = key
        while len(self._waiting) >= BATCH or (self._waiting and now - self._since >= self._gather):
            await self._begin()

    async def finish(self) -> None:
        """Returns once every key is decided."""
        while self._waiting:
            await self._begin()
        await self._crew.wait()

    async def _begin(self) -> None:
        batch = dict(islice(self._waiting.items(), BATCH))
        for token in batch:
            del self._waiting[token]
        await self._crew.begin(self._work(batch))

    async def _work(self, keys: Mapping[Hashable, Key]) -> None:
        decided = await self._patience.of(lambda: self.decide(keys))
        self._report.transient += len(keys) - len(decided.lasting) - decided.unsettled
        self._report.unsettled += decided.unsettled
        self._report.held_up = decided.held_up or self._report.held_up
        if decided.lasting:
            await self._settle(decided)

    async def decide(self, keys: Mapping[Hashable, Key]) -> Decided:
        """What of them lasts. May be begun anew."""
        pending = await self._differing(keys)
        unsettled = 0
        lasting: dict[Hashable, Key] = {}
        before: dict[Hashable, Look] = {}
        position = 0
        held_up = ""
        for looks in range(1, MAX_LOOKS + 1):
            if not pending:
                break
            rows = await self._rows(pending)
            now = await self._passing.position(self._lookups.database)
            try:
                await self._passing.wait_passed(self._lookups.database, now)
            except HeldUp as error:
                unsettled += len(pending)
                held_up = str(error)
                break
            position = now
            found = await self._look(pending, rows)
            for token, look in found.items():
                decision = verdict(before.get(token), look, looks)
                if decision is Verdict.AGAIN:
                    continue
                key = pending.pop(token)
                if decision is Verdict.LASTS:
                    lasting[token] = key
                elif decision is Verdict.UNSETTLED:
                    unsettled += 1
            before = found
        return Decided(await self._classified(lasting), unsettled, position, held_up)

    async def _differing(self, keys: Mapping[Hashable, Key]) -> dict[Hashable, Key]:
        """Those that differ now, without any wait."""
        found = {}
        for part in _slices(keys):
            rows = await self._lookups.rows(list(part.values()))
            documents = await self._lookups.documents([key.value for key in part.values()])
            for (token, key), document in zip(part.items(), documents, strict=True):
                if _print(rows.get(token)) != fingerprint(document):
                    found[token] = key
        return found

    async def _rows(self, keys: Mapping[Hashable, Key]) -> dict[Hashable, bytes]:
        """Fingerprints of what the rows should be."""
        found = {}
        for part in _slices(keys):
            rows = await self._lookups.rows(list(part.values()))
            found.update({token: _print(rows.get(token)) for token in part})
        return found

    async def _look(
        self, keys: Mapping[Hashable, Key], rows: Mapping[Hashable, bytes]
    ) -> dict[Hashable, Look]:
        """Documents are read before their pairs: what is there is not newer than the pair says."""
        found = {}
        for part in _slices(keys):
            documents = await self._lookups.documents([key.value for key in part.values()])
            states = await self._lookups.states(list(part.values()))
            for token, document, state in zip(part, documents, states, strict=True):
                pair = Pair(state.version, state.repairs)
                found[token] = Look(rows[token] != fingerprint(document), pair)
        return found

    async def _classified(self, keys: Mapping[Hashable, Key]) -> list[Lasting]:
        """What each difference is; keys that are equal at last are left out."""
        known = []
        for part in _slices(keys):
            rows = await self._lookups.rows(list(part.values()))
            documents = await self._lookups.documents([key.value for key in part.values()])
            mapping = self._lookups.table.mapping
            for (token, key), document in zip(part.items(), documents, strict=True):
                row = rows.get(token)
                if row is not None and row.raw is None:
                    known.append(Lasting(key, None, row.fault))
                elif what := difference(mapping, None if row is None else row.raw, document):
                    known.append(Lasting(key, what))
        return known


def _print(row: Expected | None) -> bytes:
    if row is None:
        return b""
    return IMPOSSIBLE if row.raw is None else fingerprint(row.raw)


def _slices(keys: Mapping[Hashable, Key]) -> Iterable[dict[Hashable, Key]]:
    items = iter(keys.items())
    while part := dict(islice(items, SLICE)):
        yield part
