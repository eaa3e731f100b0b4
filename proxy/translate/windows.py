"""Window functions. Manual: 3.5, 4.2.8, 9.22."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proxy.translate import aggregates
from proxy.translate.api import ReadError, Unsupported
from proxy.translate.evaluate import Compiler
from proxy.translate.runtime import Evaluate, Row, Run
from proxy.translate.tree import Window
from proxy.translate.types import Types
from proxy.translate.values import equality_key

_POSITION = frozenset({"row_number", "ntile", "lag", "lead", "first_value", "last_value", "nth_value"})
"""What depends on the order of rows that are equal by ORDER BY."""


class Windows:
    """The window functions of one query: their values are put behind each row."""

    def __init__(self, calls: Sequence[Window], compiler: Compiler, types: Types) -> None:
        self.calls = [_Call(call, compiler, types) for call in calls]

    def rows(self, rows: list[Row], run: Run) -> list[Row]:
        columns = [call.values(rows, run) for call in self.calls]
        return [(*row, *values) for row, *values in zip(rows, *columns, strict=True)]


class _Call:
    def __init__(self, call: Window, compiler: Compiler, types: Types) -> None:
        self.call = call
        self.args = [compiler(arg) for arg in call.args]
        self.partition = [
            (compiler(expr), equality_key(expr.type, types, expr.shape.collation)) for expr in call.partition
        ]
        self.order = [(compiler(key.expr), key) for key in call.order]
        self.filter = None if call.filter is None else compiler(call.filter)
        self.final = aggregates.final(call, types) if call.aggregate else None
        self.start, self.end = (
            (kind, None if offset is None else compiler(offset))
            for kind, offset in (call.frame.start, call.frame.end)
        )
        if call.frame.mode not in ("rows", "range"):
            raise Unsupported("GROUPS in a window")

    def values(self, rows: list[Row], run: Run) -> list[Any]:
        parts: dict[Any, list[int]] = {}
        for place, row in enumerate(rows):
            values = [(expr(row, run), key) for expr, key in self.partition]
            name = tuple(None if value is None else key(value) for value, key in values)
            parts.setdefault(name, []).append(place)
        found: list[Any] = [None] * len(rows)
        for places in parts.values():
            ordered, groups = self._ordered([rows[place] for place in places], run)
            for at, value in zip(
                ordered, self._part([rows[places[at]] for at in ordered], groups, run), strict=True
            ):
                found[places[at]] = value
        return found

    def _ordered(self, rows: list[Row], run: Run) -> tuple[list[int], list[tuple[int, int]]]:
        """Places in order, and for each the first and one behind the last of its peers."""
        keyed = [
            (tuple(expr(row, run) for expr, _ in self.order), (place,)) for place, row in enumerate(rows)
        ]
        keyed = aggregates.sorted_rows(keyed, [key for _, key in self.order])
        names = [
            tuple(
                None if value is None else key.equal(value)
                for value, (_, key) in zip(values, self.order, strict=True)
            )
            for values, _ in keyed
        ]
        peers: list[tuple[int, int]] = []
        start = 0
        for place in range(1, len(names) + 1):
            if place == len(names) or names[place] != names[start]:
                peers += [(start, place)] * (place - start)
                start = place
        return [place for _, (place,) in keyed], peers

    def _part(self, rows: list[Row], peers: list[tuple[int, int]], run: Run) -> list[Any]:
        name = self.call.name
        count = len(rows)
        run.spend(count)
        uncertain = name in _POSITION or (self.call.aggregate and self.call.frame.mode == "rows")
        if uncertain and any(end - start > 1 for start, end in peers):
            self._doubt(rows, peers, run)
        match name:
            case "row_number":
                return list(range(1, count + 1))
            case "rank":
                return [start + 1 for start, _ in peers]
            case "dense_rank":
                seen: dict[int, int] = {}
                return [seen.setdefault(start, len(seen) + 1) for start, _ in peers]
            case "percent_rank":
                return [0.0 if count == 1 else start / (count - 1) for start, _ in peers]
            case "cume_dist":
                return [end / count for _, end in peers]
            case "ntile":
                return self._ntile(rows, run)
            case "lag" | "lead":
                return self._shifted(rows, run)
        return self._framed(rows, peers, run)

    def _doubt(self, rows: list[Row], peers: list[tuple[int, int]], run: Run) -> None:
        """Rows that are peers: any of them may come first, which matters unless they are the same."""
        for start, end in set(peers):
            if any(rows[place] != rows[start] for place in range(start + 1, end)):
                run.doubt("a window whose order is not total")
                return

    def _ntile(self, rows: list[Row], run: Run) -> list[Any]:
        buckets = self.args[0](rows[0], run)
        if buckets is None:
            return [None] * len(rows)
        if buckets <= 0:
            raise ReadError("22014", "argument of ntile must be greater than zero")
        size, larger = divmod(len(rows), buckets)
        return [
            place // (size + 1) + 1
            if place < larger * (size + 1)
            else (place - larger * (size + 1)) // max(size, 1) + larger + 1
            for place in range(len(rows))
        ]

    def _shifted(self, rows: list[Row], run: Run) -> list[Any]:
        forward = self.call.name == "lead"
        made: list[Any] = []
        for place, row in enumerate(rows):
            offset = self.args[1](row, run) if len(self.args) > 1 else 1
            if offset is None:
                made.append(None)
                continue
            target = place + offset if forward else place - offset
            if 0 <= target < len(rows):
                made.append(self.args[0](rows[target], run))
            else:
                made.append(self.args[2](row, run) if len(self.args) > 2 else None)
        return made

    def _bound(self, bound: tuple[str, Evaluate | None], run: Run) -> int:
        kind, offset = bound
        if offset is None:
            return 0
        value = offset((), run)
        if value is None:
            raise ReadError("22004", "frame offset must not be null")
        if value < 0:
            raise ReadError("22013", "frame offset must not be negative")
        return -int(value) if kind == "preceding" else int(value)

    def _framed(self, rows: list[Row], peers: list[tuple[int, int]], run: Run) -> list[Any]:
        by_rows = self.call.frame.mode == "rows"
        count = len(rows)
        low, high = self._bound(self.start, run), self._bound(self.end, run)
        args = [tuple(arg(row, run) for arg in self.args) for row in rows]
        counted = [self.filter is None or self.filter(row, run) for row in rows]
        made: list[Any] = []
        last: tuple[int, int, Any] | None = None
        for place in range(count):
            if self.start[0] == "unbounded":
                start = 0
            else:
                start = max(place + low, 0) if by_rows else peers[place][0]
            if self.end[0] == "unbounded":
                end = count
            else:
                end = min(place + high + 1, count) if by_rows else peers[place][1]
            end = max(end, start)
            if last is not None and last[:2] == (start, end):
                made.append(last[2])
                continue
            run.spend(max(end - start, 1))
            value = self._value(args, counted, start, end, run)
            last = (start, end, value)
            made.append(value)
        return made

    def _value(self, args: list[Row], counted: list[bool], start: int, end: int, run: Run) -> Any:
        if self.final is not None:
            return self.final([args[place] for place in range(start, end) if counted[place]], run)
        if start >= end:
            return None
        match self.call.name:
            case "first_value":
                return args[start][0]
            case "last_value":
                return args[end - 1][0]
        number = args[start][1]
        if number is None:
            return None
        if number <= 0:
            raise ReadError("22016", "argument of nth_value must be greater than zero")
        return args[start + number - 1][0] if start + number - 1 < end else None
