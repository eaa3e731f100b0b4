"""The rules in force and how they are replaced while the proxy runs.

A `RuleBook` holds one complete RuleSet at a time. A `RuleWatcher` loads the files again when they change, when a
ConfigMap's `..data` link is swapped or when it is told to (SIGHUP); only a set without any problem takes the place
of the one before, and a statement that runs keeps the set it began with.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from watchfiles import awatch

from proxy.admin.counters import Counters
from proxy.logs import EventLogger, get_logger
from proxy.phases import Phase
from proxy.rulefiles.watchpoints import Survey, survey
from proxy.rules import DEFAULT_MAX_RULES_SIZE, RulesError, RuleSet, load_rules

log = get_logger(__name__)

Outcome = Literal["applied", "unchanged", "rejected"]
Subscriber = Callable[[RuleSet, RuleSet], None]
"""Called with (old, new) on the event loop, after `RuleBook.current` is the new one. Must not block."""

DEFAULT_POLL_INTERVAL = 2.0
"""Seconds between looks at the files beside the notifications, which network file systems do not send."""
QUIET_MS = 50
"""A burst of changes is over when nothing has happened for so long ..."""
LONGEST_WAIT_MS = 1000
"""... and is not waited for any longer than this."""
LOAD_ATTEMPTS = 5
"""How often files that change while they are read are read again at once."""
PROBLEMS_LOGGED = 20
"""Problems of one rejected load that get a line of their own in the log; all are in the error."""


class RuleBook:
    """The rules in force, and what is wrong with those that were to replace them. Belongs to one event loop."""

    def __init__(self, rules: RuleSet | None = None, *, loaded_at: datetime | None = None) -> None:
        self._current = rules if rules is not None else RuleSet()
        self._loaded_at = loaded_at or datetime.now(UTC)
        self._error: RulesError | None = None
        self._subscribers: list[Subscriber] = []

    @property
    def current(self) -> RuleSet:
        return self._current

    @property
    def error(self) -> RulesError | None:
        """Why the files as they are now are not in force; None once they are."""
        return self._error

    @property
    def loaded_at(self) -> datetime:
        """When the files were last found good, UTC."""
        return self._loaded_at

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Have `callback` called when other rules take force. The function returned ends that."""
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    def accept(self, rules: RuleSet) -> Outcome:
        """Put `rules` in force. Subscribers hear of it only if they say something else than before.

        Every subscriber is called; what they raise comes as one ExceptionGroup once the rules are in force.
        """
        old, self._current = self._current, rules
        self._error = None
        self._loaded_at = datetime.now(UTC)
        if rules == old:
            return "unchanged"
        failures: list[Exception] = []
        for callback in tuple(self._subscribers):
            try:
                callback(old, rules)
            except Exception as error:  # noqa: BLE001 - raised below, when all have been told
                failures.append(error)
        if failures:
            raise ExceptionGroup("subscribers to the rules failed", failures)
        return "applied"

    def reject(self, error: RulesError) -> Outcome:
        """Keep what is in force and remember why."""
        self._error = error
        return "rejected"


class RuleWatcher:
    """Keeps a RuleBook up to date with the files of `path`. Belongs to the book's event loop."""

    def __init__(
        self,
        book: RuleBook,
        path: Path | str,
        counters: Counters,
        *,
        max_size: int = DEFAULT_MAX_RULES_SIZE,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        log: EventLogger = log,
    ) -> None:
        self._book = book
        self._path = path
        self._counters = counters
        self._max_size = max_size
        self._poll_interval = poll_interval
        self._log = log
        self._loading = asyncio.Lock()
        self._seen: Survey | None = None
        """The files as they were at the last load by this watcher."""
        self._polling = False
        self.watching = asyncio.Event()
        """Set while every change is told of at once."""

    @property
    def polling(self) -> bool:
        """Whether changes are looked for at intervals because the system refuses to tell of them."""
        return self._polling

    async def run(self) -> None:
        """Load whenever the files have changed, until cancelled."""
        self._log.info("rules_loaded", **_summary(self._book.current))
        self._say_phases(RuleSet(), self._book.current)
        while True:
            now = await asyncio.to_thread(survey, self._path)
            if self._seen is None or now.files != self._seen.files:
                await self._load(asked=self._seen is not None)
                continue
            try:
                await self._changed(now)
            except FileNotFoundError:
                pass  # a directory went while the watch was set up: survey again, but not in a tight loop
            except (
                OSError,
                RuntimeError,
            ) as error:  # no watch to be had: watchfiles reports limits as either
                if not self._polling:
                    self._log.warning("rules_polled", reason=str(error), seconds=self._poll_interval)
                self._polling = True
            else:
                self._polling = False
                continue
            await asyncio.sleep(self._poll_interval)

    async def reload(self) -> Outcome:
        """Load now, changed or not; for SIGHUP."""
        return await self._load(asked=True)

    async def _changed(self, known: Survey) -> None:
        """Return once the files or the directories to watch are no longer as `known`."""
        watch = awatch(
            *sorted(path for path, _, _ in known.directories),
            watch_filter=None,
            recursive=False,
            step=QUIET_MS,
            debounce=LONGEST_WAIT_MS,
            rust_timeout=max(1, round(self._poll_interval * 1000)),
            yield_on_timeout=True,
        )
        async with aclosing(watch):
            news = asyncio.create_task(_next(watch))
            try:
                await asyncio.sleep(
                    0
                )  # awatch sets up the watch in its first step; what came before it is seen here
                while await asyncio.to_thread(survey, self._path) == known:
                    if not news.done():
                        self.watching.set()
                    await news
                    news = asyncio.create_task(_next(watch))
            finally:
                self.watching.clear()
                news.cancel()
                await asyncio.wait({news})
                if not news.cancelled():
                    news.exception()  # what is known by now does not matter any more

    async def _load(self, *, asked: bool) -> Outcome:
        async with self._loading:
            self._seen, loaded = await asyncio.to_thread(_load_unmixed, self._path, self._max_size)
            outcome = (
                self._reject(loaded) if isinstance(loaded, RulesError) else self._accept(loaded, asked=asked)
            )
            if asked or outcome != "unchanged":
                self._counters.reloads[outcome] += 1
            return outcome

    def _accept(self, rules: RuleSet, *, asked: bool) -> Outcome:
        old, repaired = self._book.current, self._book.error is not None
        try:
            outcome = self._book.accept(rules)
        except ExceptionGroup as failures:
            outcome = "applied"
            for failure in failures.exceptions:
                self._log.exception("rules_subscriber_failed", failure)
        if outcome == "applied":
            self._log.info("rules_applied", previous=old.digest, **_summary(rules))
            self._say_phases(old, rules)
        elif repaired:
            self._log.info("rules_repaired", **_summary(rules))
        elif asked:
            self._log.info("rules_unchanged", **_summary(rules))
        return outcome

    def _reject(self, error: RulesError) -> Outcome:
        outcome = self._book.reject(error)
        kept = self._book.current
        self._log.error(
            "rules_rejected", problems=len(error.problems), kept=kept.digest, tables=len(kept.tables)
        )
        for problem in error.problems[:PROBLEMS_LOGGED]:
            self._log.error(
                "rules_problem",
                file=problem.file,
                line=problem.line,
                column=problem.column,
                key_path=problem.key_path,
                problem=problem.message,
                hint=problem.hint,
            )
        for limit in {problem.limit for problem in error.problems if problem.limit}:
            self._counters.limits_reached[limit] += 1
        return outcome

    def _say_phases(self, old: RuleSet, new: RuleSet) -> None:
        """One line for each table whose phase is another than before."""
        for name, rule in new.tables.items():
            before = old.tables.get(name)
            if before is not None and (before.holding, before.force) == (rule.holding, rule.force):
                continue
            if before is None and rule.phase is Phase.PASSTHROUGH:
                continue
            say = self._log.warning if rule.holding.held or rule.force else self._log.info
            say(
                "table_phase",
                table=str(name),
                requested=str(rule.phase),
                effective=str(rule.effective),
                reasons=rule.holding.reasons,
                force=rule.force,
                rule=str(rule.place),
            )
        for name, rule in old.tables.items():
            if name not in new.tables and rule.phase is not Phase.PASSTHROUGH:
                self._log.warning("table_without_rule", table=str(name), before=str(rule.effective))


def _summary(rules: RuleSet) -> dict[str, object]:
    held = sum(rule.holding.held for rule in rules.tables.values())
    return {"digest": rules.digest, "source": rules.source, "tables": len(rules.tables), "held": held}


def _load_unmixed(path: Path | str, max_size: int) -> tuple[Survey, RuleSet | RulesError]:
    """Load files that did not change meanwhile: no mixture of two states of a directory.

    Where they never hold still, the last state read counts; the survey returned then differs from the next one.
    """
    for _ in range(LOAD_ATTEMPTS):
        before = survey(path)
        loaded: RuleSet | RulesError
        try:
            loaded = load_rules(path, max_size=max_size)
        except RulesError as error:
            loaded = error
        if survey(path).files == before.files:
            break
    return before, loaded


async def _next(watch: AsyncGenerator[object, None]) -> None:
    await anext(watch)
