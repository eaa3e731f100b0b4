"""What can be wrong with rule files, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a rule file; lines and columns count from 1, columns in characters."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    file: str
    """As given by the user, or joined to the directory as given."""
    line: int | None
    """From 1; None where the file or directory itself is the problem."""
    column: int | None
    key_path: str
    """`tables.orders.shadow.sample`; empty where no key is concerned."""
    message: str
    hint: str = ""
    """What would be right."""
    limit: str = ""
    """The configuration name of the limit that was met, if that is the problem."""

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"
        key = f" {self.key_path}:" if self.key_path else ""
        return f"{where}:{key} {self.message}" + (f" ({self.hint})" if self.hint else "")


class RulesError(Exception):
    """The rule files cannot be used. Carries every problem of every file, in the order of the text."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        found = dict.fromkeys(problems)
        self.problems: tuple[Problem, ...] = tuple(
            sorted(found, key=lambda p: (p.file, p.line or 0, p.column or 0))
        )
        if not self.problems:
            raise ValueError("a RulesError needs a problem")
        super().__init__("\n".join(map(str, self.problems)))
