"""Reads compiled for shadows, kept by text: what a statement is called, and its plan or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from proxy.mirror.tables import TableBook
from proxy.shadow.fingerprint import fingerprint, normalised, shown
from proxy.shadow.sample import SampledRead
from proxy.sql.bounded import Bounded
from proxy.sql.parse import Source, Unparsed
from proxy.translate.api import ReadPlan, Unsupported, compile_read

Compile = Callable[[str, TableBook, str, Sequence[str], Sequence[int]], ReadPlan]

KEPT = 2000


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one text."""

    source: Source
    statement: str
    """Without its constants."""
    fingerprint: str
    plan: ReadPlan | None
    reason: str = ""
    """Why there is no plan."""


class ShadowPlans:
    """Plans of one book of tables: of another, everything is compiled anew."""

    def __init__(self, book: TableBook, *, compile: Compile = compile_read, size: int = KEPT) -> None:
        self.book = book
        self._compile = compile
        self._known: Bounded[tuple[object, ...], Known] = Bounded(size)

    def get(self, read: SampledRead) -> Known:
        key = (read.database, read.search_path, read.parameter_types, read.text)
        known = self._known.get(key)
        if known is None:
            known = self._made(read)
            self._known.put(key, known, len(read.text))
        return known

    def _made(self, read: SampledRead) -> Known:
        try:
            source = Source(read.text)
        except Unparsed:
            raise Unsupported("the parser does not take the text") from None
        statement = normalised(source)
        name = fingerprint(statement)
        try:
            plan = self._compile(read.text, self.book, read.database, read.search_path, read.parameter_types)
        except Unsupported as error:
            return Known(source, shown(statement), name, None, error.reason)
        return Known(source, shown(statement), name, plan)
