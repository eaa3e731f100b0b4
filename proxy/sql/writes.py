"""The main write of a statement: its target, how RETURNING names it, what it assigns and which rows it is held to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import NamedTuple

from proxy.sql.model import Literal, Parameter, Verb, Write
from proxy.sql.parse import Node
from proxy.sql.survey import relation_ref

_NAMES = ("RangeVar", "RangeFunction", "RangeSubselect", "RangeTableFunc", "RangeTableSample", "JsonTable")
_PLAIN_TYPES = frozenset({"int2", "int4", "int8", "uuid", "text", "varchar"})
"""Types a pinned value may be cast to: their values are written the same whatever type the column has."""
_EMPTY: Node = {}


class Pins(NamedTuple):
    """Columns held to one value."""

    values: dict[str, Parameter | Literal]
    places: dict[str, int]
    """Where the literals among them stand, as the tree counts."""


def write_of(verb: Verb, node: Node) -> tuple[Write, dict[str, int]] | None:
    """The write, and the places of its pinned literals.

    None where RETURNING cannot name the target's row: another relation beside it has the same name.
    """
    target = node["relation"]
    name = target.get("alias", {}).get("aliasname") or target["relname"]
    others = list(_names(_beside(node)))
    if name in others:
        return None
    returning = node.get("returningClause", _EMPTY)
    old_alias = next(
        (
            option["value"]
            for option in (item["ReturningOption"] for item in returning.get("options", ()))
            if option.get("option", "RETURNING_OPTION_OLD") == "RETURNING_OPTION_OLD"
        ),
        None,
    )
    conflict = node.get("onConflictClause", _EMPTY)
    merges = [item["MergeWhenClause"] for item in node.get("mergeWhenClauses", ())]
    commands = {merge.get("commandType") for merge in merges}
    assigned: list[Node] = []
    if verb is Verb.UPDATE:
        assigned = node.get("targetList", [])
    elif verb is Verb.INSERT and conflict.get("action") == "ONCONFLICT_UPDATE":
        assigned = conflict.get("targetList", [])
    elif verb is Verb.MERGE:
        assigned = [
            item
            for merge in merges
            if merge.get("commandType") == "CMD_UPDATE"
            for item in merge.get("targetList", ())
        ]
    pins = Pins({}, {})
    if verb in (Verb.UPDATE, Verb.DELETE):
        pins = _pins(node.get("whereClause", _EMPTY), _qualifiers(target), alone=not others)
    write = Write(
        verb=verb,
        target=relation_ref(target),
        reference=quoted(name),
        returning=bool(returning.get("exprs")),
        sets=frozenset(item["ResTarget"]["name"] for item in assigned),
        may_update=verb is Verb.UPDATE
        or conflict.get("action") == "ONCONFLICT_UPDATE"
        or "CMD_UPDATE" in commands,
        may_delete=verb is Verb.DELETE or "CMD_DELETE" in commands,
        only=not target.get("inh", False),
        pinned=MappingProxyType(pins.values),
        old_alias=quoted(old_alias) if old_alias is not None else None,
        old_hidden=old_alias is None and (name == "old" or "old" in others),
    )
    return write, pins.places


def quoted(name: str) -> str:
    """As an identifier that means exactly `name`, keyword or not."""
    return '"' + name.replace('"', '""') + '"'


def _beside(node: Node) -> list[Node]:
    """What RETURNING can name beside the target: FROM, USING, the source of a MERGE."""
    source = node.get("sourceRelation")
    return [*node.get("fromClause", ()), *node.get("usingClause", ()), *((source,) if source else ())]


def _names(items: Iterable[Node]) -> Iterator[str]:
    """Every name a FROM item brings in, names hidden behind a join's alias included."""
    for item in items:
        join = item.get("JoinExpr")
        if join is not None:
            yield from _names([join.get("larg", _EMPTY), join.get("rarg", _EMPTY)])
            for alias in ("alias", "join_using_alias"):
                if alias in join:
                    yield join[alias]["aliasname"]
            continue
        for kind in _NAMES:
            entry = item.get(kind)
            if entry is None:
                continue
            if kind == "RangeTableSample":
                yield from _names([entry["relation"]])
            elif "alias" in entry:
                yield entry["alias"]["aliasname"]
            elif kind == "RangeVar":
                yield entry["relname"]
            elif kind == "RangeFunction":
                yield from _function_names(entry)
            else:
                yield ""


def _function_names(entry: Node) -> Iterator[str]:
    """A function in FROM without an alias goes by its own name."""
    yield ""
    for function in entry.get("functions", ()):
        for call in function.get("List", _EMPTY).get("items", ()):
            names = call.get("FuncCall", _EMPTY).get("funcname", ())
            if names:
                yield names[-1]["String"].get("sval", "")


def _qualifiers(target: Node) -> set[tuple[str, ...]]:
    """How the statement may name the target in front of a column."""
    if "alias" in target:
        return {(target["alias"]["aliasname"],)}
    name = target["relname"]
    return {(name,), (target["schemaname"], name)} if "schemaname" in target else {(name,)}


def _pins(condition: Node, qualifiers: set[tuple[str, ...]], *, alone: bool) -> Pins:
    """What the conditions AND-ed at the top say: `column = value`, `value = column`, `column IN (value)`.

    A column without a qualifier counts only where the target is `alone`: it may be another relation's.
    """
    pins = Pins({}, {})
    terms = [condition]
    while terms:
        term = terms.pop()
        boolean = term.get("BoolExpr")
        if boolean is not None:
            if boolean.get("boolop", "AND_EXPR") == "AND_EXPR":
                terms.extend(reversed(boolean["args"]))
            continue
        comparison = term.get("A_Expr")
        if comparison is None:
            continue
        left, right = _sides(comparison)
        for column_side, value_side in ((left, right), (right, left)):
            column = _column(column_side, qualifiers, alone=alone)
            value = _value(value_side)
            if column is None or value is None or column in pins.values:
                continue
            pins.values[column] = value[0]
            if isinstance(value[0], Literal):
                pins.places[column] = value[1]
    return pins


def _sides(comparison: Node) -> tuple[Node, Node]:
    """Of an equality; two empty nodes for any other operator."""
    names = [name["String"].get("sval") for name in comparison.get("name", ()) if "String" in name]
    if names not in (["="], ["pg_catalog", "="]):
        return _EMPTY, _EMPTY
    left, right = comparison.get("lexpr", _EMPTY), comparison.get("rexpr", _EMPTY)
    kind = comparison.get("kind", "AEXPR_OP")
    if kind == "AEXPR_OP":
        return left, right
    items: list[Node] = right.get("List", _EMPTY).get("items", []) if kind == "AEXPR_IN" else []
    return (left, items[0]) if len(items) == 1 else (_EMPTY, _EMPTY)


def _column(node: Node, qualifiers: set[tuple[str, ...]], *, alone: bool) -> str | None:
    fields = node.get("ColumnRef", _EMPTY).get("fields", ())
    if not fields or not all("String" in part for part in fields):
        return None
    names: list[str] = [part["String"].get("sval", "") for part in fields]
    qualifier = tuple(names[:-1])
    if (alone and not qualifier) or qualifier in qualifiers:
        return names[-1]
    return None


def _value(node: Node) -> tuple[Parameter | Literal, int] | None:
    """A parameter, integer or string, perhaps cast to a plain type; and where it stands."""
    cast = node.get("TypeCast")
    if cast is not None:
        name = cast.get("typeName", _EMPTY)
        names = name.get("names", ())
        if (
            not names
            or names[-1].get("String", {}).get("sval") not in _PLAIN_TYPES
            or "typmods" in name
            or "arrayBounds" in name
        ):
            return None
        node = cast.get("arg", _EMPTY)
    if "ParamRef" in node:
        number = node["ParamRef"].get("number", 0)
        return (Parameter(number), -1) if number else None
    constant = node.get("A_Const")
    if constant is None:
        return None
    place = constant.get("location", 0)
    if "sval" in constant:
        return Literal(constant["sval"].get("sval", "")), place
    if "ival" in constant:
        return Literal(str(constant["ival"].get("ival", 0))), place
    digits = constant.get("fval", _EMPTY).get("fval", "")
    return (Literal(digits), place) if digits.isascii() and digits.isdigit() else None
