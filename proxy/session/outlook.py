"""What a session may have served now: its settings, its own commits, what else stands in its transaction. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Final

from proxy.serve.candidates import UNKNOWN, Reading, reading_of
from proxy.serve.settings import QUERY, REPORTED, Known, known, reported
from proxy.session.answers import FAILED_STATUS, IDLE_STATUS, goes_on
from proxy.session.expected import Owed
from proxy.session.queries import OWN
from proxy.session.requests import CapturingRelay
from proxy.sql.model import Analysis
from proxy.translate.api import SessionSettings
from proxy.wire import messages, rewriting

if TYPE_CHECKING:
    from proxy.admin.counters import Counters
    from proxy.mirror.port import MirrorPort
    from proxy.serve.port import ServePort
    from proxy.session.capture import CaptureOwner
    from proxy.session.plan import Step
    from proxy.session.plans import SessionPlans
    from proxy.session.prepared import Prepared

SETTINGS_AGE: Final = 60.0
"""Seconds after which a session's settings are asked for again: a reload of the server's configuration tells nobody."""

BLOCK_STATUS: Final = ord("T")

OTHER_SIDE: Final = "its transaction reads from PostgreSQL"
OWN_WRITES: Final = "the store does not have the session's own writes yet"
UNASKED: Final = "the session's settings are not known"
NOTIFIED: Final = "the session was notified of what the store may not have"
PREPARED: Final = "the session has decided about a prepared transaction"
BACKLOG: Final = "the client does not take its results"
ROLE: Final = "the session's role is not known"
SHARE: Final = "the session is not among those whose reads are served"

_SWALLOW: Final = b""

NOTHING_KNOWN: Final = Known({}, "", False, (), False, SessionSettings(), UNASKED, UNASKED, 0.0)
"""Where the question was not answered: it is asked again only after a while."""


class Outlook(CapturingRelay):
    """Follows what decides whether reads of the session may be served."""

    __slots__ = (
        "_apart",
        "_asked_at",
        "_asking",
        "_epoch",
        "_floor",
        "_known",
        "_never",
        "_on",
        "_own_version",
        "_pending",
        "_port",
        "_readable",
        "_thrown",
        "_trials",
    )

    def __init__(
        self,
        owner: CaptureOwner,
        counters: Counters,
        plans: SessionPlans,
        mirror: MirrorPort,
        port: ServePort,
        *,
        status: int,
        high_water: int,
        thrown: float,
    ) -> None:
        """`thrown`: the session's throw of the die, from 0 to 1; it keeps it."""
        super().__init__(owner, counters, plans, mirror, status=status, high_water=high_water)
        self._port = port
        self._thrown = thrown
        self._on = False
        """Whether anything of the session's database may be served to it."""
        self._known: Known | None = None
        """The settings; None: not known, or not any more."""
        self._asked_at = 0.0
        self._asking = False
        self._readable = False
        """Whether the block was begun as one that may read from the store."""
        self._apart = False
        """Whether it, or what is not in a block, has done something else on PostgreSQL."""
        self._own_version = 0
        """Of the session's last commit."""
        self._pending = 0
        """Commits of the session that the store may not have."""
        self._floor = 0
        """The newest version of those."""
        self._epoch = 0
        self._never = ""
        """Why nothing is served to this session any more."""
        self._trials: list[tuple[Prepared, tuple[object, ...]]] = []
        """Prepared reads that the server is about to accept again, with their relations as they are."""
        self._looks[messages.NOTIFICATION_RESPONSE] = self._notified

    # Whether anything is served at all.

    def reconsider(self) -> None:
        """Rules or catalogue may have changed."""
        ground = self.plans.ground
        served = None if ground is None else ground.served
        on = served is not None and self._thrown < served.share
        if on is self._on:
            return
        self._on = on
        if on:
            self._known = None
            self._readable = False
            self._apart = self.status != IDLE_STATUS or self._expected.head is not None
            self._forget_pending()
            if self._own_version:
                self._pending, self._floor = 1, self._own_version
            self._looks[messages.READY_FOR_QUERY] = self._serve_ready
            self._looks[messages.ERROR_RESPONSE] = self._serve_error
            self._looks[messages.DATA_ROW] = self._serve_row
            self._looks[messages.PARAMETER_STATUS] = self._serve_parameter
        else:
            self._stored = None
        self._switched()

    def _switched(self) -> None:
        """Serving has been turned on or off."""
        raise NotImplementedError

    def _reading(self, text: bytes) -> Reading:
        plans = self.plans
        ground = plans.ground
        if ground is None or ground.served is None:
            return UNKNOWN
        shelf = plans.shelf
        if shelf is None or shelf.ground is not ground:
            plans.plan(text)
            shelf = plans.shelf
            assert shelf is not None
        found = shelf.readings.get(text)
        if found is None:
            found = self._looked_at(text)
            shelf.readings.put(text, found, len(text))
        return found

    def _looked_at(self, text: bytes) -> Reading:
        plans = self.plans
        ground = plans.ground
        if plans.codec is None or ground is None or ground.served is None:
            return UNKNOWN
        if len(text) > plans.shared.max_statement:
            return UNKNOWN
        try:
            decoded = text.decode(plans.codec)
        except UnicodeDecodeError:
            return UNKNOWN
        analysis = plans.shared.analyses.get(decoded)
        if not isinstance(analysis, Analysis):
            return UNKNOWN
        return reading_of(decoded, analysis, ground, ground.served, plans.identity)

    def _hindrance(self, reading: Reading) -> str:
        """Why a read is not served to this session now; empty: it may be, as far as the session goes."""
        if reading.reason:
            return reading.reason
        if self._never:
            return self._never
        block = self._in_block()
        if block and (not self._readable or self._apart or self.status == FAILED_STATUS):
            return OTHER_SIDE
        if self._pending and not self._caught_up():
            return OWN_WRITES
        if self._thrown >= reading.share:
            return SHARE
        known = self._known
        if known is None:
            return UNASKED
        if known.obstacle:
            return known.obstacle
        if block and known.block_obstacle:
            return known.block_obstacle
        if known.user not in self.plans.identity.roles:
            return ROLE
        if self._owner.client_backlog() > self.high_water:
            return BACKLOG
        return ""

    def _in_block(self) -> bool:
        """Whether what is read now stands in a transaction block, one that is only about to begin included."""
        return self.status != IDLE_STATUS or self._readable

    def _obstacle(self, reading: Reading, types: tuple[int, ...]) -> str:
        """The same, as far as can be told before it is run."""
        path = self.plans.identity.path
        return (
            self._hindrance(reading)
            or self._port.supported(self.database, reading.text, types, path or ())
            or self._port.open(self.database, reading.tables)
        )

    def _note_sent(self, reading: Reading) -> None:
        """A text goes to PostgreSQL."""
        if not reading.keeps_settings:
            self._known = None
        if reading.begins:
            self._readable = reading.keeps_block
        elif not reading.keeps_block:
            self._apart = True

    # The session's own commits.

    def _caught_up(self) -> bool:
        """Whether the store has all that the session has committed, by what the mirror still holds."""
        oldest = self.mirror.watermark(self.database)
        if oldest is not None and oldest <= self._floor:
            return False
        self._forget_pending()
        return True

    def _forget_pending(self) -> None:
        self._epoch += 1
        self._pending = self._floor = 0
        self._stored = self._storing(self._epoch)

    def _storing(self, epoch: int) -> Callable[[], None]:
        def stored() -> None:
            if epoch == self._epoch:
                self._pending -= 1

        return stored

    def _commit(self) -> None:
        tx = self.transaction
        if tx is not None and not tx.empty:
            self._own_version = max(self._own_version, tx.version)
            if self._on:
                self._pending += 1
                self._floor = max(self._floor, tx.version)
        super()._commit()

    def _park(self, gid: str) -> None:
        self._never = PREPARED
        super()._park(gid)

    def _done(self, step: Step, tag: bytes) -> None:
        if tag in (b"COMMIT PREPARED", b"ROLLBACK PREPARED"):
            self._never = PREPARED
        super()._done(step, tag)

    # Its settings.

    def _must_ask(self) -> bool:
        """Whether the settings are being asked for, and the message at hand waits for them.

        Only between transactions, and while the server owes nothing.
        """
        if self._known is not None and monotonic() - self._asked_at < SETTINGS_AGE:
            return False
        if self.status != IDLE_STATUS or self._busy() or self._unsynced:
            return False
        self._ask(OWN + b"_settings", QUERY)
        self._known = None
        self._asked_at = monotonic()
        self._asking = True
        return True

    def _busy(self) -> bool:
        """Whether the server owes something."""
        return self._expected.head is not None or self._skipping or self.copying or self._acking > 0

    def _hidden(self) -> bool:
        """Whether the server's next message answers a question of ours that stands by itself."""
        head = self._expected.head
        return self._asking and head is not None and head.hidden

    # What the server says.

    def _serve_row(self, data: bytes, position: int, end: int) -> bytes | None:
        if self._hidden():
            told = self._known = known(rewriting.values_of(data[position:end]))
            if told is not None:
                self.plans.learned(told.path)
            return _SWALLOW
        return self._row(data, position, end)

    def _serve_error(self, data: bytes, position: int, end: int) -> bytes | None:
        hidden = self._hidden() and goes_on(data[position + 5 : end])
        answer = self._error(data, position, end)
        return _SWALLOW if hidden else answer

    def _serve_parameter(self, data: bytes, position: int, end: int) -> bytes | None:
        if self._known is not None:
            name, _, value = data[position + 5 : end - 1].partition(b"\x00")
            text = name.decode("ascii", "replace")
            if text in REPORTED:
                self._known = reported(self._known, text, value.decode("utf-8", "replace"))
        return self._parameter(data, position, end)

    def _notified(self, data: bytes, position: int, end: int) -> bytes | None:
        """NotificationResponse: it may speak of what the store does not have yet."""
        self._never = NOTIFIED
        return None

    def _serve_ready(self, data: bytes, position: int, end: int) -> bytes | None:
        head = self._expected.head
        if head is not None and head.hidden and head.owed is Owed.SYNC:
            if self._asking:
                self._expected.popleft()
                self._asking = self._failed = False
                self._known = self._known or NOTHING_KNOWN
                return _SWALLOW
            return self._hidden_ready(data, position, end)
        failed = self._failed
        answer = self._ready(data, position, end)
        self._note_ready(failed=failed)
        return answer

    def _note_ready(self, *, failed: bool) -> None:
        if self.status == IDLE_STATUS:
            self._readable = self._apart = False
        elif self.status == FAILED_STATUS:
            self._apart = True
        if self._trials:
            if not failed:
                for prepared, versions in self._trials:
                    prepared.versions = versions
            self._trials.clear()

    def _hidden_ready(self, data: bytes, position: int, end: int) -> bytes | None:
        """The answer to a Sync of ours."""
        raise NotImplementedError
