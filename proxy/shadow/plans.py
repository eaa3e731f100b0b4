"""Reads compiled for shadows, kept: what a statement is called, and its plan or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from proxy.mirror.tables import TableBook
from proxy.shadow.fingerprint import fingerprint, normalised, shown
from proxy.shadow.sample import SampledRead
from proxy.sql.bounded import Bounded
from proxy.sql.parse import Source, Unparsed
from proxy.sql.shapes import Key, is_certain, key_of, pieces_of
from proxy.translate.api import ReadPlan, Unsupported
from proxy.translate.cache import PlanCache

Compile = Callable[[str, TableBook, str, Sequence[str], Sequence[int]], ReadPlan]

KEPT = 2000


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one text."""

    text: str
    statement: str
    """Without its constants."""
    fingerprint: str
    plan: ReadPlan | None
    reason: str = ""
    """Why there is no plan."""

    @property
    def source(self) -> Source:
        """Parsed anew: few reads are looked at again."""
        return Source(self.text)


class ShadowPlans:
    """Plans of one book of tables: of another, everything is compiled anew. Texts that differ in their constants share
    a plan, where they can, and their name."""

    def __init__(self, book: TableBook, *, compile: Compile | None = None, size: int = KEPT) -> None:
        self.book = book
        self._compile = compile or PlanCache(size).plan
        self._known: Bounded[tuple[object, ...], Known] = Bounded(size)
        self._names: Bounded[Key, tuple[str, str]] = Bounded(size)
        """By shape: the statement without its constants, and its fingerprint."""

    def get(self, read: SampledRead) -> Known:
        key = (read.database, read.search_path, read.parameter_types, read.text)
        known = self._known.get(key)
        if known is None:
            known = self._made(read)
            self._known.put(key, known, len(read.text))
        return known

    def _made(self, read: SampledRead) -> Known:
        statement, name = self._named(read.text)
        try:
            plan = self._compile(read.text, self.book, read.database, read.search_path, read.parameter_types)
        except Unsupported as error:
            return Known(read.text, statement, name, None, error.reason)
        return Known(read.text, statement, name, plan)

    def _named(self, text: str) -> tuple[str, str]:
        pieces = pieces_of(text)
        key = key_of(pieces) if is_certain(pieces) else None
        known = None if key is None else self._names.get(key)
        if known is not None:
            return known
        try:
            statement = normalised(Source(text))
        except Unparsed:
            raise Unsupported("the parser does not take the text") from None
        made = shown(statement), fingerprint(statement)
        if key is not None:
            self._names.put(key, made, len(text))
        return made
