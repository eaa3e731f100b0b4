"""Whether two results are the same, as far as PostgreSQL fixes what its result is. Pure.

Rows of one run of ties, or of a result without ORDER BY, are compared as multisets; runs in their order. Numerics have
their scale, floats are compared by value, and floats whose last digits depend on the order of addition within a few
units in the last place.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace

from proxy.shadow.rows import Row
from proxy.translate.api import Result

FLOAT4, FLOAT8, BYTEA = 700, 701, 17

LEAST_ULPS = 16
"""By how much floats may differ that depend on an order of addition; more rows, more ulps."""
MAX_PAIRS = 250_000
"""Pairs of rows looked at where approximate values must be told apart; of more, rows differ."""
MAX_KEPT = 20
"""Rows of a difference that are kept, of each side."""

Canonical = Callable[[str], Hashable]


@dataclass(frozen=True, slots=True)
class Shape:
    """What is fixed about a result, and of which types it is."""

    types: tuple[int, ...]
    ties: tuple[int, ...]
    loose_head: bool = False
    loose_tail: bool = False
    approximate: tuple[bool, ...] = ()
    ulps: int = LEAST_ULPS
    indeterminate: str = ""

    @classmethod
    def of(cls, result: Result) -> Shape:
        documents = sum(one.documents for one in result.fetched)
        return cls(
            tuple(column.type_oid for column in result.columns),
            result.ties,
            result.loose_head,
            result.loose_tail,
            result.approximate,
            max(LEAST_ULPS, documents),
            result.indeterminate,
        )


def first_rows(rows: Sequence[Row], shape: Shape, count: int) -> tuple[Sequence[Row], Shape]:
    """What a client gets that takes only so many rows: as if the read had that LIMIT around it."""
    if count >= len(rows):
        return rows, shape
    ties: list[int] = []
    left = count
    for size in shape.ties:
        ties.append(min(size, left))
        left -= ties[-1]
        if not left:
            break
    cut = sum(ties) != sum(shape.ties[: len(ties)])
    return rows[:count], replace(
        shape, ties=tuple(ties), loose_tail=cut or (shape.loose_tail and len(ties) == len(shape.ties))
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found; equal where it is empty."""

    missing: list[Row] = field(default_factory=list)
    """Rows of PostgreSQL's that the store does not have; the first of them."""
    extra: list[Row] = field(default_factory=list)
    count: int = 0
    """How many rows of either side have no like on the other."""
    order: bool = False
    """The rows are the same, in an order that ORDER BY does not allow."""
    doubt: str = ""
    """Why the difference says nothing."""

    @property
    def equal(self) -> bool:
        return not self.count and not self.order


def compare(theirs: Sequence[Row], ours: Sequence[Row], shape: Shape) -> Comparison:
    """`theirs`: PostgreSQL's rows, `ours`: the store's, of which `shape` tells."""
    canonical = [canonical_of(oid) for oid in shape.types]
    approximate = [place for place, flag in enumerate(shape.approximate) if flag]

    def differing(one: Sequence[Row], other: Sequence[Row]) -> tuple[list[Row], list[Row]]:
        return _unlike(one, other, canonical, approximate, shape.ulps)

    if len(theirs) != len(ours):
        missing, extra = differing(theirs, ours)
        return _found(missing, extra, shape.indeterminate)
    strict: tuple[list[Row], list[Row]] = ([], [])
    loose = 0
    start = 0
    for number, size in enumerate(shape.ties):
        end = start + size
        missing, extra = differing(theirs[start:end], ours[start:end])
        start = end
        if not missing:
            continue
        if (shape.loose_head and number == 0) or (shape.loose_tail and number == len(shape.ties) - 1):
            loose += len(missing)
            continue
        strict[0].extend(missing)
        strict[1].extend(extra)
    if not strict[0]:
        if not loose:
            return Comparison()
        return Comparison(count=2 * loose, doubt="LIMIT or OFFSET without a total order")
    missing, extra = differing(theirs, ours)
    if not missing:
        return Comparison(order=True, doubt=shape.indeterminate)
    return _found(missing, extra, shape.indeterminate)


def _found(missing: list[Row], extra: list[Row], doubt: str) -> Comparison:
    return Comparison(missing[:MAX_KEPT], extra[:MAX_KEPT], len(missing) + len(extra), doubt=doubt)


def _unlike(
    theirs: Sequence[Row],
    ours: Sequence[Row],
    canonical: Sequence[Canonical | None],
    approximate: Sequence[int],
    ulps: int,
) -> tuple[list[Row], list[Row]]:
    """The rows of each that the other has no like of."""
    if list(theirs) == list(ours):
        return [], []
    there = Counter(_key(row, canonical) for row in ours)
    missing = _without(theirs, there, canonical)
    if not missing and len(theirs) == len(ours):
        return [], []
    extra = _without(ours, Counter(_key(row, canonical) for row in theirs), canonical)
    if not approximate or len(missing) * len(extra) > MAX_PAIRS:
        return missing, extra
    exact = [None if place in approximate else one for place, one in enumerate(canonical)]
    return _nearly(missing, extra, exact, approximate, ulps)


def _without(
    rows: Sequence[Row], there: Counter[Hashable], canonical: Sequence[Canonical | None]
) -> list[Row]:
    left = Counter(there)
    found = []
    for row in rows:
        key = _key(row, canonical)
        if left[key] > 0:
            left[key] -= 1
        else:
            found.append(row)
    return found


def _key(row: Row, canonical: Sequence[Canonical | None]) -> Hashable:
    return tuple(
        value if value is None or one is None else one(value)
        for value, one in zip(row, canonical, strict=True)
    )


def _nearly(
    missing: list[Row],
    extra: list[Row],
    canonical: Sequence[Canonical | None],
    approximate: Sequence[int],
    ulps: int,
) -> tuple[list[Row], list[Row]]:
    left = list(extra)
    found = []
    for row in missing:
        near = next((other for other in left if _near(row, other, canonical, approximate, ulps)), None)
        if near is None:
            found.append(row)
        else:
            left.remove(near)
    return found, left


def _near(
    row: Row, other: Row, canonical: Sequence[Canonical | None], approximate: Sequence[int], ulps: int
) -> bool:
    for place, (value, like, one) in enumerate(zip(row, other, canonical, strict=True)):
        if value is None or like is None:
            if value is not like:
                return False
        elif place in approximate:
            if not close(value, like, ulps):
                return False
        elif (value if one is None else one(value)) != (like if one is None else one(like)):
            return False
    return True


def close(one: str, other: str, ulps: int) -> bool:
    """Whether two floats are at most so many units in the last place of the larger apart."""
    try:
        a, b = float(one), float(other)
    except ValueError:
        return one == other
    if math.isnan(a) or math.isnan(b) or math.isinf(a) or math.isinf(b):
        return repr(a) == repr(b)
    return abs(a - b) <= ulps * math.ulp(max(abs(a), abs(b)))


def canonical_of(oid: int) -> Canonical | None:
    """From a value's text to what is equal where the values are; None: the text itself."""
    if oid in (FLOAT4, FLOAT8):
        return _float
    if oid == BYTEA:
        return _bytes
    return None


def _float(text: str) -> Hashable:
    try:
        value = float(text)
    except ValueError:
        return text
    return "nan" if math.isnan(value) else value


def _bytes(text: str) -> Hashable:
    """The bytes of either bytea_output; escaped text never begins with \\x."""
    if text.startswith("\\x"):
        try:
            return bytes.fromhex(text[2:])
        except ValueError:
            return text
    out = bytearray()
    position = 0
    while position < len(text):
        char = text[position]
        if char != "\\":
            out += char.encode()
            position += 1
        elif text[position + 1 : position + 2] == "\\":
            out.append(0x5C)
            position += 2
        else:
            try:
                out.append(int(text[position + 1 : position + 4], 8))
            except ValueError:
                return text
            position += 4
    return bytes(out)
