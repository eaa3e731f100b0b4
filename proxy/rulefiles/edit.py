"""Changes one table's phase in the text of a rule file, and nothing else: comments, order and quotes stay. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from proxy.phases import Phase
from proxy.rulefiles import yaml_marks
from proxy.rulefiles.problems import Place
from proxy.rulefiles.yaml_marks import Entry, Mapping, Node, Scalar, plain

BOM = b"\xef\xbb\xbf"
_BREAK = re.compile("\r\n|\r|\n")


class CannotEdit(Exception):
    """The text says why, and what to write by hand instead."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A file's content before and after, and the line that makes the difference."""

    before: bytes
    after: bytes
    line: int
    """Of the new text, from 1."""
    old: str
    """The line as it was, without its indentation; empty where a line was added."""
    new: str

    @property
    def changed(self) -> bool:
        return self.before != self.after


def set_phase(data: bytes, place: Place, phase: Phase) -> Edit:
    """`place`: of the table's key, as its rule has it. The file must be one that loads. Raises CannotEdit."""
    root, _ = yaml_marks.parse(data, place.file)
    tables = root.get("tables") if isinstance(root, Mapping) else None
    entry = _entry(tables, place)
    if root is None or not isinstance(tables, Mapping) or entry is None:
        raise CannotEdit(f"{place} is not a table any more: the file has changed meanwhile; try again")
    text = _Text(data.removeprefix(BOM).decode("utf-8"), place)
    start, end, written = _change(text, tables, entry, phase)
    after = _Text(text.text[:start] + written + text.text[end:], place)
    begins = start + len(written) - len(written.lstrip())
    edit = Edit(
        data,
        (BOM if data.startswith(BOM) else b"") + after.text.encode(),
        len(_BREAK.findall(after.text, 0, begins)) + 1,
        "" if _BREAK.search(written) else text.line_at(start),
        after.line_at(begins),
    )
    _check(edit, root, entry.key.text, phase)
    return edit


def _entry(tables: Node | None, place: Place) -> Entry | None:
    if not isinstance(tables, Mapping):
        return None
    return next((one for one in tables.entries if one.key.place == place), None)


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    place: Place

    def offset(self, place: Place) -> int:
        starts = [0, *(found.end() for found in _BREAK.finditer(self.text))]
        return starts[place.line - 1] + place.column - 1

    def line_at(self, offset: int) -> str:
        """Without what surrounds it."""
        start = max((found.end() for found in _BREAK.finditer(self.text, 0, offset)), default=0)
        return _BREAK.split(self.text[start:], maxsplit=1)[0].strip()

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def refuse(self, phase: Phase, why: str) -> CannotEdit:
        return CannotEdit(f"{self.place}: {why}; write `phase: {phase}` for this table by hand")


def _change(text: _Text, tables: Mapping, entry: Entry, phase: Phase) -> tuple[int, int, str]:
    """Where from, where to, and what is put there."""
    value = entry.value
    if isinstance(value, Mapping):
        known = value.get("phase")
        if known is not None:
            return _replaced(text, known, phase)
        return _added(text, value, phase)
    if isinstance(value, Scalar) and value.empty:
        return _first(text, tables, entry, phase)
    if isinstance(value, Scalar) and value.value is None:
        start = text.offset(value.place)
        return start, start + len(value.text), f"{{phase: {phase}}}"
    raise text.refuse(phase, "the table is no mapping")


def _replaced(text: _Text, known: Node, phase: Phase) -> tuple[int, int, str]:
    if not isinstance(known, Scalar):
        raise text.refuse(phase, "its phase is no single word")
    start = text.offset(known.place)
    if known.quoted:
        quote = text.text[start : start + 1]
        end = start + len(known.text) + 2
        if quote not in ("'", '"') or text.text[start:end] != f"{quote}{known.text}{quote}":
            raise text.refuse(phase, "its phase is written in a way that cannot be changed safely")
        return start, end, f"{quote}{phase}{quote}"
    end = start + len(known.text)
    if not known.text or text.text[start:end] != known.text:
        raise text.refuse(phase, "its phase is written in a way that cannot be changed safely")
    return start, end, str(phase)


def _added(text: _Text, table: Mapping, phase: Phase) -> tuple[int, int, str]:
    start = text.offset(table.place)
    if text.text[start : start + 1] == "{":
        start += 1
        if not table.entries:
            return start, start, f"phase: {phase}"
        start += len(text.text[start:]) - len(text.text[start:].lstrip(" "))
        return start, start, f"phase: {phase}, "
    first = table.entries[0].key.place
    start = text.offset(first)
    indent = text.text[start - first.column + 1 : start]
    if indent.strip(" "):
        raise text.refuse(phase, "its settings do not begin on a line of their own")
    return start, start, f"phase: {phase}{text.newline}{indent}"


def _first(text: _Text, tables: Mapping, entry: Entry, phase: Phase) -> tuple[int, int, str]:
    """A table without any setting."""
    if text.text[text.offset(tables.place) : text.offset(tables.place) + 1] == "{":
        raise text.refuse(phase, "the tables stand in braces, and this one has no settings")
    end = text.offset(entry.key.place) + len(
        _BREAK.split(text.text[text.offset(entry.key.place) :], maxsplit=1)[0]
    )
    column = entry.key.place.column - 1
    indent = " " * (2 * column or 2)
    return end, end, f"{text.newline}{indent}phase: {phase}"


def _check(edit: Edit, old: Node, table: str, phase: Phase) -> None:
    """The tree must be what it was but for the one phase."""
    new, problems = yaml_marks.parse(edit.after, "")
    wanted: dict[str, Any] = plain(old)
    wanted["tables"] = dict(wanted["tables"])
    wanted["tables"][table] = {**(wanted["tables"][table] or {}), "phase": str(phase)}
    if new is None or problems or plain(new) != wanted:
        raise CannotEdit(f"the file cannot be changed safely; write `phase: {phase}` for {table} by hand")
