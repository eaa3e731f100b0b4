"""Calls of functions, aggregates and window functions. Manual: 4.2.6 to 4.2.8, 9.21, 9.22, 10.3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from proxy.sql.parse import Node
from proxy.translate import functions
from proxy.translate import types as t
from proxy.translate.coerce import coerce, merged, resolved, shape, to_common
from proxy.translate.context import Context
from proxy.translate.literals import Literal
from proxy.translate.resolve import EXPLICIT, choose, pathway
from proxy.translate.rewrite import has_domain, walk
from proxy.translate.tree import Agg, Call, Column, Const, Expr, Frame, Param, Shape, SortKey, Sub, Window
from proxy.translate.types import Signature
from proxy.translate.values import equality_key, order_key

if TYPE_CHECKING:
    from proxy.translate.bind_expr import Binder

AGGREGATES = frozenset(
    (
        *("count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every", "string_agg", "array_agg"),
        *("bit_and", "bit_or", "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp"),
    )
)
WINDOWS = frozenset(
    (
        *("row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile"),
        *("lag", "lead", "first_value", "last_value", "nth_value"),
    )
)
_COUNTS = {"lag": (1, 2, 3), "lead": (1, 2, 3), "nth_value": (2,)}
"""Numbers of arguments, where it is not one alone."""
_OPTIONS = (
    *("funcname", "args", "agg_order", "agg_filter", "over", "agg_star", "agg_distinct", "funcformat"),
)
_VOLATILE = frozenset(
    (
        *("random", "nextval", "currval", "gen_random_uuid", "uuid_generate_v4"),
        *("clock_timestamp", "statement_timestamp", "timeofday"),
    )
)


def call(binder: Binder, node: Node) -> Expr:
    context = binder.context
    context.only(node, _OPTIONS, "function call")
    names = [part["String"]["sval"] for part in node["funcname"]]
    name = names[-1]
    if len(names) > 1 and (len(names) > 2 or names[0] != "pg_catalog"):
        context.refuse("a function of a schema", node)
    if len(names) == 1 and name in context.snapshot.language.functions:
        context.refuse("a function that the database has of its own, too", node)
    if name in _VOLATILE:
        context.refuse("a volatile function", node)
    signatures = t.functions().get(name)
    if signatures is None:
        context.refuse("a function that is not known", node)
    args = [binder.expr(arg) for arg in node.get("args", ())]
    kinds = {signature.kind for signature in signatures}
    if "over" in node:
        return _window(binder, name, args, signatures, node)
    if "a" in kinds:
        return aggregate(binder, name, args, signatures, node)
    if kinds == {"w"}:
        context.refuse("a window function without OVER", node)
    if any(option in node for option in ("agg_order", "agg_filter", "agg_star", "agg_distinct")):
        context.refuse("options of an aggregate at a function", node)
    return function(context, name, args, signatures, node)


def function(
    context: Context, name: str, args: list[Expr], signatures: Sequence[Signature], node: Node
) -> Expr:
    given = tuple(arg.type for arg in args)
    if len(args) == 1 and name in t.BY_NAME and not any(one.arguments == given for one in signatures):
        # `date(x)` and its like are casts where the cast is not a function (`func_get_detail`)
        target = t.BY_NAME[name]
        how = "b" if given == (t.UNKNOWN,) else pathway(context.types, given[0], target, EXPLICIT)
        if how in ("b", "i"):
            return coerce(context, args[0], target, EXPLICIT, node)
    chosen = _resolve(context, name, args, signatures)
    if chosen is None:
        context.refuse(f"function {name}({', '.join(map(context.types.name, given))})", node)
    if chosen.returns_set:
        context.refuse("a function that returns a set", node)
    declared = _spread(chosen, len(args))
    polymorphic = (t.ANY, t.ANYARRAY, t.ANYELEMENT)
    for arg, oid in zip(args, declared, strict=True):
        if oid in polymorphic and arg.type == t.UNKNOWN and (oid != t.ANY or isinstance(arg, Param)):
            context.refuse("a value whose type is not known", node)
    made = [
        resolved(context, arg) if oid in polymorphic else coerce(context, arg, oid, node=node)
        for arg, oid in zip(args, declared, strict=True)
    ]
    collation = merged(context, [arg for arg in made if context.collatable(arg.type)], node)
    impl = functions.implement(name, tuple(arg.type for arg in made), context.types, collation)
    if impl.session:
        context.uses.add("now" if name in ("now", "transaction_timestamp") else "timezone")
    result = chosen.result
    if result in (t.ANYELEMENT, t.ANYARRAY):
        context.refuse(f"function {name} of any type", node)
    label = f"{name}({','.join(str(arg.type) for arg in made)})"
    push = ("case", name) if name in ("upper", "lower") else ()
    return Call(
        shape(context, result, -1, made), label, tuple(made), impl.run, impl.strict, impl.session, push
    )


def _spread(signature: Signature, count: int) -> list[int]:
    """The types of `count` arguments."""
    declared = list(signature.arguments)
    if signature.variadic:
        declared += [declared[-1]] * (count - len(declared))
    return declared[:count]


def _resolve(
    context: Context, name: str, args: Sequence[Expr], signatures: Sequence[Signature]
) -> Signature | None:
    given = tuple(arg.type for arg in args)
    rows = []
    for signature in signatures:
        least = len(signature.arguments) - signature.defaults - (1 if signature.variadic else 0)
        most = 100 if signature.variadic else len(signature.arguments)
        if least <= len(given) <= most:
            if signature.variadic and len(given) < len(signature.arguments):
                continue
            rows.append((tuple(_spread(signature, len(given))), signature))
    for declared, signature in rows:
        if declared == given:
            return signature
    return choose(context.types, given, rows)


def sorted_by(binder: Binder, nodes: Sequence[Node]) -> tuple[SortKey, ...]:
    """ORDER BY of an aggregate or a window: expressions alone."""
    keys = []
    for wrapped in nodes:
        node = wrapped["SortBy"]
        expr = resolved(binder.context, binder.expr(node["node"]))
        keys.append(sort_key(binder.context, expr, node))
    return tuple(keys)


def sort_key(context: Context, expr: Expr, node: Node) -> SortKey:
    """Of a SortBy."""
    if "useOp" in node:
        context.refuse("ORDER BY USING", node)
    descending = node.get("sortby_dir") == "SORTBY_DESC"
    nulls = node.get("sortby_nulls", "SORTBY_NULLS_DEFAULT")
    first = descending if nulls == "SORTBY_NULLS_DEFAULT" else nulls == "SORTBY_NULLS_FIRST"
    collation = expr.shape.collation
    return SortKey(
        expr,
        descending,
        first,
        order_key(expr.type, context.types, collation),
        equality_key(expr.type, context.types, collation),
    )


def aggregate(
    binder: Binder, name: str, args: list[Expr], signatures: Sequence[Signature], node: Node
) -> Agg:
    context = binder.context
    if name not in AGGREGATES:
        context.refuse(f"aggregate {name}", node)
    star = bool(node.get("agg_star"))
    if star and name != "count":
        context.refuse(f"aggregate {name}(*)", node)
    for part in [inner for arg in args for inner in walk(arg)]:
        if isinstance(part, Agg | Window):
            context.refuse("an aggregate of an aggregate", node)
    condition = binder.condition(node["agg_filter"]) if "agg_filter" in node else None
    order = sorted_by(binder, node.get("agg_order", ()))
    distinct = bool(node.get("agg_distinct"))
    if distinct and order:
        context.refuse("DISTINCT and ORDER BY in an aggregate", node)
    made, result = _aggregate_types(context, name, args, signatures, star, node)
    if distinct and made:
        equality_key(made[0].type, context.types, made[0].shape.collation)
        if len(made) > 1:
            context.refuse("DISTINCT of two values", node)
    found = Agg(result, name, tuple(made), star, distinct, condition, order)
    _own_level(context, found, node)
    return found


def _own_level(context: Context, agg: Agg, node: Node) -> None:
    """An aggregate belongs to the innermost query whose columns it has."""
    parts = [
        part
        for arg in (*agg.args, *((agg.filter,) if agg.filter else ()))
        for part in walk(arg)
        if isinstance(part, Column | Sub)
    ]
    levels = {part.level for part in parts if isinstance(part, Column)}
    if levels and min(levels) > 0:
        context.refuse("an aggregate of a query around", node)


def _aggregate_types(
    context: Context, name: str, args: list[Expr], signatures: Sequence[Signature], star: bool, node: Node
) -> tuple[list[Expr], Shape]:
    if name == "count":
        if not star and len(args) != 1:
            context.refuse("count of more than one value", node)
        if args and isinstance(args[0], Param) and args[0].type == t.UNKNOWN:
            context.refuse("a parameter whose type is not known", node)
        return [resolved(context, arg) for arg in args], Shape(t.INT8)
    if name == "array_agg":
        if len(args) != 1:
            context.refuse("array_agg of more or fewer values than one", node)
        (arg,) = args
        _typed(context, arg, node)
        array = context.types.array(arg.type)
        if not array or not context.types.known(array) or context.types.element(arg.type) or has_domain(arg):
            context.refuse("array_agg of such values", node)
        return [arg], Shape(array, -1, arg.shape.collation)
    plain = [signature for signature in signatures if signature.kind == "a"]
    chosen = _resolve(context, name, args, plain)
    if chosen is None:
        context.refuse(f"aggregate {name}({', '.join(context.types.name(arg.type) for arg in args)})", node)
    made = [
        arg if oid in (t.ANYENUM, t.ANYARRAY) else coerce(context, arg, oid, node=node)
        for arg, oid in zip(args, chosen.arguments, strict=True)
    ]
    result = made[0].type if chosen.result in (t.ANYENUM, t.ANYARRAY) else chosen.result
    if not all(context.types.known(arg.type) for arg in made):
        context.refuse(f"aggregate {name} of values that are not known", node)
    if name in ("min", "max"):
        order_key(made[0].type, context.types, made[0].shape.collation)
    if name in ("sum", "avg") and made[0].type == t.INTERVAL and name == "avg":
        context.refuse("avg of intervals", node)
    if name == "string_agg" and made[0].type != t.TEXT:
        context.refuse("string_agg of bytea", node)
    return made, shape(context, result, -1, made)


def _typed(context: Context, arg: Expr, node: Node) -> None:
    """What takes a value of any type has to be told which."""
    if arg.type == t.UNKNOWN:
        context.refuse("a value whose type is not known", node)


_FRAME_DEFAULT = 1058
_BITS = {
    "range": 0x2, "rows": 0x4, "groups": 0x8, "between": 0x10,
    "start_unbounded": 0x20, "end_unbounded_preceding": 0x40, "start_unbounded_following": 0x80,
    "end_unbounded": 0x100, "start_current": 0x200, "end_current": 0x400,
    "start_preceding": 0x800, "end_preceding": 0x1000, "start_following": 0x2000, "end_following": 0x4000,
    "exclusion": 0x8000 | 0x10000 | 0x20000,
}  # fmt: skip


def _window(binder: Binder, name: str, args: list[Expr], signatures: Sequence[Signature], node: Node) -> Expr:
    context = binder.context
    if any(isinstance(part, Window) for arg in args for part in walk(arg)):
        context.refuse("a window function of a window function", node)
    if any(option in node for option in ("agg_order", "agg_distinct")):
        context.refuse("DISTINCT or ORDER BY in a window function", node)
    over = binder_window(binder, node["over"], node)
    partition = tuple(resolved(context, binder.expr(part)) for part in over.get("partitionClause", ()))
    for part in partition:
        equality_key(part.type, context.types, part.shape.collation)
    order = sorted_by(binder, over.get("orderClause", ()))
    frame = _frame(binder, over, order, node)
    condition = binder.condition(node["agg_filter"]) if "agg_filter" in node else None
    star = bool(node.get("agg_star"))
    if name in AGGREGATES:
        made, result = _aggregate_types(context, name, args, signatures, star, node)
        if name in ("string_agg", "array_agg"):
            context.refuse(f"window aggregate {name}", node)
        return Window(result, name, tuple(made), partition, order, frame, star, condition, True)
    if name not in WINDOWS or condition is not None or star:
        context.refuse(f"window function {name}", node)
    return _plain_window(context, name, args, partition, order, frame, node)


def _plain_window(
    context: Context,
    name: str,
    args: list[Expr],
    partition: tuple[Expr, ...],
    order: tuple[SortKey, ...],
    frame: Frame,
    node: Node,
) -> Window:
    made = list(args)
    result: Shape
    if name in ("row_number", "rank", "dense_rank", "percent_rank", "cume_dist"):
        if args:
            context.refuse(f"window function {name} with arguments", node)
        result = Shape(t.FLOAT8 if name in ("percent_rank", "cume_dist") else t.INT8)
    elif name == "ntile":
        if len(args) != 1:
            context.refuse("ntile", node)
        made = [coerce(context, args[0], t.INT4, node=node)]
        if not isinstance(made[0], Const | Literal | Param):
            context.refuse("ntile", node)
        result = Shape(t.INT4)
    else:
        if len(args) not in _COUNTS.get(name, (1,)):
            context.refuse(f"window function {name}", node)
        _typed(context, args[0], node)
        if has_domain(made[0]):
            context.refuse(f"window function {name} of a domain", node)
        if name == "nth_value" and not isinstance(args[1], Const | Literal | Param):
            context.refuse("nth_value", node)
        if len(made) > 1:
            made[1] = coerce(context, args[1], t.INT4, node=node)
        if len(made) > 2:
            (made[0], made[2]), _ = to_common(context, [args[0], args[2]], None, node)
        result = shape(context, made[0].type, -1, made)
    return Window(result, name, tuple(made), partition, order, frame)


def declare_windows(binder: Binder, clause: Sequence[Node]) -> None:
    """Those of a WINDOW clause."""
    for wrapped in clause:
        window = wrapped["WindowDef"]
        if binder.windows.setdefault(window["name"], window) is not window:
            binder.context.refuse("two windows of one name", window)


def unused_windows(binder: Binder, node: Node, targets: Sequence[Expr]) -> None:
    """PostgreSQL looks at the expressions of windows that nothing is computed over, too. Unsupported where groups say
    what may stand there."""
    for name, window in binder.windows.items():
        if name in binder.named:
            continue
        over = binder_window(binder, window, window)
        parts = [resolved(binder.context, binder.expr(part)) for part in over.get("partitionClause", ())]
        for part in parts:
            equality_key(part.type, binder.context.types, part.shape.collation)
        order = sorted_by(binder, over.get("orderClause", ()))
        _frame(binder, over, order, window)
        within = [part for expr in (*parts, *(key.expr for key in order)) for part in walk(expr)]
        grouped = "groupClause" in node or "havingClause" in node
        grouped = grouped or any(isinstance(part, Agg) for expr in targets for part in walk(expr))
        if grouped or any(isinstance(part, Agg | Window) for part in within):
            binder.context.refuse("a window that is not used", window)


def binder_window(binder: Binder, over: Node, node: Node) -> Node:
    """The definition of a window, those it is made from looked up (`transformWindowDefinitions`)."""
    if "name" in over and over is not binder.windows.get(over["name"]):  # OVER w
        return binder_window(binder, _named_window(binder, over["name"], node), node)
    if "refname" not in over:
        return over
    base = binder_window(binder, _named_window(binder, over["refname"], node), node)
    if "partitionClause" in over or ("orderClause" in base and "orderClause" in over):
        binder.context.refuse("a window that changes another", node)
    if base.get("frameOptions", _FRAME_DEFAULT) != _FRAME_DEFAULT:
        binder.context.refuse("a window made from one that has a frame", node)
    kept = {key: value for key, value in base.items() if key in ("partitionClause", "orderClause")}
    return {**{key: value for key, value in over.items() if key != "refname"}, **kept}


def _named_window(binder: Binder, name: str, node: Node) -> Node:
    found = binder.windows.get(name)
    if found is None:
        binder.context.refuse("a window that is not known", node)
    binder.named.add(name)
    window: Node = found
    return window


def _frame(binder: Binder, over: Node, order: tuple[SortKey, ...], node: Node) -> Frame:
    context = binder.context
    bits = over.get("frameOptions", _FRAME_DEFAULT)
    if bits & _BITS["exclusion"]:
        context.refuse("EXCLUDE in a window", node)
    mode = "rows" if bits & _BITS["rows"] else "groups" if bits & _BITS["groups"] else "range"

    def bound(which: str, offset: str) -> tuple[str, Expr | None]:
        if bits & _BITS[f"{which}_current"]:
            return "current", None
        for direction in ("preceding", "following"):
            if bits & _BITS[f"{which}_{direction}"]:
                if mode == "range":
                    context.refuse("RANGE with an offset in a window", node)
                made = coerce(context, binder.expr(over[offset]), t.INT8, "a", node)
                if any(isinstance(part, Column | Agg | Window) for part in walk(made)):
                    context.refuse("an offset with a column in a window", node)
                return direction, made
        return "unbounded", None

    if mode == "groups":
        context.refuse("GROUPS in a window", node)
    return Frame(mode, bound("start", "startOffset"), bound("end", "endOffset"))
