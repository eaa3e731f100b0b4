"""Comparisons that the rules ask for (`verify:`), one in the fleet at a time, each in a process of its own.

A proxy claims a table that is due by a compare-and-set on its state, so only one of them begins. The comparison runs
in another process with a lower priority, so that it takes no time from clients: `scheduled`. It ends with the proxy
that began it; another proxy goes on when the table is due again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from proxy.backfill.report import KIND, Outcome, Report, Scope, Verification, begun, ended
from proxy.backfill.states import all_states, keep
from proxy.logs import get_logger
from proxy.mirror.tables import MirroredTable
from proxy.rulefiles.schema import Verify
from proxy.stores.protocol import Store, StoreRefused, StoreUnavailable

log = get_logger(__name__)

LOOK_EVERY = 20.0
"""Seconds between two looks at what is due."""
FRESH = 60.0
"""Seconds within which a comparison that goes on tells of itself, clocks that differ included."""
END_PATIENCE = 10.0
"""Seconds the process may take to end after it was told to."""
MODULE = "proxy.backfill.scheduled"


def is_due(rule: Verify, state: Verification | None, now: datetime) -> bool:
    """Whether it is time for the table's next comparison."""
    if state is None or state.scheduled_at is None:
        return True
    return (now - state.scheduled_at).total_seconds() >= rule.every


def goes_on(state: Verification, alive: Collection[str], now: datetime) -> bool:
    """Whether somebody compares the table now, as far as is known: one who lives, or has told of it lately."""
    fresh = (now - state.updated).total_seconds() < FRESH
    return state.outcome is Outcome.RUNNING and (fresh or state.owner in alive)


def scope_of(rule: Verify) -> Scope:
    """`since` is a time back, as `causeway verify --since` takes it."""
    return Scope(rule.sample, "", "" if rule.since is None else f"{rule.since:.0f}s")


class Schedule:
    """Belongs to one event loop."""

    def __init__(
        self,
        store: Store,
        tables: Callable[[], Iterable[MirroredTable]],
        alive: Callable[[], Collection[str]],
        owner: str,
        settings: Callable[[], Mapping[str, Any]],
        *,
        look_every: float = LOOK_EVERY,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`tables`: all that are mirrored. `alive`: the ids of the fleet's heartbeats. `owner`: this process's.
        `settings`: as `Settings.reveal` gives them; they go to the other process by its standard input alone."""
        self._store = store
        self._tables = tables
        self._alive = alive
        self._owner = owner
        self._settings = settings
        self._look_every = look_every
        self._now = now

    async def run(self) -> None:
        """Until cancelled. A store that is away is asked later."""
        while True:
            try:
                table = await self.claim()
                if table is not None:
                    await self._compare(table)
                    continue
            except (StoreUnavailable, StoreRefused) as error:
                log.debug("verify_schedule_away", reason=str(error))
            await asyncio.sleep(self._look_every)

    async def claim(self) -> MirroredTable | None:
        """The table that has waited longest of those that are due, as this process's; None: there is none, or one is
        being compared."""
        ruled = [table for table in self._tables() if table.rule.verify is not None]
        if not ruled:
            return None
        states = await all_states(self._store)
        alive = {*self._alive(), self._owner}
        now = self._now()
        if any(state.scheduled and goes_on(state, alive, now) for state in states.values()):
            return None
        due = []
        for table in ruled:
            state = states.get(str(table.name))
            assert table.rule.verify is not None
            busy = state is not None and goes_on(state, alive, now)
            if is_due(table.rule.verify, state, now) and not busy:
                due.append(table)
        never = datetime.min.replace(tzinfo=UTC)
        due.sort(key=lambda table: _began(states.get(str(table.name))) or never)
        for table in due:
            if await self._claimed(table, states.get(str(table.name)), now):
                return table
        return None

    async def _claimed(self, table: MirroredTable, before: Verification | None, now: datetime) -> bool:
        rule = table.rule.verify
        assert rule is not None
        state = begun(
            before,
            str(table.name),
            self._owner,
            now,
            scheduled=True,
            repair=rule.repair,
            scope=scope_of(rule),
        )
        revision = 0 if before is None else before.revision
        return await self._store.swap_state(KIND, str(table.name), revision, state.document())

    async def _compare(self, table: MirroredTable) -> None:
        name = str(table.name)
        log.info("verify_begins", table=name)
        fault = ""
        try:
            code = await self._process(table)
            if code not in (0, 1):
                fault = f"the process that compared it ended with {code}"
        except OSError as error:
            fault = f"no process could be started: {error}"
        after = await keep(self._store, name, lambda before: self._settled(before, fault))
        found = after or (await all_states(self._store)).get(name)
        if found is not None:
            say = log.info if found.outcome is Outcome.EQUAL else log.warning
            say(
                "verify_ended", table=name, outcome=found.outcome.value, reason=found.message, **found.numbers
            )

    def _settled(self, state: Verification | None, fault: str) -> Verification | None:
        """A comparison that says it goes on when its process has ended has failed."""
        if state is None or not state.scheduled or state.outcome is not Outcome.RUNNING:
            return None
        return ended(state, Report(), self._now(), fault=fault or "its process ended without a word")

    async def _process(self, table: MirroredTable) -> int:
        """The exit code."""
        rule = table.rule.verify
        assert rule is not None
        task = {
            "settings": dict(self._settings()),
            "database": table.database,
            "schema": table.relation.schema,
            "table": table.relation.name,
            "sample": rule.sample,
            "since": scope_of(rule).since,
            "repair": rule.repair,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", MODULE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            assert process.stdin is not None
            with contextlib.suppress(ConnectionError):
                process.stdin.write(json.dumps(task).encode() + b"\n")
                await process.stdin.drain()  # and stays open: its end tells the process to end
            return await process.wait()
        except BaseException:
            await _end(process)
            raise


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(END_PATIENCE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _began(state: Verification | None) -> datetime | None:
    return None if state is None else state.scheduled_at
