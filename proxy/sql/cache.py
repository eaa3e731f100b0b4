"""Analyses of the texts seen last: by text, then by shape, so that texts which differ in constants share one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from types import MappingProxyType
from typing import NamedTuple

from proxy.sql.analysis import Examined, Unparsed, examine
from proxy.sql.bounded import Bounded
from proxy.sql.bulk import Abridged, abridged
from proxy.sql.model import Analysis, Kind, Literal, Statement, Write
from proxy.sql.shapes import Key, Pieces, constant, constants_of, is_certain, key_of, pieces_of, starts_of

LONG_TEXT = 1024
"""Characters from which rows of constants are left out of a text; see `proxy.sql.bulk`."""

_KEY_ITEM_WEIGHT = 32
"""What an item of a shape's key counts as, in characters."""

_SHAREABLE = frozenset(
    {
        Kind.WRITE,
        Kind.READ,
        Kind.EXECUTE,
        Kind.BEGIN,
        Kind.COMMIT,
        Kind.ROLLBACK,
        Kind.SAVEPOINT,
        Kind.RELEASE,
        Kind.ROLLBACK_TO,
    }
)
"""Kinds of which no constant is kept but pinned ones: not the value of a SET or the gid of a prepared transaction."""
_UNSHARED_TAGS = frozenset({"EXPLAIN", "COPY"})
"""Their options may be constants: EXPLAIN (ANALYZE 0)."""

_MAX_INT4 = 2**31 - 1


class AnalysisCache:
    """Belongs to one thread. What it gives is what `analyse` would."""

    def __init__(self, size: int) -> None:
        """`size`: texts kept, and as many shapes; 0 keeps nothing."""
        self._texts: Bounded[str, Analysis | Unparsed] = Bounded(size)
        self._shapes: Bounded[Key, _Template] = Bounded(size)
        self.hits = 0
        """Texts that were known."""
        self.shape_hits = 0
        """Texts of a shape that was known."""
        self.misses = 0

    def __len__(self) -> int:
        return len(self._texts) + len(self._shapes)

    def get(self, text: str) -> Analysis | Unparsed:
        """The error is returned, not raised: a text that cannot be parsed is remembered like any other."""
        known = self._texts.get(text)
        if known is not None:
            self.hits += 1
            return known
        pieces = pieces_of(text)
        if len(text) >= LONG_TEXT:
            short = abridged(text, pieces)
            if short is not None:
                return _lengthened(self.get(short.text), short)
        key = key_of(pieces)
        template = self._shapes.get(key)
        if template is not None:
            self.shape_hits += 1
            return template.fill(text, pieces)
        self.misses += 1
        try:
            examined = examine(text)
        except Unparsed as error:
            self._texts.put(text, error.with_traceback(None), len(text))
            return error
        template = _template(examined, text, pieces) if len(pieces) > 1 and is_certain(pieces) else None
        if template is not None:
            self._shapes.put(key, template, shape_weight(text, key))
        else:
            self._texts.put(text, examined.analysis, len(text))
        return examined.analysis


def shape_weight(text: str, key: Key) -> int:
    """What is kept for the shape of a text counts as so many characters."""
    return len(text) + _KEY_ITEM_WEIGHT * len(key)


class _Place(NamedTuple):
    """An offset: so many constants before it, and so many characters beside theirs."""

    constants: int
    bare: int


class _Slot(NamedTuple):
    """A statement of a template: what of it depends on the constants."""

    start: _Place
    end: _Place
    pins: tuple[tuple[str, int], ...]
    """(pinned column, number of the constant it is held to)."""


@dataclass(frozen=True, slots=True)
class _Template:
    """An analysis of one text of a shape, ready to be made that of another."""

    analysis: Analysis
    bare: int
    """Characters of every text of this shape that are not those of its constants."""
    outside: bool
    """Whether all constants stand between one start and one end."""
    slots: tuple[_Slot, ...]

    def fill(self, text: str, pieces: Pieces) -> Analysis:
        if self.outside:
            slot = self.slots[0]
            end = slot.end.bare + len(text) - self.bare
            return Analysis((_moved(self.analysis.statements[0], slot, slot.start.bare, end, pieces),))
        lengths = [0, *accumulate(map(len, constants_of(pieces)))]
        return Analysis(
            tuple(
                _moved(
                    statement,
                    slot,
                    slot.start.bare + lengths[slot.start.constants],
                    slot.end.bare + lengths[slot.end.constants],
                    pieces,
                )
                for statement, slot in zip(self.analysis.statements, self.slots, strict=True)
            )
        )


def _lengthened(found: Analysis | Unparsed, short: Abridged) -> Analysis | Unparsed:
    """What was found in a text without most of its rows, as of the whole text."""
    if isinstance(found, Unparsed):
        return Unparsed(found.message, short.original(found.position))
    return Analysis(
        tuple(
            replace(
                statement,
                start=short.original(statement.start),
                end=short.original(statement.end),
                inner=None
                if statement.inner is None
                else replace(
                    statement.inner,
                    start=short.original(statement.inner.start),
                    end=short.original(statement.inner.end),
                ),
            )
            for statement in found.statements
        )
    )


def _moved(old: Statement, slot: _Slot, start: int, end: int, pieces: Pieces) -> Statement:
    """`dataclasses.replace`, spelled out for speed."""
    write = old.write
    if write is not None and slot.pins:
        pinned = dict(write.pinned)
        for column, number in slot.pins:
            pinned[column] = Literal(_value(constant(pieces, number)))
        write = Write(
            write.verb,
            write.target,
            write.reference,
            write.returning,
            write.sets,
            write.may_update,
            write.may_delete,
            write.only,
            MappingProxyType(pinned),
            write.old_alias,
            write.old_hidden,
        )
    elif start == old.start and end == old.end:
        return old
    return Statement(
        old.kind,
        start,
        end,
        write,
        old.hidden,
        old.relations,
        old.functions,
        old.name,
        old.value,
        old.local,
        old.chain,
        old.cascade,
        old.only,
        old.inner,
        old.copy,
        old.parameters,
        old.tag,
    )


def _template(examined: Examined, text: str, pieces: Pieces) -> _Template | None:
    """None where something of the analysis follows the constants in a way that is not known here."""
    starts = starts_of(pieces)
    if not starts:
        return None
    constants = constants_of(pieces)
    lengths = [0, *accumulate(map(len, constants))]
    slots = []
    for statement, places in zip(examined.analysis.statements, examined.places, strict=True):
        if statement.kind not in _SHAREABLE or statement.tag in _UNSHARED_TAGS:
            return None
        pins = []
        for column, place in places.items():
            number = starts.get(place)
            pinned = statement.write.pinned.get(column) if statement.write is not None else None
            if number is None or pinned != Literal(_value(constants[number])):
                return None
            pins.append((column, number))
        start, end = (_place(offset, starts, lengths) for offset in (statement.start, statement.end))
        slots.append(_Slot(start, end, tuple(pins)))
    outside = len(slots) == 1 and slots[0].start.constants <= min(starts.values())
    outside = outside and slots[0].end.constants > max(starts.values())
    return _Template(examined.analysis, len(text) - lengths[-1], outside, tuple(slots))


def _place(offset: int, starts: dict[int, int], lengths: list[int]) -> _Place:
    """A statement's bounds lie between constants, never inside one."""
    before = max((number + 1 for start, number in starts.items() if start < offset), default=0)
    return _Place(before, offset - lengths[before])


def _value(constant: str) -> str:
    """As the parser reads a string or number of a shape: no escapes but doubled quotes, no exponents."""
    if constant.startswith("'"):
        return constant[1:-1].replace("''", "'")
    if constant.isdigit() and int(constant) <= _MAX_INT4:
        return str(int(constant))
    return constant
