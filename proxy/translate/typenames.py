"""Names of types as they are written, and names of columns that have none. Manual: 4.2.9, 7.3.2, chapter 8."""

from __future__ import annotations

from typing import Any

from proxy.sql.parse import Node
from proxy.translate import types as t
from proxy.translate.context import Context


def type_of(context: Context, node: Node) -> tuple[int, int]:
    """(oid beneath domains, typmod) of a TypeName."""
    context.only(node, ("names", "typmods", "typemod", "arrayBounds"), "type")
    names = [part["String"]["sval"] for part in node["names"]]
    oid = _named(context, names, node)
    typmod = -1
    if node.get("typmods"):
        values = [_number(context, part, node) for part in node["typmods"]]
        typmod = _typmod(context, oid, values, node)
    if node.get("arrayBounds"):
        oid = context.types.array(oid)
        if not oid:
            context.refuse("an array type", node)
    return oid, typmod


def _number(context: Context, part: Node, node: Node) -> int:
    constant = part.get("A_Const", {})
    context.looked_at(constant)
    if "ival" not in constant:
        context.refuse("a type modifier", node)
    return int(constant["ival"].get("ival", 0))


def _named(context: Context, names: list[str], node: Node) -> int:
    if len(names) == 2 and names[0] == "pg_catalog" and names[1] in t.BY_NAME:
        return t.BY_NAME[names[1]]
    if len(names) == 1 and names[0] in t.BY_NAME:
        return t.BY_NAME[names[0]]
    schema = names[0] if len(names) == 2 else context.search_path[0] if context.search_path else ""
    for info in context.types.infos.values():
        if info.schema == schema and info.name == names[-1] and info.kind in "e" and len(names) <= 2:
            return info.oid
    context.refuse("a type that is not known", node)


def _typmod(context: Context, oid: int, values: list[int], node: Node) -> int:
    if oid in (t.VARCHAR, t.BPCHAR) and len(values) == 1 and 0 < values[0] <= 10_485_760:
        return values[0] + 4
    if oid == t.NUMERIC and len(values) <= 2:
        precision, scale = values[0], values[1] if len(values) > 1 else 0
        if 1 <= precision <= 1000 and 0 <= scale <= precision:
            return ((precision << 16) | scale) + 4
    if oid in (t.TIMESTAMP, t.TIMESTAMPTZ) and len(values) == 1 and 0 <= values[0] <= 6:
        return values[0]
    context.refuse("a type modifier", node)


def column_name(node: Node) -> str:
    """FigureColname."""
    return _figured(node)[0] or "?column?"


def _figured(wrapped: Any) -> tuple[str, int]:
    """(name, strength): 2 is a good name, 1 one of a type."""
    if not wrapped:
        return "", 0
    ((kind, node),) = wrapped.items()
    match kind:
        case "ColumnRef":
            names = [part["String"]["sval"] for part in node["fields"] if "String" in part]
            return (names[-1], 2) if names else ("", 0)
        case "A_Indirection":
            names = [part["String"]["sval"] for part in node.get("indirection", ()) if "String" in part]
            return (names[-1], 2) if names else _figured(node["arg"])
        case "FuncCall":
            return node["funcname"][-1]["String"]["sval"], 2
        case "A_Expr":
            if node["kind"] == "AEXPR_NULLIF":
                return "nullif", 2
        case "TypeCast":
            name, strength = _figured(node["arg"])
            if strength <= 1:
                return node["typeName"]["names"][-1]["String"]["sval"], 1
            return name, strength
        case "CollateClause":
            return _figured(node["arg"])
        case "GroupingFunc":
            return "grouping", 2
        case "SubLink":
            return _sublink(node)
        case "CaseExpr":
            name, strength = _figured(node.get("defresult"))
            return ("case", 1) if strength <= 1 else (name, strength)
        case "A_ArrayExpr":
            return "array", 2
        case "RowExpr":
            return "row", 2
        case "CoalesceExpr":
            return "coalesce", 2
        case "MinMaxExpr":
            return ("greatest" if node.get("op") == "IS_GREATEST" else "least"), 2
        case "SQLValueFunction":
            return node["op"].removeprefix("SVFOP_").lower().removesuffix("_n"), 2
    return "", 0


def _sublink(node: Node) -> tuple[str, int]:
    match node["subLinkType"]:
        case "EXISTS_SUBLINK":
            return "exists", 2
        case "ARRAY_SUBLINK":
            return "array", 2
        case "EXPR_SUBLINK":
            select = node["subselect"].get("SelectStmt", {})
            while select.get("op", "SETOP_NONE") != "SETOP_NONE":
                select = select["larg"]
            if select.get("targetList"):
                target = select["targetList"][0]["ResTarget"]
                if "name" in target:
                    return target["name"], 2
                return _figured(target["val"])
            if select.get("valuesLists"):
                return "column1", 2
    return "", 0
