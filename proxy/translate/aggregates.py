"""Aggregate functions over values that have been gone through. Manual: 9.21."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from proxy.translate import moments, numbers
from proxy.translate import types as t
from proxy.translate.api import ReadError, Unsupported
from proxy.translate.runtime import Row, Run
from proxy.translate.tree import Agg, SortKey, Window
from proxy.translate.types import Types
from proxy.translate.values import Interval, Key, equality_key, order_key, shown_alike

Final = Callable[[Sequence[Row], Run], Any]
"""From the arguments of every row that counts, to the result."""

_MOMENTS = frozenset({"stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop"})


def approximate(name: str, oid: int) -> bool:
    """Whether the last digits depend on the order of the rows."""
    return oid in t.FLOATS and (name in ("sum", "avg") or name in _MOMENTS)


def order_matters(name: str) -> bool:
    return name in ("string_agg", "array_agg")


def final(call: Agg | Window, types: Types) -> Final:
    """Unsupported where the aggregate is not known."""
    name = call.name
    if name == "count":
        if call.star:
            return lambda rows, run: len(rows)
        return lambda rows, run: sum(row[0] is not None for row in rows)
    oid = call.args[0].type
    if name in ("min", "max"):
        key = order_key(oid, types, call.args[0].shape.collation)
        return _extreme(key, name == "max", shown_alike(oid))
    if name in ("bool_and", "every"):
        return lambda rows, run: _over([row[0] for row in rows], all)
    if name == "bool_or":
        return lambda rows, run: _over([row[0] for row in rows], any)
    if name == "array_agg":
        return lambda rows, run: tuple(row[0] for row in rows) if rows else None
    if name == "string_agg":
        return _joined
    made = _numbers(name, oid, call.type)
    if approximate(name, oid):
        return _watched(made, name, oid)
    return lambda rows, run: _over([row[0] for row in rows], made)


def _watched(made: Callable[[list[Any]], Any], name: str, oid: int) -> Final:
    """Of floats: in doubt where the order of the rows decides over more than the last digits."""
    largest = 3e38 if oid == t.FLOAT4 and name == "sum" else 1e308 if name == "sum" else 1e150

    def found(rows: Sequence[Row], run: Run) -> Any:
        values = [row[0] for row in rows if row[0] is not None]
        finite = [value for value in values if math.isfinite(value)]
        size = sum(map(abs, finite))
        if len(values) > 1 and len(finite) > 0 and size >= largest:
            run.doubt("a sum of floats that overflows in one order of the rows, and not in another")
        elif len(values) > 1 and abs(math.fsum(finite)) < size * 1e-3:
            run.doubt("a sum of floats of which little is left")
        return made(values) if values else None

    return found


def _over(values: Sequence[Any], compute: Callable[[list[Any]], Any]) -> Any:
    """NULL of nothing."""
    present = [value for value in values if value is not None]
    return compute(present) if present else None


def _extreme(key: Key, largest: bool, alike: bool) -> Final:
    def extreme(rows: Sequence[Row], run: Run) -> Any:
        present = [row[0] for row in rows if row[0] is not None]
        if not present:
            return None
        found = max(present, key=key) if largest else min(present, key=key)
        if not alike and any(key(one) == key(found) and str(one) != str(found) for one in present):
            run.doubt("the largest or smallest of values that are equal but not written alike")
        return found

    return extreme


def _joined(rows: Sequence[Row], run: Run) -> str | None:
    parts: list[str] = []
    for value, delimiter in rows:
        if value is None:
            continue
        if parts:
            parts.append(delimiter or "")
        parts.append(value)
    return "".join(parts) if parts else None


def _numbers(name: str, oid: int, result: int) -> Callable[[list[Any]], Any]:
    if name == "sum":
        if oid in (t.INT2, t.INT4):
            return lambda values: numbers.integer(t.INT8, sum(values))
        if oid == t.INT8:
            return lambda values: Decimal(sum(values))
        if oid == t.NUMERIC:
            return _decimal_sum
        if oid in t.FLOATS:
            return lambda values: _float_sum(values, oid)
        if oid == t.INTERVAL:
            return _interval_sum
    if name == "avg":
        if oid in t.INTEGERS:
            return lambda values: numbers.divide(Decimal(sum(values)), Decimal(len(values)))
        if oid == t.NUMERIC:
            return lambda values: numbers.divide(_decimal_sum(values), Decimal(len(values)))
        if oid in t.FLOATS:
            return lambda values: _float_moments(values)[0] / len(values)
    if name in _MOMENTS:
        if oid in t.INTEGERS or oid == t.NUMERIC:
            return lambda values: _deviation(name, [Decimal(value) for value in values])
        return lambda values: _float_deviation(name, values)
    if name in ("bit_and", "bit_or") and oid in t.INTEGERS:
        return lambda values: _bits(values, name == "bit_and")
    raise Unsupported(f"aggregate {name}")


def _decimal_sum(values: list[Decimal]) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = numbers.add(total, value)
    return total


def _float_sum(values: list[float], oid: int) -> float:
    total = 0.0
    for place, value in enumerate(values):
        before = total
        total = value if place == 0 else total + value
        if oid == t.FLOAT4:
            total = numbers.single(total, underflow=False)
        numbers.float_checked(total, before, value)
    return total


def _interval_sum(values: list[Interval]) -> Interval:
    total = Interval(0, 0, 0)
    for value in values:
        total = moments.add_intervals(total, value)
    return total


def _bits(values: list[int], every: bool) -> int:
    found = values[0]
    for value in values[1:]:
        found = found & value if every else found | value
    return found


def _deviation(name: str, values: list[Decimal]) -> Decimal | None:
    """`numeric_stddev_internal`."""
    count = len(values)
    sample = name not in ("stddev_pop", "var_pop")
    if sample and count < 2:
        return None
    if any(not value.is_finite() for value in values):
        return Decimal("NaN")
    total = _decimal_sum(values)
    squares = _decimal_sum([numbers.multiply(value, value) for value in values])
    upper = numbers.subtract(numbers.multiply(squares, Decimal(count)), numbers.multiply(total, total))
    if upper <= 0:
        return Decimal(0)
    lower = Decimal(count * (count - 1) if sample else count * count)
    scale = numbers.division_scale(upper, lower)
    found = numbers.divide_to(upper, lower, scale)
    return numbers.root(found, scale) if name.startswith("stddev") else found


def _float_moments(values: list[float]) -> tuple[float, float]:
    """Sum, and sum of squared differences from the mean, as `float8_accum` adds them up (Youngs and Cramer)."""
    total, squares = 0.0, 0.0
    for place, value in enumerate(values):
        before = total
        total += value
        count = place + 1
        if place:
            off = value * count - total
            squares += off * off / (float(count) * place)
            if math.isinf(total) or math.isinf(squares):
                if not math.isinf(before) and not math.isinf(value):
                    raise ReadError(numbers.OUT_OF_RANGE, "value out of range: overflow")
                squares = math.nan
        elif value - value != 0:
            squares = math.nan
    return total, squares


def _float_deviation(name: str, values: list[float]) -> float | None:
    sample = name not in ("stddev_pop", "var_pop")
    if sample and len(values) < 2:
        return None
    squares = _float_moments(values)[1] / (len(values) - 1 if sample else len(values))
    return math.sqrt(squares) if name.startswith("stddev") else squares


def distinct_key(call: Agg, types: Types) -> Key | None:
    if not call.distinct or not call.args:
        return None
    return equality_key(call.args[0].type, types, call.args[0].shape.collation)


def sorted_rows(rows: list[tuple[Row, Row]], keys: Sequence[SortKey]) -> list[tuple[Row, Row]]:
    """(values sorted by, row) in the order of `keys`."""
    for place in range(len(keys) - 1, -1, -1):
        rows = by_key(rows, keys[place], lambda item, place=place: item[0][place])  # type: ignore[misc]
    return rows


def by_key(rows: list[Any], key: SortKey, value_of: Callable[[Any], Any]) -> list[Any]:
    """Stable."""
    nulls = [row for row in rows if value_of(row) is None]
    present = [row for row in rows if value_of(row) is not None]
    one = key.key
    present.sort(key=lambda row: one(value_of(row)), reverse=key.descending)
    return nulls + present if key.nulls_first else present + nulls
