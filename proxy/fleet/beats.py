"""What a proxy says of itself in its heartbeat document, and what can be concluded from those of a fleet. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from proxy.fleet.standings import MAX_STANDINGS, Standing, parse_standing
from proxy.mirror.effects import TableId

PROXY = "proxy"
"""The role of a process that serves clients; others read the source and write to the store without capturing."""

NO_VERSIONS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class TableFact:
    """One table that a proxy mirrors."""

    database: str
    table: TableId
    phase: str
    durability: str
    """`strict` or `fast`."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One heartbeat of one proxy process."""

    proxy: str
    """Stays the same over restarts with the same spool."""
    incarnation: str
    """Another one with every start of the process."""
    number: int
    """Rises by one with every beat of the incarnation."""
    started: datetime
    at: datetime
    """By the clock of the proxy: for people, never to be compared."""
    group: str = ""
    """The same for the processes that share a spool directory: what one has left, another may take over."""
    version: str = ""
    """Of Causeway."""
    rules: str = ""
    """Digest."""
    tables: tuple[TableFact, ...] = ()
    queued: int = 0
    """Images waiting for the store."""
    gaps: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    """(database, table) -> open gaps that are not in the ledger yet."""
    passed: Mapping[str, int] = field(default_factory=lambda: NO_VERSIONS)
    """Database -> a version. Every write of this process to the store that rests on what the source held at that
    version or before has been carried out."""
    clean: bool = False
    """The process has ended and held nothing any more."""
    role: str = PROXY
    """`proxy`, or the command that the process carries out."""
    source: str = ""
    """The system identifier of the PostgreSQL server that the process reads and serves; empty: not known."""
    standings: tuple[Standing, ...] = ()
    """Of tables that are held, or whose reads are compared or served."""
    everywhere: tuple[TableId, ...] = ()
    """Tables that are mirrored in every database as soon as a session is there, where `passed` has all databases that
    sessions are in."""

    def document(self) -> dict[str, Any]:
        """As it is stored; names of databases and tables stand in values, where any character may be."""
        return {
            "incarnation": self.incarnation,
            "number": self.number,
            "started": self.started,
            "at": self.at,
            "group": self.group,
            "version": self.version,
            "rules": self.rules,
            "tables": [
                [fact.database, fact.table.schema, fact.table.name, fact.phase, fact.durability]
                for fact in self.tables
            ],
            "queued": self.queued,
            "gaps": [[database, table, count] for (database, table), count in self.gaps.items()],
            "passed": [[database, version] for database, version in self.passed.items()],
            "clean": self.clean,
            "role": self.role,
            "source": self.source,
            "standings": [standing.values() for standing in self.standings[:MAX_STANDINGS]],
            "everywhere": [[table.schema, table.name] for table in self.everywhere[:MAX_STANDINGS]],
        }


def parse_beat(proxy: str, document: Mapping[str, Any]) -> Beat:
    """The way back. Fields that a newer version has added are left out."""
    return Beat(
        proxy,
        str(document["incarnation"]),
        int(document["number"]),
        document["started"],
        document["at"],
        str(document.get("group", "")),
        str(document.get("version", "")),
        str(document.get("rules", "")),
        tuple(
            TableFact(database, TableId(schema, name), phase, durability)
            for database, schema, name, phase, durability in document.get("tables", ())
        ),
        int(document.get("queued", 0)),
        MappingProxyType({(database, table): count for database, table, count in document.get("gaps", ())}),
        MappingProxyType({database: int(version) for database, version in document.get("passed", ())}),
        bool(document.get("clean", False)),
        str(document.get("role", PROXY)),
        str(document.get("source", "")),
        tuple(map(parse_standing, document.get("standings", ()))),
        tuple(TableId(schema, name) for schema, name in document.get("everywhere", ())),
    )


def concerns(source: str, other: str) -> bool:
    """Whether processes of these two servers are of one fleet. One that does not tell its server counts everywhere."""
    return not source or not other or source == other


@dataclass(slots=True)
class _Seen:
    beat: Beat
    since: float
    """When this very beat was seen first; monotonic, by the observer's clock."""


class Fleet:
    """The heartbeats of all proxies as one of them has read them, and for how long each has been silent.

    Silence is measured by the observer's own clock, from when it saw a beat for the first time: clocks that differ
    and a store that was away make nobody look dead sooner.
    """

    def __init__(self, own: str, source: str = "") -> None:
        self._own = own
        self.source = source
        """The own server's system identifier: proxies of other servers may share the store, and are no concern."""
        self._seen: dict[str, _Seen] = {}
        self.marked: frozenset[str] = frozenset()
        """Proxies that somebody has declared lost: nobody waits for them."""

    def observe(self, beats: Iterable[Beat], marked: Iterable[str], now: float) -> None:
        """Take what the store has now."""
        seen: dict[str, _Seen] = {}
        for beat in beats:
            before = self._seen.get(beat.proxy)
            same = before is not None and (before.beat.incarnation, before.beat.number) == (
                beat.incarnation,
                beat.number,
            )
            seen[beat.proxy] = before if before is not None and same else _Seen(beat, now)
        self._seen = seen
        self.marked = frozenset(marked)

    @property
    def beats(self) -> dict[str, Beat]:
        """By proxy; those that ended and those that are lost among them."""
        return {proxy: seen.beat for proxy, seen in self._seen.items()}

    def others(self) -> list[Beat]:
        """The other proxies that may still write what is read from the same server: running, or ended uncleanly and
        not yet declared lost."""
        return [beat for beat in self._alive() if concerns(self.source, beat.source)]

    def _alive(self) -> list[Beat]:
        return [
            seen.beat
            for proxy, seen in self._seen.items()
            if proxy != self._own and not seen.beat.clean and proxy not in self.marked
        ]

    def siblings(self, group: str) -> list[Beat]:
        """Those that share the spool directory with this one, and may still write."""
        return [beat for beat in self._alive() if beat.group == group]

    def silent(self, now: float, lost_after: float) -> list[Beat]:
        """Those of `others` that have not been heard of for `lost_after` seconds."""
        return [beat for beat in self.others() if now - self._seen[beat.proxy].since >= lost_after]


class Newer:
    """Whether beats were composed wholly after a moment: those after the next of the ones first seen since then."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, int]] = {}

    def is_newer(self, beat: Beat) -> bool:
        first = self._first.setdefault(beat.proxy, (beat.incarnation, beat.number))
        if first[0] != beat.incarnation:
            first = self._first[beat.proxy] = (beat.incarnation, beat.number)
        return beat.number >= first[1] + 2


class Wait:
    """Whether the other proxies have passed a version that was noted before the wait began."""

    def __init__(self, database: str, version: int) -> None:
        self._database = database
        self._version = version
        self._newer = Newer()

    def late(self, others: Iterable[Beat]) -> list[Beat]:
        """Those that have not. `others` was read from the store after the version was noted.

        A proxy that says nothing of the database mirrored none of it as of that beat, but may have begun since; what
        it captures after the version was noted is newer.
        """
        # Each is asked, so that its first beat is known.
        return [beat for beat in others if not self._passed(beat)]

    def _passed(self, beat: Beat) -> bool:
        passed = beat.passed.get(self._database)
        newer = self._newer.is_newer(beat)
        return newer if passed is None else passed >= self._version


class Succession:
    """How far an incarnation may say it has come when the one before it did not end cleanly.

    What that one left in its spool is taken over by whichever process of the group looks for it first, and that one
    may have said already that it had passed it. So the successor says no more than its predecessor did until every
    other process of the group has composed a beat since: by then what was left is held by one that says so.
    """

    def __init__(self, before: Beat) -> None:
        self._ceiling = before.passed
        self.databases = frozenset(before.passed)
        """Those of which something may have been left."""
        self._newer = Newer()
        self._over = False

    def allows(self, passed: Mapping[str, int]) -> Mapping[str, int]:
        """`passed` as it may be said now."""
        if self._over:
            return passed
        told = {
            database: min(version, self._ceiling.get(database, 0)) for database, version in passed.items()
        }
        return {**self._ceiling, **told}

    def look(self, siblings: Iterable[Beat]) -> bool:
        """Whether it is over. `siblings` are the other beats of the group; to be called after each look at them."""
        newer = [self._newer.is_newer(beat) for beat in siblings]
        self._over = self._over or all(newer)
        return self._over
