"""Carries out `causeway phase`: edits, tells, waits, and says what has become of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from proxy.fleet.beats import Beat
from proxy.mirror.effects import TableId
from proxy.names import TableName
from proxy.phases import Phase
from proxy.phasing.choosing import Choice, databases
from proxy.phasing.fleet import Observer
from proxy.phasing.following import Follower, Following, over
from proxy.rulefiles.rewrite import replace_content
from proxy.switch_gates import Judged

LOOK_EVERY = 0.5
"""Seconds between two looks at the fleet."""
MAX_DATABASES = 20
"""Of a rule for every database, whose gates are shown."""


class Outcome(Enum):
    DRY_RUN = "dry_run"
    THERE = "there"
    """Every live proxy has the table in the phase."""
    HELD = "held"
    """Every live proxy has the rules; some hold the table before the phase."""
    LATE = "late"
    """Some proxy had not taken the rules in time."""
    NO_PROXY = "no_proxy"
    """None lives: the next to start reads the files."""
    NO_STORE = "no_store"
    """No store is given, so nobody can be asked."""


@dataclass(slots=True)
class Result:
    """What there is to report."""

    choice: Choice
    phase: Phase
    outcome: Outcome = Outcome.NO_STORE
    followers: list[Follower] = field(default_factory=list)
    silent: frozenset[str] = frozenset()
    let_again: list[TableName] = field(default_factory=list)
    """Tables that had fallen back by themselves."""
    gates: list[tuple[TableName, Judged]] = field(default_factory=list)


async def carry_out(
    choice: Choice,
    phase: Phase,
    observer: Observer | None,
    *,
    dry_run: bool,
    timeout: float,
    silent_after: float,
    say: Callable[[str], None],
) -> Result:
    """`observer` None: no store. Raises CannotWrite, StoreUnavailable, StoreRefused."""
    result = Result(choice, phase)
    beats = [] if observer is None else await observer.proxies()
    names = _names(choice, beats, observer)
    if observer is not None:
        for name in names[:MAX_DATABASES]:
            rule = choice.rules[0]
            judged = await observer.gates(rule, name, phase, beats)
            result.gates += [(name, one) for one in judged]
    if dry_run:
        result.outcome = Outcome.DRY_RUN
        return result
    if choice.edit.changed:
        await asyncio.to_thread(replace_content, choice.file, choice.edit.before, choice.edit.after)
        say(f"{choice.file}:{choice.edit.line}: {choice.edit.new}")
    if observer is None:
        return result
    result.let_again = await observer.let_again(names, choice.after.digest)
    await _follow(result, observer, timeout, silent_after, say)
    return result


def _names(choice: Choice, beats: list[Beat], observer: Observer | None) -> list[TableName]:
    """With their databases, as far as those are known."""
    name = choice.rules[0].name
    found = databases(choice.rules)
    if not found and observer is not None:
        found = observer.met(TableId(name.schema, name.name), beats)
    return [TableName(name.schema, name.name, database) for database in found]


async def _follow(
    result: Result, observer: Observer, timeout: float, silent_after: float, say: Callable[[str], None]
) -> None:
    choice, name = result.choice, result.choice.rules[0].name
    table = TableId(name.schema, name.name)
    following = Following(choice.after.digest, table, databases(choice.rules), result.phase)
    deadline = time.monotonic() + timeout
    while True:
        result.followers = following.look(await observer.proxies())
        result.silent = observer.silent(silent_after)
        taken = [one for one in result.followers if one.taken]
        if not result.followers:
            result.outcome = Outcome.NO_PROXY
            return
        if over(result.followers):
            there = all(one.there for one in result.followers)
            result.outcome = Outcome.THERE if there else Outcome.HELD
            return
        if time.monotonic() >= deadline:
            everybody = len(taken) == len(result.followers)
            result.outcome = Outcome.HELD if everybody else Outcome.LATE
            return
        say(_waiting(result.followers, len(taken)))
        await asyncio.sleep(LOOK_EVERY)


def _waiting(followers: list[Follower], taken: int) -> str:
    late = [one.proxy[:8] for one in followers if not one.taken]
    if late:
        return f"{taken} of {len(followers)} proxies have the rules; waiting for {', '.join(late[:3])}"
    unsettled = [one.proxy[:8] for one in followers if not one.settled]
    return f"all {len(followers)} proxies have the rules; {', '.join(unsettled[:3])} judging the gates"
