"""Trees of settings laid over each other: short forms written out, a table's own settings over its file's defaults."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from proxy.rulefiles.schema import Section
from proxy.rulefiles.yaml_marks import Entry, Node, Scalar
from proxy.rulefiles.yaml_marks import Mapping as Branch
from proxy.rulefiles.yaml_marks import Sequence as Items


@dataclass(frozen=True, slots=True)
class Shape:
    """What a key of a section holds, as far as short forms are concerned."""

    section: type[Section] | None
    optional: bool
    is_list: bool


@cache
def shapes(model: type[Section]) -> Mapping[str, Shape]:
    """By key."""
    return {name: _shape(info.annotation) for name, info in model.model_fields.items()}


def _shape(annotation: Any) -> Shape:
    """Of a field's type, in which Annotated and `| None` may be wrapped around what counts."""
    pending, section, optional, is_list = [annotation], None, False, False
    while pending:
        kind = pending.pop()
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin is typing.Annotated:
            pending.append(arguments[0])
        elif origin is tuple:
            is_list = True
        elif types.NoneType in arguments:
            optional = True
            pending += [argument for argument in arguments if argument is not types.NoneType]
        elif isinstance(kind, type) and issubclass(kind, Section):
            section = kind
    return Shape(section, optional, is_list)


def expand(node: Node, model: type[Section]) -> Node:
    """Short forms written out: a bare value for a section, a single text for a list."""
    if not isinstance(node, Branch):
        return node
    entries = []
    for entry in node.entries:
        shape, value = shapes(model).get(entry.key.text), entry.value
        if shape is not None and shape.section is not None:
            value = _expand_section(value, shape.section, shape.optional)
        elif shape is not None and shape.is_list and isinstance(value, Scalar) and value.value is not None:
            value = Items((value,), value.place, value.path)
        entries.append(Entry(entry.key, value))
    return Branch(tuple(entries), node.place, node.path)


def _expand_section(node: Node, model: type[Section], optional: bool) -> Node:
    if isinstance(node, Scalar) and model.shorthand and not (optional and node.value is None):
        key = Scalar(model.shorthand, model.shorthand, False, node.place, node.path)
        return Branch((Entry(key, node),), node.place, node.path)
    return expand(node, model)


def merge(under: Node, over: Node) -> Node:
    """`over` with what only `under` says; sections are merged key by key, everything else is replaced."""
    if not isinstance(under, Branch) or not isinstance(over, Branch):
        return over
    entries = {entry.key.text: entry for entry in under.entries}
    for entry in over.entries:
        below = entries.get(entry.key.text)
        if below is None or entry.key.text in _REPLACED:
            entries[entry.key.text] = entry
        else:
            entries[entry.key.text] = Entry(entry.key, merge(below.value, entry.value))
    return Branch(tuple(entries.values()), over.place, over.path)


_REPLACED = frozenset({"rename"})
"""Mappings that are values, not sections."""


def paths(node: Node, prefix: str = "") -> Iterator[str]:
    """Dotted paths of all keys given."""
    if isinstance(node, Branch):
        for entry in node.entries:
            yield prefix + entry.key.text
            yield from paths(entry.value, f"{prefix}{entry.key.text}.")


def locate(root: Node, location: Sequence[str | int], fallback: Node) -> Node:
    """The deepest node on the way to `location`; `fallback` if not even its first key is there."""
    node: Node = root
    for part in location:
        inner: Node | None = None
        if isinstance(node, Branch):
            inner = node.get(str(part))
        elif isinstance(node, Items) and isinstance(part, int) and part < len(node.items):
            inner = node.items[part]
        if inner is None:
            break
        node = inner
    return fallback if node is root else node
