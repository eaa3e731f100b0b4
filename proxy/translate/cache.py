"""Plans that have been made, and texts there is no plan for. Bounded: the one used longest ago goes first.

One `PlanCache` serves everything in a process that reads: shadows and served reads. `plan()` answers at once for a text
that is known, or one of a shape that is: the same text with other constants.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from proxy.translate.api import ReadPlan, Unsupported, compile_read

if TYPE_CHECKING:
    from proxy.mirror.tables import TableBook

Key = tuple[str, str, tuple[str, ...], tuple[int, ...]]


class PlanCache:
    """Belongs to one book at a time: another empties it. Not for several threads at once."""

    def __init__(self, size: int = 2000, longest: int = 20_000) -> None:
        self.size = size
        self.longest = longest
        """Characters of a text that is worth keeping."""
        self.hits = 0
        self.misses = 0
        self._book: TableBook | None = None
        self._plans: OrderedDict[Key, ReadPlan | Unsupported] = OrderedDict()

    def __len__(self) -> int:
        return len(self._plans)

    def plan(
        self,
        text: str,
        book: TableBook,
        database: str,
        search_path: Sequence[str],
        parameter_types: Sequence[int] = (),
    ) -> ReadPlan:
        """As `api.compile_read`, which it asks once. Unsupported is remembered, too."""
        if book is not self._book:
            self._plans.clear()
            self._book = book
        key = (text, database, tuple(search_path), tuple(parameter_types))
        found = self._plans.get(key)
        if found is None:
            self.misses += 1
            try:
                found = compile_read(text, book, database, search_path, parameter_types)
            except Unsupported as error:
                found = Unsupported(error.reason, error.position)
            if len(text) <= self.longest:
                self._plans[key] = found
                if len(self._plans) > self.size:
                    self._plans.popitem(last=False)
        else:
            self.hits += 1
            self._plans.move_to_end(key)
        if isinstance(found, Unsupported):
            raise Unsupported(found.reason, found.position)
        return found
