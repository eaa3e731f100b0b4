"""Who else is in the fleet, as a backfill must know it: proxies that serve clients, and workers that have gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from proxy.fleet.beats import PROXY, Beat, Fleet, parse_beat
from proxy.fleet.losses import LOST, PROXIES
from proxy.stores.protocol import Store

LEASE = 15.0
"""Seconds a worker may be silent before others take over its chunks."""


class Company:
    """The heartbeats of the fleet as this process has read them. Belongs to one event loop.

    Proxies in front of other servers, which may share the store, are not of it.
    """

    def __init__(
        self,
        store: Store,
        own: str,
        *,
        source: str = "",
        lease: float = LEASE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`own`: the id of this process's heartbeat. `source`: as `Beat.source` has it."""
        self._store = store
        self._own = own
        self._lease = lease
        self._clock = clock
        self._fleet = Fleet(own, source)
        self._unknown: dict[str, float] = {}
        """Workers without a heartbeat, and since when that is known."""

    async def look(self) -> None:
        """Reads the documents of the fleet. Raises StoreUnavailable, StoreRefused."""
        marks = await self._store.get_state(LOST)
        beats = await self._store.get_state(PROXIES)
        self._fleet.observe(
            (parse_beat(proxy, document) for proxy, document in beats.items()), marks, self._clock()
        )

    def proxies(self) -> list[Beat]:
        """Those that may still write what they have captured: running, or silent and not yet declared lost."""
        return [beat for beat in self._fleet.others() if beat.role == PROXY]

    def gone(self, workers: Collection[str]) -> frozenset[str]:
        """Those of `workers` that have ended, are declared lost, or have been silent for the lease.

        Silence is measured by this process's own clock, from its first look.
        """
        now = self._clock()
        beats = self._fleet.beats
        alive = {beat.proxy for beat in self._fleet.others()}
        silent = {beat.proxy for beat in self._fleet.silent(now, self._lease)}
        self._unknown = {
            worker: self._unknown.get(worker, now) for worker in workers if worker and worker not in beats
        }
        return frozenset(
            worker
            for worker in workers
            if worker not in ("", self._own)
            and (
                worker in silent
                or (worker in beats and worker not in alive)
                or now - self._unknown.get(worker, now) >= self._lease
            )
        )
