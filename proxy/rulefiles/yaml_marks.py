"""YAML as a tree in which every node knows its line, its column and its key path.

A deliberately small part of YAML: one document of mappings with scalar keys, sequences and scalars. No
anchors, aliases, merge keys or tags: rules are edited by programs too, and an edit must reach only the table it
is for.
Plain scalars mean what they mean in the core schema of YAML 1.2, so `off`, `yes` and `1:30` are texts.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from proxy.rulefiles.problems import Place, Problem

MAX_DEPTH = 16
"""Levels of nesting; the schema has seven."""

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Scalar:
    value: str | int | float | bool | None
    text: str
    """As written, without quotes."""
    quoted: bool
    place: Place
    path: KeyPath

    @property
    def empty(self) -> bool:
        """Nothing stands after the key."""
        return not self.quoted and not self.text


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Node, ...]
    place: Place
    path: KeyPath


@dataclass(frozen=True, slots=True)
class Entry:
    key: Scalar
    value: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    entries: tuple[Entry, ...]
    place: Place
    path: KeyPath

    def entry(self, key: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.key.value == key), None)

    def get(self, key: str) -> Node | None:
        entry = self.entry(key)
        return entry.value if entry else None


Node = Scalar | Sequence | Mapping


def path_text(path: KeyPath) -> str:
    """`tables.orders.exclude[1]`"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def plain(node: Node) -> Any:
    """As Python objects; sequences become tuples."""
    if isinstance(node, Mapping):
        return {entry.key.value: plain(entry.value) for entry in node.entries}
    if isinstance(node, Sequence):
        return tuple(plain(item) for item in node.items)
    return node.value


def nearest(word: str, candidates: list[str]) -> str | None:
    """The candidate that `word` was probably meant to be."""
    by_fold = {name.casefold().replace("-", "_"): name for name in candidates}
    close = difflib.get_close_matches(word.casefold().replace("-", "_"), by_fold, 1, 0.6)
    return by_fold[close[0]] if close else None


class _Refused(Exception):
    """The text cannot be turned into a tree."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def parse(data: bytes, file: str, *, pure: bool = False) -> tuple[Node | None, list[Problem]]:
    """The tree and what is wrong with the text. No tree where something in it could not be understood.

    `pure` reads with PyYAML's Python parser even where libyaml is there.
    """
    try:
        text = _decode(data, file)
        builder = _Builder(file, text)
        loader: Any = yaml.SafeLoader if pure or not yaml.__with_libyaml__ else yaml.CSafeLoader
        try:
            node = builder.build(yaml.parse(text, Loader=loader))
        except yaml.MarkedYAMLError as error:
            raise _Refused(_syntax_problem(error, file, text)) from None
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            # Without a mark: a character or escape that cannot be; the last event says about where.
            place = builder.last
            reason = f"this is not YAML: {str(error).splitlines()[0]}"
            raise _Refused(Problem(file, place.line, place.column, "", reason)) from None
    except _Refused as refused:
        return None, [refused.problem]
    return (None if builder.unusable else node), builder.problems


_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


_SURROGATE = re.compile("[\ud800-\udfff]")


def _decode(data: bytes, file: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _Refused(Problem(file, 1, 1, "", "the file is UTF-16", "save it as UTF-8"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = _line_and_column(before)
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise _Refused(Problem(file, line, column, "", message, "save the file as UTF-8")) from None
    if control := _FORBIDDEN.search(text):
        line, column = _line_and_column(text[: control.start()])
        message = f"the character U+{ord(control[0]):04X} cannot stand in a rule file"
        raise _Refused(Problem(file, line, column, "", message, "remove it, or escape it in double quotes"))
    return text


def _line_and_column(before: str) -> tuple[int, int]:
    lines = re.split("\r\n|\r|\n", before)
    return len(lines), len(lines[-1]) + 1


def _syntax_problem(error: yaml.MarkedYAMLError, file: str, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    reason = error.problem or error.context or "syntax error"
    lines = re.split("\r\n|\r|\n", text)
    line = min(line, len(lines))
    here = lines[line - 1]
    hint = ""
    if re.match(" *\t", here) or "\\t" in reason:
        hint = "use spaces to indent and to separate; YAML allows no tabs there"
    elif "mapping values are not allowed" in reason:
        hint = "check the indentation, and put quotes around a text that holds a colon and a space"
    elif "could not find expected ':'" in reason:
        hint = "a key needs a colon and a space behind it"
    elif "cannot start any token" in reason or "alphabetic or numeric character" in reason:
        hint = "put quotes around a text that begins with a special character"
    elif "block end" in reason or "block collection" in reason or "block mapping" in reason:
        hint = "check the indentation: keys of one section stand under each other"
    elif "end of stream" in reason or "flow" in reason:
        hint = "a quote or bracket is not closed"
    return Problem(file, line, column, "", f"this is not YAML: {reason}", hint)


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been seen."""

    place: Place
    path: KeyPath
    is_mapping: bool
    items: list[Node]
    entries: list[Entry]
    keys: dict[str, Place]
    key: Scalar | None = None
    """The key that waits for its value."""


class _Builder:
    """Turns PyYAML's events into a tree without recursion."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.unusable = False
        self.last = Place(file, 1, 1)
        self._open: list[_Open] = []
        self._root: Node | None = None
        self._lines = text.count("\n") + 1

    def build(self, events: Iterator[Any]) -> Node | None:
        documents = 0
        for event in events:
            mark = event.start_mark
            self.last = Place(self.file, min(mark.line + 1, self._lines), mark.column + 1)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Refused(
                        self._problem("a second document begins", "write one document, or several files", ())
                    )
            elif isinstance(event, yaml.NodeEvent):
                self._node(event)
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self._close()
        return self._root

    def _problem(self, message: str, hint: str, path: KeyPath) -> Problem:
        return Problem(self.file, self.last.line, self.last.column, path_text(path), message, hint)

    def _report(self, message: str, hint: str, path: KeyPath) -> None:
        """The tree stays good enough for further checks."""
        self.problems.append(self._problem(message, hint, path))

    def _refuse(self, message: str, hint: str, path: KeyPath) -> None:
        """Part of the tree is not known."""
        self._report(message, hint, path)
        self.unusable = True

    def _path(self) -> KeyPath:
        """Of the node that comes next."""
        if not self._open:
            return ()
        parent = self._open[-1]
        if not parent.is_mapping:
            return (*parent.path, len(parent.items))
        return (*parent.path, str(parent.key.text)) if parent.key is not None else parent.path

    def _node(self, event: Any) -> None:
        path = self._path()
        if getattr(event, "anchor", None):
            name = event.anchor
            if isinstance(event, yaml.AliasEvent):
                self._refuse(
                    f"the alias *{name} is not allowed", "write the settings out, or use `defaults`", path
                )
            else:
                self._report(
                    f"the anchor &{name} is not allowed", "write the settings out, or use `defaults`", path
                )
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._refuse(f"the tag {tag} is not allowed", "write the value without a tag", path)
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if self._awaits_key():
                raise _Refused(self._problem("a key must be a single word", "keys are plain texts", path))
            if len(self._open) >= MAX_DEPTH:
                message = f"nested deeper than {MAX_DEPTH} levels"
                raise _Refused(self._problem(message, "no rule is nested so deeply", path))
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            self._open.append(_Open(self.last, path, is_mapping, [], [], {}))
            return
        if isinstance(event, yaml.AliasEvent):
            self._add(Scalar(None, f"*{event.anchor}", True, self.last, path))
            return
        quoted = bool(event.style)
        value = event.value if quoted or tag is not None else resolve(event.value)
        if _SURROGATE.search(event.value):
            self._refuse("half of a surrogate pair is not a character", "write the whole character", path)
        self._add(Scalar(value, event.value, quoted, self.last, path))

    def _awaits_key(self) -> bool:
        return bool(self._open) and self._open[-1].is_mapping and self._open[-1].key is None

    def _add(self, node: Node) -> None:
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if not parent.is_mapping:
            parent.items.append(node)
        elif parent.key is None:
            assert isinstance(node, Scalar)
            parent.key = self._checked_key(node, parent)
        else:
            if parent.key.text not in parent.keys:
                parent.keys[parent.key.text] = parent.key.place
                parent.entries.append(Entry(parent.key, node))
            parent.key = None

    def _checked_key(self, key: Scalar, parent: _Open) -> Scalar:
        path = (*parent.path, key.text)
        if key.text == "<<" and not key.quoted:
            self._refuse("merge keys are not allowed", "write the settings out, or use `defaults`", path)
        elif not isinstance(key.value, str):
            kind = {bool: "a truth value", type(None): "nothing"}.get(type(key.value), "a number")
            self._report(f"YAML reads the key {key.text} as {kind}", f'quote it: "{key.text}"', path)
        if (first := parent.keys.get(key.text)) is not None:
            message = f"the key stands here twice, first in line {first.line}"
            self._report(message, "remove one of them", path)
        return Scalar(key.text, key.text, key.quoted, key.place, path)

    def _close(self) -> None:
        done = self._open.pop()
        if done.is_mapping:
            self._add(Mapping(tuple(done.entries), done.place, done.path))
        else:
            self._add(Sequence(tuple(done.items), done.place, done.path))


_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def resolve(text: str) -> str | int | float | bool | None:
    """A plain scalar's value in the core schema of YAML 1.2.

    Numbers that YAML 1.1 reads otherwise (leading zeros), other bases and numbers out of range stay texts.
    """
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if len(text) < 40 and _FLOAT.fullmatch(text) and not re.match("[-+]?0[0-9]", text):
        value = float(text)
        return value if abs(value) < 1e300 else text
    return text
