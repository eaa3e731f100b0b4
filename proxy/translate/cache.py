"""Plans that have been made, and texts there is no plan for. Bounded: the one used longest ago goes first.

One `PlanCache` serves everything in a process that reads: shadows and served reads. `plan()` answers at once for a text
that is known, and nearly so for one of a shape that is known, which is the same text with other constants: these are
put into the plan (`literals.py`), and all is as if the text itself had been compiled.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from proxy.sql.shapes import Pieces, constants_of, is_certain, key_of, pieces_of
from proxy.translate.api import ReadPlan, Unsupported
from proxy.translate.compiler import CompiledPlan, compile_text
from proxy.translate.literals import Literals, kind

if TYPE_CHECKING:
    from proxy.mirror.tables import TableBook

MAX_VARIANTS = 20
"""Plans kept of one shape, for constants that are pinned."""

_K = TypeVar("_K")
_V = TypeVar("_V")
_About = tuple[str, tuple[str, ...], tuple[int, ...]]
"""Database, search_path, types of parameters."""


class _Latest(OrderedDict[_K, _V], Generic[_K, _V]):
    """The entries used last."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def used(self, key: _K) -> _V | None:
        found = self.get(key)
        if found is not None:
            self.move_to_end(key)
        return found

    def keep(self, key: _K, value: _V) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > self.size:
            self.popitem(last=False)


class _Family:
    """Texts of one shape. A plan is for those whose pinned constants are the same, and the others of the same kinds."""

    __slots__ = ("pinned", "plans")

    def __init__(self) -> None:
        self.pinned: frozenset[int] = frozenset()
        self.plans: _Latest[tuple[str, ...], CompiledPlan | Unsupported] = _Latest(MAX_VARIANTS)

    def name(self, constants: Sequence[str]) -> tuple[str, ...]:
        pinned = self.pinned
        return tuple([text if number in pinned else kind(text) for number, text in enumerate(constants)])

    def add(self, made: CompiledPlan | Unsupported, pinned: frozenset[int], constants: Sequence[str]) -> None:
        if not pinned <= self.pinned:
            self.pinned |= pinned
            self.plans.clear()
        self.plans.keep(self.name(constants), made)


class PlanCache:
    """Belongs to one book at a time: another empties it. Not for several threads at once."""

    def __init__(self, size: int = 2000, longest: int = 20_000) -> None:
        """`size`: texts kept, and as many shapes. `longest`: characters of a text that is worth keeping."""
        self.longest = longest
        self.hits = 0
        """Texts that were known."""
        self.shape_hits = 0
        """Texts of a shape that was known."""
        self.misses = 0
        self._book: TableBook | None = None
        self._texts: _Latest[tuple[str, _About], ReadPlan | Unsupported] = _Latest(size)
        self._families: _Latest[tuple[object, _About], _Family] = _Latest(size)

    def __len__(self) -> int:
        return len(self._texts)

    def plan(
        self,
        text: str,
        book: TableBook,
        database: str,
        search_path: Sequence[str],
        parameter_types: Sequence[int] = (),
    ) -> ReadPlan:
        """As `api.compile_read`. Unsupported is remembered, too; of a text that was known by its shape it has no
        position."""
        if book is not self._book:
            self._texts.clear()
            self._families.clear()
            self._book = book
        about = (database, tuple(search_path), tuple(parameter_types))
        found = self._texts.used((text, about))
        if found is not None:
            self.hits += 1
        else:
            found = self._by_shape(text, book, about)
            if len(text) <= self.longest:
                self._texts.keep((text, about), found)
        if isinstance(found, Unsupported):
            raise type(found)(found.reason, found.position)
        return found

    def _by_shape(self, text: str, book: TableBook, about: _About) -> CompiledPlan | Unsupported:
        pieces = pieces_of(text)
        if len(pieces) == 1 or len(text) > self.longest or not is_certain(pieces):
            self.misses += 1
            return _compiled(text, book, about, None)
        shape = (key_of(pieces), about)
        family = self._families.used(shape)
        if family is None:
            family = _Family()
            self._families.keep(shape, family)
        constants = constants_of(pieces)
        found = family.plans.used(family.name(constants))
        if found is None:
            self.misses += 1
            return self._made(text, book, about, pieces, family)
        self.shape_hits += 1
        if isinstance(found, Unsupported):
            return type(found)(found.reason)
        try:
            return found.with_constants(constants)
        except Unsupported as error:
            return error.with_traceback(None)

    def _made(
        self, text: str, book: TableBook, about: _About, pieces: Pieces, family: _Family
    ) -> CompiledPlan | Unsupported:
        literals = Literals(text, pieces)
        made = _compiled(text, book, about, literals)
        if not isinstance(made, Unsupported):
            family.add(made, literals.pins(), literals.constants)
        elif not literals.failed:
            # it depends on the constants that were looked at until then
            family.add(made, frozenset(literals.pinned), literals.constants)
        return made


def _compiled(
    text: str, book: TableBook, about: _About, literals: Literals | None
) -> CompiledPlan | Unsupported:
    database, search_path, types = about
    try:
        return compile_text(text, book, database, search_path, types, push_down=True, literals=literals)
    except Unsupported as error:
        return error.with_traceback(None)
