"""The WHERE of a partial index as the filter of a partial index of documents.

https://www.mongodb.com/docs/manual/core/index-partial/ says what such a filter may have. Everything else, and every
comparison that the store might make differently, is `Untranslatable`: then all documents are indexed, which is
never wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from proxy.documents.table_mapping import NotMirrored, TableMapping
from proxy.sql.parse import Node, Source, Unparsed

INTEGERS = frozenset({20, 21, 23})
BOOL, NUMERIC, TEXT, VARCHAR, NAME, UUID = 16, 1700, 25, 1043, 19, 2950
TEXTS = frozenset({TEXT, VARCHAR, NAME})
ENUM = 0
"""Stands for the type of every enum."""

EQUAL = INTEGERS | TEXTS | {BOOL, NUMERIC, UUID, ENUM}
"""Types, by oid, whose equality is that of the store's values."""

NOT_NULL: Mapping[int, str] = MappingProxyType(
    {
        **dict.fromkeys((*INTEGERS, 700, 701, NUMERIC), "number"),
        **dict.fromkeys((*TEXTS, 1042, ENUM), "string"),
        **dict.fromkeys((1082, 1114, 1184), "date"),
        **dict.fromkeys((UUID, 17), "binData"),
        BOOL: "bool",
    }
)
"""By oid: the BSON type of every value but NULL, as `$type` names it."""

_OPERATORS = {"=": "$eq", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Untranslatable(Exception):
    """The store cannot have the condition, or none that is surely the same."""


def partial_filter(predicate: str, mapping: TableMapping, types: Mapping[str, int]) -> dict[str, Any]:
    """`predicate` as PostgreSQL writes it; `types`: the base type's oid of each column, ENUM for any enum.

    Raises Untranslatable with a reason that has no value in it.
    """
    try:
        (statement,) = Source(f"SELECT WHERE {predicate}").statements
        condition = statement.node["whereClause"]
    except (Unparsed, ValueError, KeyError):
        raise Untranslatable("its condition cannot be read") from None
    found: dict[str, Any] = {}
    for field, operator, value in _conditions(condition, mapping, types):
        operators = found.setdefault(field, {})
        if operator in operators or (operators and "$eq" in (operator, *operators)):
            raise Untranslatable("two of its conditions are about one column")
        operators[operator] = value
    return {field: operators.get("$eq", operators) for field, operators in found.items()}


_Condition = tuple[str, str, Any]
"""(field, operator, value)."""


def _conditions(node: Node, mapping: TableMapping, types: Mapping[str, int]) -> list[_Condition]:
    ((kind, body),) = node.items()
    if kind == "BoolExpr" and body["boolop"] == "AND_EXPR":
        return [one for arg in body["args"] for one in _conditions(arg, mapping, types)]
    if kind == "BoolExpr" and body["boolop"] == "NOT_EXPR":
        return [_truth(body["args"][0], False, mapping, types)]
    if kind == "ColumnRef":
        return [_truth(node, True, mapping, types)]
    if kind == "BooleanTest" and body["booltesttype"] in ("IS_TRUE", "IS_FALSE"):
        return [_truth(body["arg"], body["booltesttype"] == "IS_TRUE", mapping, types)]
    if kind == "NullTest":
        column = _column(body["arg"], types)
        field = _field(column, mapping)
        if body["nulltesttype"] == "IS_NULL":
            return [(field, "$eq", None)]
        if (bson_type := NOT_NULL.get(types[column])) is None:
            raise Untranslatable(f"IS NOT NULL of {column}: its values are of several types in documents")
        return [(field, "$type", bson_type)]
    if kind == "A_Expr" and body.get("kind") == "AEXPR_OP":
        return [_comparison(body, mapping, types)]
    raise Untranslatable("its condition has more than comparisons of columns with constants")


def _truth(node: Node, value: bool, mapping: TableMapping, types: Mapping[str, int]) -> _Condition:
    column = _column(node, types)
    if types[column] != BOOL:
        raise Untranslatable("its condition has more than comparisons of columns with constants")
    return _field(column, mapping), "$eq", value


def _comparison(body: Node, mapping: TableMapping, types: Mapping[str, int]) -> _Condition:
    name = body["name"][-1]["String"]["sval"]
    left, right = body.get("lexpr"), body["rexpr"]
    if name not in _OPERATORS or left is None:
        raise Untranslatable(f"the store cannot have the operator {name} in the filter of an index")
    if _constant(left) is not None:
        name, left, right = _TURNED[name], right, left
    column = _column(left, types)
    text = _constant(right)
    if text is None:
        raise Untranslatable("its condition has more than comparisons of columns with constants")
    if types[column] not in (EQUAL if name == "=" else INTEGERS):
        raise Untranslatable(f"column {column} may compare differently in the store")
    try:
        ((field, value),) = mapping.bson_filter([column], [text]).items()
    except NotMirrored:
        raise Untranslatable(f"its condition is about {column}, which documents do not have") from None
    except (ValueError, ArithmeticError):
        raise Untranslatable(f"a constant that {column} is compared with is no value of its type") from None
    return field, _OPERATORS[name], value


def _field(column: str, mapping: TableMapping) -> str:
    try:
        return mapping.field_of(column)
    except NotMirrored:
        raise Untranslatable(f"its condition is about {column}, which documents do not have") from None


def _column(node: Node, types: Mapping[str, int]) -> str:
    """Of a plain column, or a text column read as another type of text."""
    ((kind, body),) = node.items()
    if kind == "TypeCast" and _type_name(body) == "text":
        column = _column(body["arg"], types)
        if types[column] in (*TEXTS, ENUM):
            return column
    if kind == "ColumnRef" and len(body["fields"]) == 1 and "String" in body["fields"][0]:
        name: str = body["fields"][0]["String"]["sval"]
        if name in types:
            return name
    raise Untranslatable("its condition has more than comparisons of columns with constants")


def _constant(node: Node) -> str | None:
    """The text of a constant, its cast left out; None for anything else, NULL too."""
    ((kind, body),) = node.items()
    if kind == "TypeCast" and "A_Const" in body["arg"]:
        return _constant(body["arg"])
    if kind != "A_Const" or body.get("isnull"):
        return None
    if "ival" in body:
        return str(body["ival"].get("ival", 0))
    if "fval" in body:
        return str(body["fval"]["fval"])
    if "boolval" in body:
        return "t" if body["boolval"].get("boolval") else "f"
    if "sval" in body:
        return str(body["sval"].get("sval", ""))
    return None


def _type_name(body: Node) -> str:
    names = body["typeName"].get("names", ())
    return "" if not names else str(names[-1]["String"]["sval"])
