"""Transactions of which it is not known whether they committed, until the source has told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Protocol

from proxy.catalog.source import FUTURE, SourceError
from proxy.logs import get_logger

log = get_logger(__name__)

ASK_AGAIN = 0.25
"""Seconds before a transaction in progress is asked for again; doubled up to ASK_RARELY."""

ASK_RARELY = 5.0
"""Also between two looks at a prepared transaction that nobody has told to be settled."""


class Verdict(Enum):
    COMMITTED = "committed"
    ABORTED = "aborted"
    ENDED = "ended"
    """Without an id that one could ask for: it is over, one way or the other."""
    FORGOTTEN = "forgotten"
    """The source has no record of it any more."""


class Source(Protocol):
    async def xact_status(self, xids: Iterable[int]) -> dict[int, str | None]: ...

    async def running_horizon(self) -> int:
        """An xid8 larger than that of any transaction that has written something by now."""

    async def oldest_running(self) -> int:
        """Every transaction with a smaller xid8 has ended."""


class Doubt:
    """One transaction in doubt."""

    __slots__ = ("database", "due", "gid", "horizon", "pause", "settle", "xid")

    def __init__(
        self, database: str, xid: int | None, settle: Callable[[Verdict], None], *, gid: str | None = None
    ) -> None:
        """`settle` is called once. `gid`: of a prepared transaction."""
        self.database = database
        self.xid = xid
        self.settle = settle
        self.gid = gid
        self.horizon: int | None = None
        """Without an id: it has ended when every transaction before this one has."""
        self.due = 0.0
        self.pause = ASK_AGAIN if gid is None else ASK_RARELY


class Resolver:
    """Belongs to one event loop; `run` until cancelled."""

    def __init__(self, source: Callable[[str], Source], *, clock: Callable[[], float]) -> None:
        self._source = source
        self._clock = clock
        self._doubts: dict[str, set[Doubt]] = {}
        self._news = asyncio.Event()
        self._away: set[str] = set()
        """Databases that could not be asked when last tried."""

    def __len__(self) -> int:
        return sum(map(len, self._doubts.values()))

    @property
    def urgent(self) -> int:
        """How many will be settled without anybody doing anything: all but the prepared."""
        return sum(doubt.gid is None for doubts in self._doubts.values() for doubt in doubts)

    def add(self, doubt: Doubt) -> None:
        doubt.due = self._clock() + (0.0 if doubt.gid is None else ASK_RARELY)
        self._doubts.setdefault(doubt.database, set()).add(doubt)
        self._news.set()

    def poke(self, gid: str) -> None:
        """The prepared transaction is said to be settled."""
        for doubts in self._doubts.values():
            for doubt in doubts:
                if doubt.gid == gid:
                    doubt.due = 0.0
                    doubt.pause = ASK_AGAIN
        self._news.set()

    async def run(self) -> None:
        while True:
            now = self._clock()
            self._news.clear()
            for database in [name for name, doubts in self._doubts.items() if doubts]:
                due = [doubt for doubt in self._doubts[database] if doubt.due <= now]
                if due:
                    await self._ask(database, due)
            soonest = min((doubt.due for doubts in self._doubts.values() for doubt in doubts), default=None)
            timeout = None if soonest is None else max(0.0, soonest - self._clock())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._news.wait()

    async def _ask(self, database: str, doubts: list[Doubt]) -> None:
        source = self._source(database)
        verdicts: dict[Doubt, Verdict] = {}
        try:
            with_id = [doubt for doubt in doubts if doubt.xid is not None]
            if with_id:
                answers = await source.xact_status({doubt.xid for doubt in with_id if doubt.xid is not None})
                for doubt in with_id:
                    assert doubt.xid is not None
                    verdict = _VERDICTS.get(answers.get(doubt.xid))
                    if verdict is not None:
                        verdicts[doubt] = verdict
            without = [doubt for doubt in doubts if doubt.xid is None]
            if without:
                if any(doubt.horizon is None for doubt in without):
                    horizon = await source.running_horizon()
                    for doubt in without:
                        doubt.horizon = horizon if doubt.horizon is None else doubt.horizon
                oldest = await source.oldest_running()
                for doubt in without:
                    if doubt.horizon is not None and oldest >= doubt.horizon:
                        verdicts[doubt] = Verdict.ENDED
        except SourceError as error:
            if database not in self._away:
                log.warning("in_doubt_cannot_ask", database=database, error=str(error), waiting=len(doubts))
            self._away.add(database)
        except Exception as error:
            log.exception("in_doubt_cannot_ask", error, database=database, waiting=len(doubts))
        else:
            self._away.discard(database)
        now = self._clock()
        for doubt in doubts:
            verdict = verdicts.get(doubt)
            if verdict is None:
                doubt.due = now + doubt.pause
                doubt.pause = min(doubt.pause * 2, ASK_RARELY)
            else:
                self._doubts[database].discard(doubt)
                doubt.settle(verdict)


_VERDICTS: dict[str | None, Verdict] = {
    "committed": Verdict.COMMITTED,
    "aborted": Verdict.ABORTED,
    FUTURE: Verdict.ABORTED,
    None: Verdict.FORGOTTEN,
}
