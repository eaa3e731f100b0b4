"""Expressions: from the parser's tree to a typed one. Manual: 4.2, chapter 9."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from proxy.sql.parse import Node
from proxy.translate import bind_calls, numbers, typenames
from proxy.translate import bind_operators as ops
from proxy.translate import types as t
from proxy.translate.coerce import boolean as condition
from proxy.translate.coerce import cast, coerce, common_typmod, outside, resolved, shape, to_common
from proxy.translate.context import Context
from proxy.translate.literals import Literal
from proxy.translate.rewrite import has_domain, walk
from proxy.translate.scope import Scope, lookup
from proxy.translate.tree import (
    Agg,
    ArrayOf,
    Call,
    Case,
    Coalesce,
    Column,
    Const,
    Expr,
    Extreme,
    IsNull,
    IsTruth,
    Logic,
    Param,
    Query,
    Shape,
    Sub,
    Window,
    boolean,
)
from proxy.translate.values import Collation, order_key

BindQuery = Callable[[Node, Scope], Query]


class Binder:
    """Binds the expressions of one query."""

    def __init__(self, context: Context, scope: Scope, query: BindQuery) -> None:
        self.context = context
        self.scope = scope
        self.query = query
        """Binds a query within, given its SelectStmt and the scope around it."""
        self.windows: dict[str, Node] = {}
        """Those of the WINDOW clause."""
        self.named: set[str] = set()
        """Windows that something is computed over."""

    def expr(self, wrapped: Node) -> Expr:
        ((kind, node),) = wrapped.items()
        handler = _HANDLERS.get(kind)
        if handler is None:
            self.context.refuse(f"expression {kind}", node)
        return handler(self, node)

    def condition(self, wrapped: Node) -> Expr:
        return condition(self.context, self.expr(wrapped), next(iter(wrapped.values())))

    def column(self, node: Node) -> Expr:
        return lookup(self.context, self.scope, node)

    def param(self, node: Node) -> Expr:
        number = node.get("number", 0)
        if not number:
            self.context.refuse("a parameter without a number", node)
        oid = self.context.parameter(number)
        if oid != t.UNKNOWN and not self.context.types.known(oid):
            self.context.refuse(f"a parameter of type {self.context.types.name(oid)}", node)
        return Param(Shape(oid, -1, self.context.collation_of(oid)), number)

    def constant(self, node: Node) -> Expr:
        if node.get("isnull"):
            return Const(Shape(t.UNKNOWN), None)
        if "boolval" in node:
            return Const(Shape(t.BOOL), bool(node["boolval"].get("boolval", False)))
        made: Const
        if "ival" in node:
            made = Const(Shape(t.INT4), int(node["ival"].get("ival", 0)))
        elif "sval" in node:
            made = Const(Shape(t.UNKNOWN), node["sval"].get("sval", ""))
        elif "fval" in node:
            made = self._number(node["fval"]["fval"], node)
        else:
            self.context.refuse("a constant of bits", node)
        return self._open(made, node) or made

    def _open(self, made: Const, node: Node) -> Literal | None:
        """The same, its value to be asked for when the plan runs, where that is wanted."""
        literals, location = self.context.literals, node.get("location", -1)
        if literals is None or location < 0:
            return None
        place = self.context.source.place(location)
        if made.type == t.UNKNOWN:
            return literals.text_at(place, made.value)
        return literals.number(place, made.value, made.type)

    def _number(self, text: str, node: Node) -> Const:
        if text.removeprefix("-").isdecimal():  # the grammar has drawn a sign in
            value = int(text)
            if -(1 << 31) <= value < 1 << 31:
                return Const(Shape(t.INT4), value)
            if -(1 << 63) <= value < 1 << 63:
                return Const(Shape(t.INT8), value)
        if not all(char in "0123456789.eE+-" for char in text):
            self.context.refuse("a number that is written in another way", node)
        found = Decimal(text)
        if abs(found.adjusted()) > 1000:
            self.context.refuse("a number of more than 1000 digits", node)
        return Const(Shape(t.NUMERIC), numbers.numeric(found))

    def type_cast(self, node: Node) -> Expr:
        context = self.context
        context.only(node, ("arg", "typeName"), "cast")
        oid, typmod = typenames.type_of(context, node["typeName"])
        if "A_ArrayExpr" in node["arg"] and context.types.element(oid):
            return self.array(node["arg"]["A_ArrayExpr"], oid, typmod)
        return cast(context, self.expr(node["arg"]), oid, typmod, node)

    def operator(self, node: Node) -> Expr:
        context = self.context
        context.only(
            node, ("kind", "name", "lexpr", "rexpr", "rexpr_list_start", "rexpr_list_end"), "operator"
        )
        names = [part["String"]["sval"] for part in node["name"]]
        if len(names) > 1 and names[0] != "pg_catalog":
            context.refuse("an operator of a schema", node)
        name = "<>" if names[-1] == "!=" else names[-1]
        match node["kind"]:
            case "AEXPR_OP":
                return self._plain(name, node)
            case "AEXPR_OP_ANY" | "AEXPR_OP_ALL":
                every = node["kind"] == "AEXPR_OP_ALL"
                return ops.any_of(
                    context, name, self.expr(node["lexpr"]), self.expr(node["rexpr"]), every, node
                )
            case "AEXPR_DISTINCT" | "AEXPR_NOT_DISTINCT":
                if _row(node["lexpr"]) is not None or _row(node["rexpr"]) is not None:
                    context.refuse("IS DISTINCT FROM of rows", node)
                negated = node["kind"] == "AEXPR_NOT_DISTINCT"
                for side, other in (("lexpr", "rexpr"), ("rexpr", "lexpr")):
                    if node[side].get("A_Const", {}).get("isnull"):
                        return IsNull(boolean(), self.expr(node[other]), not negated)
                return ops.distinct(
                    context, self.expr(node["lexpr"]), self.expr(node["rexpr"]), negated, node
                )
            case "AEXPR_NULLIF":
                return ops.null_if(context, self.expr(node["lexpr"]), self.expr(node["rexpr"]), node)
            case "AEXPR_IN":
                return self._in(name, node)
            case "AEXPR_LIKE" | "AEXPR_ILIKE":
                return ops.apply(context, name, self.expr(node["lexpr"]), self.expr(node["rexpr"]), node)
            case "AEXPR_BETWEEN" | "AEXPR_NOT_BETWEEN" | "AEXPR_BETWEEN_SYM" | "AEXPR_NOT_BETWEEN_SYM":
                low, high = node["rexpr"]["List"]["items"]
                kind = node["kind"]
                return ops.between(
                    context,
                    self.expr(node["lexpr"]),
                    self.expr(low),
                    self.expr(high),
                    "NOT" in kind,
                    "SYM" in kind,
                    node,
                )
        context.refuse(f"operator {node['kind']}", node)

    def _plain(self, name: str, node: Node) -> Expr:
        if "lexpr" not in node:
            return ops.apply(self.context, name, None, self.expr(node["rexpr"]), node)
        left, right = _row(node["lexpr"]), _row(node["rexpr"])
        if left is not None and right is not None:
            return ops.rows(
                self.context, name, [self.expr(one) for one in left], [self.expr(one) for one in right], node
            )
        if left is not None or right is not None:
            self.context.refuse("a row beside what is none", node)
        return ops.apply(self.context, name, self.expr(node["lexpr"]), self.expr(node["rexpr"]), node)

    def _in(self, name: str, node: Node) -> Expr:
        items = node["rexpr"]["List"]["items"]
        left_row = _row(node["lexpr"])
        negated = name == "<>"
        if left_row is not None:
            left = [self.expr(one) for one in left_row]
            parts = []
            for item in items:
                right = _row(item)
                if right is None:
                    self.context.refuse("a row beside what is none", node)
                parts.append(ops.rows(self.context, name, left, [self.expr(one) for one in right], node))
            return Logic(boolean(), "and" if negated else "or", tuple(parts)) if len(parts) > 1 else parts[0]
        one = self.expr(node["lexpr"])
        bound = [self.expr(item) for item in items]
        return ops.in_list(self.context, one, [(expr, _has_columns(expr)) for expr in bound], negated, node)

    def logic(self, node: Node) -> Expr:
        kind = {"AND_EXPR": "and", "OR_EXPR": "or", "NOT_EXPR": "not"}[node["boolop"]]
        return Logic(boolean(), kind, tuple(self.condition(arg) for arg in node["args"]))

    def null_test(self, node: Node) -> Expr:
        self.context.only(node, ("arg", "nulltesttype"), "IS NULL")
        if _row(node["arg"]) is not None:
            self.context.refuse("IS NULL of a row", node)
        arg = self.expr(node["arg"])
        if arg.type == t.UNKNOWN and isinstance(arg, Param):
            self.context.refuse("a parameter whose type is not known", node)
        return IsNull(boolean(), resolved(self.context, arg), node["nulltesttype"] == "IS_NOT_NULL")

    def truth_test(self, node: Node) -> Expr:
        kind = node["booltesttype"].removeprefix("IS_")
        wanted = {"TRUE": True, "FALSE": False, "UNKNOWN": None}[kind.removeprefix("NOT_")]
        return IsTruth(boolean(), self.condition(node["arg"]), wanted, kind.startswith("NOT_"))

    def case(self, node: Node) -> Expr:
        context = self.context
        context.only(node, ("arg", "args", "defresult"), "CASE")
        arg = resolved(context, self.expr(node["arg"])) if "arg" in node else None
        conditions, results = [], []
        for wrapped in node["args"]:
            when = wrapped["CaseWhen"]
            if arg is None:
                conditions.append(self.condition(when["expr"]))
            else:
                conditions.append(
                    condition(context, ops.apply(context, "=", arg, self.expr(when["expr"]), when), when)
                )
            results.append(self.expr(when["result"]))
        otherwise = self.expr(node["defresult"]) if "defresult" in node else Const(Shape(t.UNKNOWN), None)
        made, oid = to_common(context, [*results, otherwise], len(results), node)
        made_shape = shape(context, oid, common_typmod(made, oid), made)
        return Case(made_shape, tuple(zip(conditions, made[:-1], strict=True)), made[-1])

    def coalesce(self, node: Node) -> Expr:
        made, oid = to_common(self.context, [self.expr(arg) for arg in node["args"]], None, node)
        return Coalesce(shape(self.context, oid, common_typmod(made, oid), made), tuple(made))

    def extreme(self, node: Node) -> Expr:
        made, oid = to_common(self.context, [self.expr(arg) for arg in node["args"]], None, node)
        made_shape = shape(self.context, oid, common_typmod(made, oid), made)
        key = order_key(oid, self.context.types, made_shape.collation)
        return Extreme(made_shape, tuple(made), node.get("op") == "IS_GREATEST", key)

    def collate(self, node: Node) -> Expr:
        names = [part["String"]["sval"] for part in node["collname"]]
        if names[-1] not in ("C", "POSIX") or (len(names) > 1 and names[0] != "pg_catalog"):
            self.context.refuse("a collation that is not C", node)
        arg = resolved(self.context, self.expr(node["arg"]))
        if not self.context.collatable(arg.type):
            self.context.refuse("a collation of what has none", node)
        made = arg.shape._replace(collation=Collation(names[-1], True, True, "c", True))
        return Call(made, f"collate:{names[-1]}", (arg,), lambda value: value)

    def subscript(self, node: Node) -> Expr:
        """An element of an array, which counts from 1 here: others are not read (`transformContainerSubscripts`)."""
        context = self.context
        array = self.expr(node["arg"])
        indices = [one.get("A_Indices") for one in node["indirection"]]
        element = context.types.element(array.type)
        if len(indices) != 1 or indices[0] is None or indices[0].get("is_slice") or not element:
            context.refuse("a field, a slice, or a subscript of what is no array", node)
        index = self.expr(indices[0]["uidx"])
        if index.type not in (t.INT2, t.INT4):
            context.refuse("a subscript that is no integer", node)
        return Call(
            shape(context, element, array.shape.typmod, [array]), f"[]:{array.type}", (array, index), _item
        )

    def array(self, node: Node, oid: int = 0, typmod: int = -1) -> Expr:
        """With an array's type, its items are cast to that type's."""
        context = self.context
        items = [self.expr(item) for item in node.get("elements", ())]
        if oid:
            element = context.types.element(oid)
            items = [cast(context, item, element, typmod, node) for item in items]
        elif not items:
            context.refuse("an empty array without a type", node)
        else:
            if all(has_domain(item) for item in items):
                context.refuse("an array of a domain", node)
            items, element = to_common(context, items, None, node)
            oid = context.types.array(element)
            typmod = common_typmod(items, element)
        if not oid or context.types.element(element):
            context.refuse("an array type", node)
        return ArrayOf(shape(context, oid, typmod, items), tuple(items))

    def value_function(self, node: Node) -> Expr:
        context = self.context
        kind = node["op"].removeprefix("SVFOP_")
        if kind == "CURRENT_TIMESTAMP":
            context.uses.add("now")
            return Call(Shape(t.TIMESTAMPTZ), "now", (), lambda run: run.now(), True, True)
        if kind in ("CURRENT_DATE", "LOCALTIMESTAMP"):
            context.uses.update(("now", "timezone"))
            target = t.DATE if kind == "CURRENT_DATE" else t.TIMESTAMP
            now = Call(Shape(t.TIMESTAMPTZ), "now", (), lambda run: run.now(), True, True)
            return coerce(context, now, target, "a", node)
        context.refuse(f"function {kind}", node)

    def sublink(self, node: Node) -> Expr:
        context = self.context
        context.only(node, ("subLinkType", "subLinkId", "testexpr", "operName", "subselect"), "subquery")
        select = node["subselect"].get("SelectStmt")
        if select is None:
            context.refuse("a subquery that is not a SELECT", node)
        kind = node["subLinkType"]
        query = self.query(select, self.scope)
        columns = query.targets[: query.visible]
        if kind == "EXISTS_SUBLINK":
            return Sub(boolean(), "exists", query)
        if kind == "EXPR_SUBLINK" and len(columns) == 1:
            return Sub(outside(columns[0].expr.shape), "scalar", query)
        if kind == "ARRAY_SUBLINK" and len(columns) == 1:
            made = outside(columns[0].expr.shape)
            array = context.types.array(made.type)
            if not array or not context.types.known(array):
                context.refuse("an array type", node)
            if has_domain(columns[0].expr):
                context.refuse("an array of a domain", node)
            return Sub(made._replace(type=array), "array", query)
        if kind in ("ANY_SUBLINK", "ALL_SUBLINK"):
            return self._quantified(kind == "ALL_SUBLINK", node, query)
        context.refuse(f"subquery {kind}", node)

    def _quantified(self, every: bool, node: Node, query: Query) -> Expr:
        context = self.context
        row = _row(node["testexpr"])
        left = [self.expr(one) for one in (row if row is not None else [node["testexpr"]])]
        name = node["operName"][-1]["String"]["sval"] if "operName" in node else "="
        columns = [target.expr for target in query.targets[: query.visible]]
        if len(left) != len(columns):
            context.refuse("a subquery of another number of columns", node)
        if any(isinstance(expr, Param) and expr.type == t.UNKNOWN for expr in left):
            # the operator decides: with the other side's type, as for any two operands
            left = [
                coerce(context, expr, column.type, node=node) if expr.type == t.UNKNOWN else expr
                for expr, column in zip(left, columns, strict=True)
            ]
        width = len(left)
        tests = [resolved(context, expr) if expr.type == t.UNKNOWN else expr for expr in left]
        if any(expr.type == t.UNKNOWN for expr in left):
            tests = [
                coerce(context, expr, column.type, node=node)
                for expr, column in zip(left, columns, strict=True)
            ]
        ones = [Column(expr.shape, 0, place) for place, expr in enumerate(tests)]
        others = [Column(expr.shape, 0, width + place) for place, expr in enumerate(columns)]
        compare = ops.rows(context, "<>" if name == "!=" else name, ones, others, node)
        return Sub(boolean(), "all" if every else "any", query, tuple(tests), compare)

    def call(self, node: Node) -> Expr:
        return bind_calls.call(self, node)

    def row(self, node: Node) -> Expr:
        self.context.refuse("a row", node)


def _row(wrapped: Node) -> list[Node] | None:
    row = wrapped.get("RowExpr")
    return None if row is None else row.get("args", [])


def _has_columns(expr: Expr) -> bool:
    return any(
        (isinstance(part, Column) and part.level == 0) or isinstance(part, Agg | Window)
        for part in walk(expr)
    )


def _item(array: tuple[object, ...], index: int) -> object:
    return array[index - 1] if 0 < index <= len(array) else None


_HANDLERS: dict[str, Callable[[Binder, Node], Expr]] = {
    "ColumnRef": Binder.column,
    "ParamRef": Binder.param,
    "A_Const": Binder.constant,
    "TypeCast": Binder.type_cast,
    "A_Expr": Binder.operator,
    "BoolExpr": Binder.logic,
    "NullTest": Binder.null_test,
    "BooleanTest": Binder.truth_test,
    "CaseExpr": Binder.case,
    "CoalesceExpr": Binder.coalesce,
    "MinMaxExpr": Binder.extreme,
    "CollateClause": Binder.collate,
    "A_ArrayExpr": Binder.array,
    "A_Indirection": Binder.subscript,
    "SQLValueFunction": Binder.value_function,
    "SubLink": Binder.sublink,
    "FuncCall": Binder.call,
    "RowExpr": Binder.row,
}
