"""The effects of one transaction of a session, until PostgreSQL has decided about it. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.mirror.effects import Effect, Image, TableId, Truncation, Unseen
from proxy.mirror.tides import Tide
from proxy.mirror.versions import MAX_LSN, MAX_TIMELINE, VersionOverflow, pack

EFFECT_OVERHEAD = 120
"""Bytes of memory counted for an effect beside its record."""

_MIN_HEADER = 80


def table_of(record: bytes) -> bytes:
    """The relation an image was written to: its oid as four bytes, most significant first.

    This and the two below rely on what leads every image that PostgreSQL returned to a write: tableoid, pg_lsn, the
    24 characters of a WAL file's name, xid8; none of them NULL, each behind its type's oid and its length, behind
    the number of fields.
    """
    return record[12:16]


def version_of(record: bytes) -> int:
    """The version of an image. VersionOverflow beyond what a version has room for; ValueError if it has none."""
    lsn = int.from_bytes(record[24:32])
    timeline = _timelines.get(record[40:48])
    if timeline is not None and lsn <= MAX_LSN:
        return timeline | lsn
    if len(record) < _MIN_HEADER:
        raise ValueError(f"an image of {len(record)} bytes has no header")
    version = pack(int(record[40:48], 16), lsn)
    if len(_timelines) <= MAX_TIMELINE:
        _timelines[record[40:48]] = version - lsn
    return version


_timelines: dict[bytes, int] = {}
"""Versions of position 0 by the hexadecimal digits of their timelines."""


def xid_of(record: bytes) -> int:
    """The transaction that wrote an image, as pg_current_xact_id gave it."""
    return int.from_bytes(record[72:80])


class UnknownSavepoint(LookupError):
    """A savepoint that PostgreSQL took and this transaction does not have: their stories differ (SQLSTATE 3B001)."""


class Transaction:
    """Effects in the order they happened, and the savepoints between them.

    Made by `MirrorPort.begin`, handed back by exactly one of `committed`, `aborted`, `doubtful` and `prepared`.
    """

    __slots__ = (
        "_savepoints",
        "_version",
        "cut",
        "database",
        "disk",
        "effects",
        "entry",
        "floor",
        "lapsed",
        "main",
        "parts",
        "size",
        "spooled",
        "stored",
        "tables",
        "tide",
        "xid",
    )

    def __init__(self, database: str, floor: int = 0) -> None:
        self.database = database
        self.floor = floor
        """A version that no image of the transaction can be older than."""
        self.effects: list[Effect] = []
        """Those in memory: all but the first `spooled`."""
        self.spooled = 0
        """How many effects were moved to the spool."""
        self.size = 0
        """Bytes of memory that `effects` take, about."""
        self.xid: int | None = None
        """Of the transaction itself, never of a savepoint, as the first image had it; None where there was none."""
        self._version = 0
        self._savepoints: list[tuple[str, int]] = []
        # what the mirror keeps with it
        self.entry = 0
        """Number of its entry in the spool; 0: none."""
        self.disk = 0
        """Bytes its entry and parts count for in the spool."""
        self.stored = 0
        """How many effects the entry holds, those of `spooled` among them."""
        self.main = 0
        """Bytes that the entry itself counts for."""
        self.parts: list[tuple[int, int]] = []
        """Of every part in the spool, the number of the first effect in it, and the bytes it counts for."""
        self.tables: set[TableId] = set()
        """Of the effects in the parts."""
        self.tide: Tide | None = None
        """Where its version is counted among those that are held."""
        self.cut: int | None = None
        """Parts from this effect on were rolled back and must leave the spool."""
        self.lapsed: set[TableId] = set()
        """Tables for which gaps were recorded because their effects could not be brought to disk; if there are any,
        nothing more of the transaction is written before its commit."""

    @property
    def empty(self) -> bool:
        return not self.effects and not self.spooled

    @property
    def version(self) -> int:
        """Of the oldest image or TRUNCATE it ever held; `floor` where there was none."""
        return self._version or self.floor

    def add(self, effects: Sequence[Effect]) -> None:
        self.effects += effects
        for effect in effects:
            if type(effect) is Image:
                self.size += len(effect.record) + EFFECT_OVERHEAD
                if self.xid is None:
                    self.xid = xid_of(effect.record)
                    self._seen(effect.record)
            else:
                self.size += EFFECT_OVERHEAD
                if type(effect) is Truncation and not self._version:
                    self._version = effect.version

    def _seen(self, record: bytes) -> None:
        """Take the first image's version; one that has none is told of where it is decoded."""
        try:
            version = version_of(record)
        except (ValueError, VersionOverflow):
            return
        if not self._version or version < self._version:
            self._version = version

    def savepoint(self, name: str) -> None:
        """SAVEPOINT: one of the same name is hidden until this one is gone."""
        self._savepoints.append((name, self.spooled + len(self.effects)))

    def release(self, name: str) -> None:
        """RELEASE SAVEPOINT: it and all younger ones go, their effects stay."""
        del self._savepoints[self._find(name) :]

    def rollback_to(self, name: str) -> None:
        """ROLLBACK TO SAVEPOINT: the effects since then go, and all younger savepoints; itself it stays."""
        index = self._find(name)
        position = self._savepoints[index][1]
        del self._savepoints[index + 1 :]
        if position >= self.spooled:
            del self.effects[position - self.spooled :]
            self._remeasure()
        else:
            self.effects.clear()
            self.size = 0
            self.spooled = position
        if position < self.stored:
            self.stored = position
            self.cut = position if self.cut is None else min(self.cut, position)

    def boundaries(self) -> list[int]:
        """Of the effects in memory, the numbers at which a savepoint stands: parts must not reach over them."""
        return sorted({position for _, position in self._savepoints if position > self.spooled})

    def moved(self) -> None:
        """All effects are in the spool; forget them."""
        self.spooled += len(self.effects)
        self.stored = self.spooled
        self.effects = []
        self.size = 0

    def give_up(self) -> None:
        """The images and truncations in memory were recorded as gaps; forget them."""
        self.effects = [effect for effect in self.effects if type(effect) is Unseen]
        self._savepoints = [(name, min(place, self.spooled)) for name, place in self._savepoints]
        self._remeasure()

    def lost(self) -> None:
        """Nothing of it is in the spool any more."""
        self._savepoints = [(name, max(0, place - self.spooled)) for name, place in self._savepoints]
        self.entry = self.disk = self.main = self.stored = self.spooled = 0
        self.parts = []
        self.cut = None

    def _find(self, name: str) -> int:
        for index in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[index][0] == name:
                return index
        raise UnknownSavepoint(f"there is no savepoint {name!r} in the transaction")

    def _remeasure(self) -> None:
        self.size = sum(
            len(effect.record) + EFFECT_OVERHEAD if type(effect) is Image else EFFECT_OVERHEAD
            for effect in self.effects
        )
