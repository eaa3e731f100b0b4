"""Constants of a text that its plan leaves open, so that texts of one shape share a plan (`proxy.sql.shapes`).

While a text is compiled, each constant the parser gives is handed out as a `Literal`: an expression of a known type
whose value is asked for when the plan runs. Whatever looks at a value before that pins the constant: the plan then is
for texts that have the same one. Constants that nobody was given (numbers in ORDER BY, type modifiers) are pinned, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from proxy.sql.shapes import Pieces, constants_of, starts_of
from proxy.translate import numbers
from proxy.translate import types as t
from proxy.translate.api import Inexact, ReadError
from proxy.translate.tree import Expr, Shape

MAX_NUMBER = 300
"""Characters of a number that may be open: longer ones are pinned."""


class Slot(NamedTuple):
    """How the value of a literal is read from a text's constants."""

    constant: int
    read: Callable[[str], Any]
    """From the constant as it is written. ReadError, Inexact where it is not one of the type."""


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Expr):
    """A constant whose value is asked for when the plan runs. Never NULL."""

    slot: int
    own: Literals = field(repr=False)

    def __eq__(self, other: object) -> bool:
        """Whether both have the same value now, which pins both: nobody else asks while a plan is made."""
        if self is other:
            return True
        if not isinstance(other, Literal) or self.shape != other.shape:
            return NotImplemented if not isinstance(other, Literal) else False
        if self.slot == other.slot:
            return True
        self.own.pin(self.slot)
        self.own.pin(other.slot)
        return bool(self.own.values[self.slot] == self.own.values[other.slot])

    def __hash__(self) -> int:
        return hash(self.shape)


def kind(constant: str) -> str:
    """What decides over the type of a constant: texts that differ in no more than the rest may share a plan."""
    first = constant[:1]
    if first == "'" or first == "/":
        return first
    if len(constant) > MAX_NUMBER:
        return constant
    if not constant.isdecimal():
        return "n"
    value = int(constant)
    if value <= 1 << 31:
        return "i" if value < 1 << 31 else "i+"
    return "b" if value < 1 << 63 else "b+" if value == 1 << 63 else "n"


def string(constant: str) -> str:
    """What stands between the quotes."""
    return constant[1:-1].replace("''", "'")


class Literals:
    """The constants of one text, and what has become of them."""

    def __init__(self, text: str, pieces: Pieces) -> None:
        self.text = text
        self.constants: Sequence[str] = constants_of(pieces)
        self.starts = starts_of(pieces)
        self.slots: list[Slot] = []
        self.values: list[Any] = []
        """Of this text, by slot."""
        self.pinned: set[int] = set()
        self.failed = False
        """Whether there is no plan because of what a constant is, which says nothing of other texts."""
        self._known: dict[tuple[int, int], int] = {}
        """(constant, type) -> its slot."""

    def pin(self, slot: int) -> None:
        self.pinned.add(self.slots[slot].constant)

    def pin_at(self, place: int) -> None:
        """The plan depends on the constant at a place of the text."""
        found = self.starts.get(place)
        if found is not None:
            self.pinned.add(found)

    def pins(self) -> frozenset[int]:
        """Once all is compiled: constants whose text the plan depends on."""
        given = {slot.constant for slot in self.slots}
        comments = {number for number, constant in enumerate(self.constants) if constant.startswith("/")}
        return frozenset(set(range(len(self.constants))) - given - comments | self.pinned)

    def number(self, place: int, value: Any, oid: int) -> Literal | None:
        """Of a number at a place of the text; None where it cannot be told which constant it is."""
        negative = self.text[place : place + 1] == "-"
        while self.text[place : place + 1] in ("-", " ", "\n", "\t") and place < len(self.text):
            place += 1
        found = self.starts.get(place)
        if found is None or len(self.constants[found]) > MAX_NUMBER:
            return None

        def read(constant: str) -> Any:
            if oid == t.NUMERIC:
                return numbers.numeric(Decimal("-" + constant if negative else constant))
            return -int(constant) if negative else int(constant)

        try:
            if read(self.constants[found]) != value:
                return None
        except ValueError:
            return None
        return self._literal(found, Shape(oid), read, value)

    def text_at(self, place: int, value: str) -> Literal | None:
        """Of a string at a place of the text."""
        found = self.starts.get(place)
        if found is None or self.constants[found][:1] != "'" or string(self.constants[found]) != value:
            return None
        return self._literal(found, Shape(t.UNKNOWN), string, value)

    def typed(self, literal: Literal, shape: Shape, parse: Callable[[str], Any]) -> Literal:
        """A string as a value of a type. ReadError, Inexact where it is none."""
        slot = self.slots[literal.slot]
        try:
            value = parse(self.values[literal.slot])
        except (ReadError, Inexact):
            self.failed = True
            raise
        return self._literal(slot.constant, shape, lambda constant: parse(string(constant)), value)

    def _literal(self, constant: int, shape: Shape, read: Callable[[str], Any], value: Any) -> Literal:
        name = (constant, shape.type)
        if name not in self._known:
            self._known[name] = len(self.slots)
            self.slots.append(Slot(constant, read))
            self.values.append(value)
        return Literal(shape, self._known[name], self)


def values(slots: Sequence[Slot], constants: Sequence[str]) -> tuple[Any, ...]:
    """By slot, of the constants of another text of the shape. ReadError, Inexact as when it is compiled."""
    return tuple([slot.read(constants[slot.constant]) for slot in slots])
