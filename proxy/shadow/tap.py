"""The tap of one session: which of its reads are sampled, and the replies to those as they pass. No I/O.

An unsampled read costs the throw of a die. A sampled one costs a look at its text, and its rows are kept as they come,
in pieces, up to the limits of its tables' rules.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Final, Protocol

from proxy.session.plans import SessionPlans
from proxy.shadow.candidates import Candidate, candidate
from proxy.shadow.outcomes import Done, Outcome
from proxy.shadow.sample import REPORTED, SampledRead
from proxy.sql.model import Analysis
from proxy.wire import rewriting

FOLLOWED = frozenset({"extra_float_digits", "bytea_output"})
"""Settings that no server reports, and that are believed when the session is seen to set them."""

TEMPORARY = "the session may have temporary tables"
WRITTEN = "its transaction has written"

_NO_READ: Final = Candidate((), 0.0)
"""Kept for texts that are no candidates."""


class ShadowPort(Protocol):
    """The shadow, as sessions know it. Every call returns at once."""

    def admit(self, database: str, found: Candidate) -> bool:
        """Whether there is room for one more read; if not, that is counted."""

    def submit(self, read: SampledRead, found: Candidate) -> None:
        """In a later turn of the event loop the read goes on its way."""

    def release(self, database: str, found: Candidate) -> None:
        """The room is not needed after all."""

    def count(self, done: Done) -> None:
        """A read that is not handed on."""


class Tap:
    """One sampled read, while its reply passes."""

    __slots__ = (
        "_began",
        "_bind",
        "_chunks",
        "_described",
        "_given_up",
        "_limits",
        "_over",
        "_size",
        "_text",
        "_types",
        "candidate",
        "session",
    )

    def __init__(
        self, session: SessionTap, found: Candidate, text: bytes, types: bytes, bind: bytes | None
    ) -> None:
        self.session = session
        self.candidate = found
        self._text = text
        self._types = types
        self._bind = bind
        self._limits = found.limits
        self._chunks: list[bytes] = []
        self._size = 0
        self._described: bytes | None = None
        self._given_up = ""
        self._over = False
        self._began = perf_counter()

    def described(self, message: bytes) -> None:
        """The RowDescription."""
        self._described = message

    def keep(self, rows: bytes) -> None:
        """Bytes of DataRow messages, in order."""
        if self._given_up or self._over:
            return
        self._size += len(rows)
        if self._size > self._limits.max_bytes:
            self._chunks.clear()
            self._given_up = "the result is larger than max_bytes"
        else:
            self._chunks.append(rows)

    def complete(self, tag: bytes) -> None:
        """CommandComplete: the whole reply has passed."""
        if self._over:
            return
        self._over = True
        seconds = perf_counter() - self._began
        verb, _, count = tag.partition(b" ")
        if verb != b"SELECT" or not count.isdigit():
            self.session.skip(self, "a reply that is not that of a SELECT")
        elif int(count) > self._limits.max_rows:
            self.session.skip(self, "the result has more rows than max_rows")
        elif self._given_up:
            self.session.skip(self, self._given_up)
        else:
            self._submit(int(count), seconds, partial=False)

    def _submit(self, count: int, seconds: float, *, partial: bool) -> None:
        read = self._read(count, seconds, partial)
        if read is None:
            self.session.skip(self, "a message that cannot be read")
        else:
            self.session.submit(self, read)

    def partial(self) -> None:
        """PortalSuspended: the client has as many rows as it wanted, of a result that may have more.

        Drivers ask for one row this way (asyncpg's `fetchrow`); what is taken later is not looked at.
        """
        if self._over:
            return
        self._over = True
        count = number_of(self._chunks)
        if count > self._limits.max_rows:
            self.session.skip(self, "the result has more rows than max_rows")
        elif self._given_up:
            self.session.skip(self, self._given_up)
        else:
            self._submit(count, perf_counter() - self._began, partial=True)

    def failed(self) -> None:
        """The server has answered otherwise: there is nothing to compare."""
        if self._over:
            return
        self._over = True
        self._chunks.clear()
        self.session.forget(self)

    def _read(self, count: int, seconds: float, partial: bool) -> SampledRead | None:
        parameters: tuple[bytes | None, ...] = ()
        formats: tuple[int, ...] = ()
        results: tuple[int, ...] = ()
        try:
            text = self._text.decode()
            types = struct.unpack_from(f"!{struct.unpack_from('!H', self._types)[0]}I", self._types, 2)
            if self._bind is not None:
                given = rewriting.bind_parameters(self._bind)
                parameters = tuple(value for _, value in given)
                formats = tuple(code for code, _ in given)
                results = rewriting.bind_results(self._bind)
        except (UnicodeDecodeError, struct.error, rewriting.MalformedMessage):
            return None
        plans = self.session.plans
        path = plans.identity.path
        assert path is not None
        return SampledRead(
            number=0,
            database=plans.database,
            user=next(iter(plans.identity.roles)),
            text=text,
            search_path=path,
            tables=self.candidate.names,
            limits=self._limits,
            settings=tuple(sorted(self.session.settings.items())),
            description=self._described,
            rows=b"".join(self._chunks),
            count=count,
            partial=partial,
            seconds=seconds,
            parameter_types=types,
            parameters=parameters,
            formats=formats,
            result_formats=results,
        )


def number_of(chunks: list[bytes]) -> int:
    """How many DataRow messages these bytes are, one piece behind the other."""
    rows = b"".join(chunks)
    count = position = 0
    while position + 5 <= len(rows):
        position += 1 + int.from_bytes(rows[position + 1 : position + 5], "big")
        count += 1
    return count


class SessionTap:
    """Belongs to one capturing relay."""

    __slots__ = ("_dice", "_temporary", "plans", "port", "settings")

    def __init__(
        self,
        plans: SessionPlans,
        port: ShadowPort,
        parameters: Mapping[str, str],
        *,
        options: str = "",
        dice: Callable[[], float] = random.random,
    ) -> None:
        """`parameters`: what the server has reported at login; `options`: of the StartupMessage."""
        self.plans = plans
        self.port = port
        self.settings = {name: parameters[name] for name in REPORTED if name in parameters}
        self._dice = dice
        self._temporary = False
        """Whether the session may have temporary tables: their names go before all others."""
        for name in FOLLOWED:
            if name in parameters:
                self.settings[name] = parameters[name]
            elif name in options:
                self.settings[name] = "?"

    def query(self, text: bytes, *, apart: bool) -> Tap | None:
        """A simple query that only reads, as it goes to the server.

        `apart`: it does not stand in a transaction that has written.
        """
        return self._tapped(text, b"\x00\x00", None, apart)

    def bound(self, text: bytes, types: bytes, bind: bytes, *, apart: bool) -> Tap | None:
        """A Bind of such a statement; `types` as in its Parse."""
        return self._tapped(text, types, bind, apart)

    def _tapped(self, text: bytes, types: bytes, bind: bytes | None, apart: bool) -> Tap | None:
        ground = self.plans.ground
        if ground is None or ground.dark is None:
            return None
        thrown = self._dice()
        if thrown >= ground.dark.share:
            return None
        found = self._candidate(text)
        if found is None or thrown >= found.share:
            return None
        if found.reason or self._temporary or not apart:
            reason = found.reason or (TEMPORARY if self._temporary else WRITTEN)
            self.port.count(self._skipped(found, reason))
            return None
        if not self.port.admit(self.plans.database, found):
            return None
        return Tap(self, found, text, types, bind)

    def _candidate(self, text: bytes) -> Candidate | None:
        plans = self.plans
        shelf = plans.shelf
        ground = plans.ground
        if shelf is None or ground is None or ground.dark is None or plans.codec is None:
            return None
        known = shelf.reads.get(text)
        if known is None:
            known = _NO_READ
            if len(text) <= plans.shared.max_statement:
                try:
                    analysis = plans.shared.analyses.get(text.decode(plans.codec))
                except UnicodeDecodeError:
                    analysis = None
                if isinstance(analysis, Analysis):
                    known = candidate(analysis, ground, ground.dark, plans.identity) or _NO_READ
            shelf.reads.put(text, known, len(text))
        assert isinstance(known, Candidate)
        return known if known.tables else None

    def submit(self, tap: Tap, read: SampledRead) -> None:
        self.port.submit(read, tap.candidate)

    def skip(self, tap: Tap, reason: str) -> None:
        self.port.release(self.plans.database, tap.candidate)
        self.port.count(self._skipped(tap.candidate, reason))

    def forget(self, tap: Tap) -> None:
        self.port.release(self.plans.database, tap.candidate)

    def _skipped(self, found: Candidate, reason: str) -> Done:
        return Done(0, self.plans.database, found.names, Outcome.SKIPPED, reason)

    # What the session does.

    def reported(self, name: bytes, value: bytes) -> None:
        """A ParameterStatus."""
        text = name.decode("ascii", "replace")
        if text in REPORTED:
            self.settings[text] = value.decode("utf-8", "replace")

    def set(self, name: str, value: tuple[str, ...] | None) -> None:
        """A SET or RESET has succeeded."""
        if name in FOLLOWED:
            self.settings[name] = value[0] if value else "?"

    def defined(self, tag: str) -> None:
        """DDL on something of the name of a mirrored table has succeeded: it may have been TEMPORARY."""
        if tag.startswith(("CREATE", "SELECT")):
            self._temporary = True

    def discarded(self) -> None:
        """DISCARD ALL: no temporary table is left."""
        self._temporary = False
