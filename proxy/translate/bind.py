"""Queries: from SelectStmt to `Query`. Manual: SELECT, 7.3 to 7.8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from proxy.sql.parse import Node
from proxy.translate import types as t
from proxy.translate.bind_calls import declare_windows, sort_key, unused_windows
from proxy.translate.bind_expr import Binder
from proxy.translate.bind_from import From
from proxy.translate.coerce import coerce, common_type, common_typmod, origin_of, outside, resolved, shape
from proxy.translate.context import Context
from proxy.translate.grouping import Grouping, windowed
from proxy.translate.literals import Literal
from proxy.translate.rewrite import deepened, has_domain, outer_columns, walk
from proxy.translate.scope import Name, Scope, Shared, lookup, star
from proxy.translate.tree import (
    Agg,
    Column,
    Const,
    Derived,
    Expr,
    Query,
    SetOperation,
    SortKey,
    Source,
    Target,
    Values,
    Window,
)
from proxy.translate.typenames import column_name
from proxy.translate.values import equality_key

_CLAUSES = (
    *(
        "distinctClause",
        "targetList",
        "fromClause",
        "whereClause",
        "groupClause",
        "havingClause",
        "windowClause",
    ),
    *("valuesLists", "sortClause", "limitOffset", "limitCount", "limitOption", "withClause", "op", "all"),
    *("larg", "rarg"),
)


class QueryBinder:
    """Binds the queries of one statement."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def query(self, node: Node, outer: Scope | None = None) -> Query:
        return self._query(node, outer, resolve=True)

    def _query(self, node: Node, outer: Scope | None, *, resolve: bool) -> Query:
        context = self.context
        if "lockingClause" in node:
            context.refuse("FOR UPDATE or FOR SHARE")
        context.only(node, _CLAUSES, "SELECT")
        scope = Scope(outer)
        shared = self._with(node["withClause"], scope) if "withClause" in node else ()
        if node.get("op", "SETOP_NONE") != "SETOP_NONE":
            made = self._set_operation(node, scope)
        elif "valuesLists" in node:
            made = self._values(node, scope)
        else:
            made = self._select(node, scope, resolve=resolve)
        return replace(made, shared=tuple(shared))

    def _with(self, clause: Node, scope: Scope) -> list[tuple[int, Query]]:
        context = self.context
        if clause.get("recursive"):
            context.refuse("WITH RECURSIVE")
        made = []
        for wrapped in clause["ctes"]:
            node = wrapped["CommonTableExpr"]
            context.only(node, ("ctename", "aliascolnames", "ctematerialized", "ctequery"), "WITH")
            select = node["ctequery"].get("SelectStmt")
            if select is None:
                context.refuse("WITH of what is not a SELECT", node)
            query = self._query(select, scope, resolve=True)
            if next(outer_columns(query), None) is not None:
                context.refuse("WITH of a query that depends on rows around", node)
            names = [part["String"]["sval"] for part in node.get("aliascolnames", ())]
            if len(names) > query.visible or node["ctename"] in scope.shared:
                context.refuse("names in WITH", node)
            number, context.shared = context.shared, context.shared + 1
            scope.shared[node["ctename"]] = Shared(number, query, names)
            made.append((number, query))
        return made

    def _select(self, node: Node, scope: Scope, *, resolve: bool) -> Query:
        context = self.context
        source: Source | Values = Values(((),))
        width = 0
        if node.get("fromClause"):
            clause = From(context, scope, self.query)
            source = clause.clause(node["fromClause"])
            width = clause.width
        binder = Binder(context, scope, self.query)
        declare_windows(binder, node.get("windowClause", ()))
        targets = self._targets(binder, node.get("targetList", ()))
        where = None
        if "whereClause" in node:
            where = binder.condition(node["whereClause"])
            self._no_aggregates(where, node["whereClause"])
        having = binder.condition(node["havingClause"]) if "havingClause" in node else None
        if resolve:
            targets = [replace(target, expr=resolved(context, target.expr)) for target in targets]
        visible = len(targets)
        order = self._order(binder, node.get("sortClause", ()), targets)
        unused_windows(binder, node, [target.expr for target in targets])
        group = self._group(binder, node.get("groupClause", ()), targets)
        distinct, distinct_on = self._distinct(binder, node.get("distinctClause"), targets, visible)
        if not resolve and (order or group or distinct is not None):
            targets = [replace(target, expr=resolved(context, target.expr)) for target in targets]
        limit, offset, with_ties = self._limit(binder, node)
        steps = self._steps(source, width, targets, where, having, group, node)
        made = replace(steps, visible=visible, limit=limit, offset=offset, with_ties=with_ties)
        return self._ordered(made, order, distinct, distinct_on, node)

    def _steps(
        self,
        source: Source | Values,
        width: int,
        targets: list[Target],
        where: Expr | None,
        having: Expr | None,
        group: list[Expr] | None,
        node: Node,
    ) -> Query:
        exprs = [target.expr for target in targets]
        everything = exprs if having is None else [*exprs, having]
        grouped = (
            group is not None
            or having is not None
            or any(isinstance(part, Agg) for expr in everything for part in walk(expr))
        )
        query = Query(source, tuple(targets), len(targets), where)
        if having is not None:
            self._no_windows(having, node)
        if grouped:
            grouping = Grouping(self.context, source, group or (), node)
            for expr in everything:
                grouping.collect(expr)
            over = [grouping.over_groups(expr) for expr in everything]
            over = [grouping.settled(expr) for expr in over]
            exprs = over[: len(targets)]
            for agg in grouping.aggregates:
                self._no_windows(agg, node)
            query = replace(
                query,
                grouped=True,
                group=grouping.group,
                group_keys=grouping.keys(),
                carried=tuple(grouping.carried),
                aggregates=tuple(grouping.aggregates),
                having=over[-1] if having is not None else None,
            )
            width = grouping.width
        exprs, windows = windowed(exprs, width)
        made = tuple(replace(target, expr=expr) for target, expr in zip(targets, exprs, strict=True))
        return replace(query, targets=made, windows=windows)

    def _no_aggregates(self, expr: Expr, node: Node) -> None:
        if any(isinstance(part, Agg | Window) for part in walk(expr)):
            self.context.refuse("an aggregate in WHERE", next(iter(node.values())))

    def _no_windows(self, expr: Expr, node: Node) -> None:
        if any(isinstance(part, Window) for part in walk(expr)):
            self.context.refuse("a window function here", node)

    def _targets(self, binder: Binder, nodes: Sequence[Node]) -> list[Target]:
        targets = []
        for wrapped in nodes:
            node = wrapped["ResTarget"]
            column = node["val"].get("ColumnRef")
            if column is not None and "A_Star" in column["fields"][-1]:
                for name in star(self.context, binder.scope, column):
                    assert name.expr is not None
                    targets.append(Target(name.expr, name.name, origin_of(name.expr)))
                continue
            expr = binder.expr(node["val"])
            targets.append(Target(expr, node.get("name") or column_name(node["val"]), origin_of(expr)))
        return targets

    def _place(self, expr: Expr, targets: list[Target]) -> int:
        """Where a target is this expression; it is added where none is."""
        expr = resolved(self.context, expr)
        for place, target in enumerate(targets):
            if target.expr == expr:
                return place
        targets.append(Target(expr, ""))
        return len(targets) - 1

    def _by_name(self, binder: Binder, node: Node, targets: list[Target], *, columns_first: bool) -> int:
        """SQL-92: the name or number of a column of the result, or an expression."""
        context = self.context
        shown = [place for place, target in enumerate(targets) if target.name]
        reference = node.get("ColumnRef")
        if reference is not None and len(reference["fields"]) == 1 and "String" in reference["fields"][0]:
            name = reference["fields"][0]["String"]["sval"]
            if columns_first and any(one.name == name for one in binder.scope.names):
                return self._place(lookup(context, binder.scope, reference), targets)
            found = [place for place in shown if targets[place].name == name]
            if found:
                if any(targets[place].expr != targets[found[0]].expr for place in found):
                    context.refuse("an ambiguous name", reference)
                return found[0]
        constant = node.get("A_Const")
        if constant is not None:
            context.looked_at(constant)
            number: int = constant.get("ival", {}).get("ival", 0)
            if "ival" not in constant or not 1 <= number <= len(shown):
                context.refuse("ORDER BY or GROUP BY a constant", constant)
            return shown[number - 1]
        return self._place(binder.expr(node), targets)

    def _order(
        self, binder: Binder, nodes: Sequence[Node], targets: list[Target]
    ) -> list[tuple[int, SortKey]]:
        order = []
        for wrapped in nodes:
            node = wrapped["SortBy"]
            place = self._by_name(binder, node["node"], targets, columns_first=False)
            targets[place] = replace(targets[place], expr=resolved(self.context, targets[place].expr))
            order.append((place, sort_key(self.context, targets[place].expr, node)))
        return order

    def _group(self, binder: Binder, nodes: Sequence[Node], targets: list[Target]) -> list[Expr] | None:
        if not nodes:
            return None
        group: list[Expr] = []
        for node in nodes:
            if "GroupingSet" in node:
                self.context.refuse("grouping sets", node["GroupingSet"])
            added = len(targets)
            place = self._by_name(binder, node, targets, columns_first=True)
            expr = resolved(self.context, targets[place].expr)
            targets[place] = replace(targets[place], expr=expr)
            if place == added:
                targets.pop()
            if any(isinstance(part, Agg | Window) for part in walk(expr)):
                self.context.refuse("an aggregate in GROUP BY", next(iter(node.values())))
            if expr not in group:
                group.append(expr)
        return group

    def _distinct(
        self, binder: Binder, nodes: list[Node] | None, targets: list[Target], visible: int
    ) -> tuple[tuple[int, ...] | None, bool]:
        if nodes is None:
            return None, False
        if not nodes or not nodes[0]:
            return tuple(range(visible)), False
        places = []
        for node in nodes:
            place = self._by_name(binder, node, targets, columns_first=False)
            if place not in places:
                places.append(place)
        return tuple(places), True

    def _limit(self, binder: Binder, node: Node) -> tuple[Expr | None, Expr | None, bool]:
        context = self.context
        option = node.get("limitOption", "LIMIT_OPTION_DEFAULT")
        made: list[Expr | None] = []
        for clause in ("limitCount", "limitOffset"):
            if clause not in node:
                made.append(None)
                continue
            expr = coerce(context, binder.expr(node[clause]), t.INT8, "a")
            if any(isinstance(part, Column | Agg | Window) for part in walk(expr)):
                context.refuse("LIMIT with a column", next(iter(node[clause].values())))
            made.append(None if isinstance(expr, Const) and expr.value is None else expr)
        return made[0], made[1], option == "LIMIT_OPTION_WITH_TIES"

    def _ordered(
        self,
        query: Query,
        order: list[tuple[int, SortKey]],
        distinct: tuple[int, ...] | None,
        distinct_on: bool,
        node: Node,
    ) -> Query:
        context = self.context
        targets = query.targets
        keys = tuple((place, replace(key, expr=targets[place].expr)) for place, key in order)
        if distinct is None:
            return replace(query, order=keys)
        ordered = [place for place, _ in keys]
        if distinct_on:
            if any(place not in distinct for place in ordered[: len(distinct)]):
                context.refuse("DISTINCT ON that differs from ORDER BY")
            if ordered and not set(distinct) <= set(ordered) and not set(ordered) <= set(distinct):
                context.refuse("DISTINCT ON that differs from ORDER BY")
        elif any(place not in distinct for place in ordered):
            context.refuse("ORDER BY of what is not selected with DISTINCT")
        distinct_keys = tuple(
            equality_key(targets[place].expr.type, context.types, targets[place].expr.shape.collation)
            for place in distinct
        )
        return replace(
            query, order=keys, distinct=distinct, distinct_on=distinct_on, distinct_keys=distinct_keys
        )

    def _values(self, node: Node, scope: Scope) -> Query:
        context = self.context
        binder = Binder(context, scope, self.query)
        rows = [[binder.expr(item) for item in row["List"]["items"]] for row in node["valuesLists"]]
        if len({len(row) for row in rows}) != 1:
            context.refuse("VALUES of different lengths")
        columns = []
        for place in range(len(rows[0])):
            given = [row[place] for row in rows]
            oid = common_type(context, given)
            if not oid:
                context.refuse("values that have no common type")
            made = [coerce(context, expr, oid) for expr in given]
            made_shape = outside(shape(context, oid, common_typmod(made, oid), made))
            columns.append((made, Column(made_shape, 0, place, domain=any(map(has_domain, made)))))
        source = Values(tuple(tuple(column[0][row] for column in columns) for row in range(len(rows))))
        targets = [Target(column, f"column{place + 1}") for place, (_, column) in enumerate(columns)]
        return self._finished(Query(source, tuple(targets), len(targets)), node, scope)

    def _set_operation(self, node: Node, scope: Scope) -> Query:
        context = self.context
        left = self._query(node["larg"], scope, resolve=False)
        right = self._query(node["rarg"], scope, resolve=False)
        if left.visible != right.visible:
            context.refuse("queries of different numbers of columns")
        targets, keys = [], []
        lefts, rights = list(left.targets), list(right.targets)
        every = bool(node.get("all"))
        kind = node["op"].removeprefix("SETOP_").lower()
        for place in range(left.visible):
            pair = [lefts[place].expr, rights[place].expr]
            oid = common_type(context, pair)
            if not oid:
                context.refuse("values that have no common type")
            made = [coerce(context, expr, oid) for expr in pair]
            lefts[place] = replace(lefts[place], expr=made[0])
            rights[place] = replace(rights[place], expr=made[1])
            made_shape = outside(shape(context, oid, common_typmod(made, oid), made))
            column = Column(made_shape, 0, place, False, None, any(map(has_domain, pair)))
            targets.append(Target(column, lefts[place].name))
            if not (kind == "union" and every):
                keys.append(equality_key(oid, context.types, made_shape.collation))
        one, other = self._retargeted(left, lefts), self._retargeted(right, rights)
        source = SetOperation(kind, every, one, other, tuple(keys))
        return self._finished(Query(source, tuple(targets), len(targets)), node, scope)

    def _retargeted(self, query: Query, targets: list[Target]) -> Query:
        """With its columns cast; what it sorts or is distinct by must not change by that."""
        changed = [
            place
            for place, (old, new) in enumerate(zip(query.targets, targets, strict=True))
            if old.expr.type != new.expr.type
        ]
        if changed and (query.distinct is not None or query.order or isinstance(query.source, SetOperation)):
            width = query.visible
            columns = [Column(query.targets[place].expr.shape, 0, place) for place in range(width)]
            outer = [
                replace(target, expr=coerce(self.context, column, target.expr.type), origin=None)
                for target, column in zip(targets[:width], columns, strict=True)
            ]
            if any(
                isinstance(target.expr, Const | Literal) or query.targets[place].expr.type == t.UNKNOWN
                for place, target in enumerate(query.targets)
            ):
                self.context.refuse("constants of no type in a set operation")
            return Query(Derived(deepened(query), width), tuple(outer), width)
        return replace(query, targets=tuple(targets))

    def _finished(self, query: Query, node: Node, scope: Scope) -> Query:
        """ORDER BY and LIMIT of VALUES and set operations: over the columns of the result."""
        inner = Scope(scope, [], [Name(target.name, target.expr) for target in query.targets])
        inner.shared = scope.shared
        targets = list(query.targets)
        binder = Binder(self.context, inner, self.query)
        order = self._order(binder, node.get("sortClause", ()), targets)
        if len(targets) > query.visible:
            self.context.refuse("ORDER BY of an expression behind a set operation")
        limit, offset, with_ties = self._limit(binder, node)
        return replace(
            query,
            targets=tuple(targets),
            order=tuple((place, replace(key, expr=targets[place].expr)) for place, key in order),
            limit=limit,
            offset=offset,
            with_ties=with_ties,
        )
