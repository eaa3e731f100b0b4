"""FROM: tables, joins, derived tables, VALUES, queries of WITH. Manual: 7.2.1."""

from __future__ import annotations

from collections.abc import Callable

from proxy.sql.parse import Node
from proxy.translate import bind_operators as ops
from proxy.translate.bind_expr import Binder
from proxy.translate.coerce import common_typmod, outside, shape, to_common
from proxy.translate.context import Context
from proxy.translate.operators import comparable
from proxy.translate.rewrite import has_domain, walk
from proxy.translate.scope import Entry, Name, Scope
from proxy.translate.scope import Shared as SharedName
from proxy.translate.tree import (
    Call,
    Coalesce,
    Column,
    Const,
    Derived,
    Expr,
    Join,
    Logic,
    Origin,
    Query,
    Scan,
    Shape,
    Shared,
    Source,
    Sub,
    boolean,
    conjuncts,
)
from proxy.translate.values import Collation

_JOINS = {"JOIN_INNER": "inner", "JOIN_LEFT": "left", "JOIN_RIGHT": "right", "JOIN_FULL": "full"}


class From:
    """Binds the FROM clause of one query: fills its scope."""

    def __init__(self, context: Context, scope: Scope, query: Callable[[Node, Scope], Query]) -> None:
        self.context = context
        self.scope = scope
        self.query = query
        self.width = 0

    def clause(self, nodes: list[Node]) -> Source:
        made: Source | None = None
        for wrapped in nodes:
            source, entries, names = self.item(wrapped)
            self._check(entries, wrapped)
            self.scope.entries += entries
            self.scope.names += names
            made = source if made is None else Join("inner", made, source, None, self.width)
        assert made is not None
        return made

    def _check(self, entries: list[Entry], wrapped: Node) -> None:
        taken = {entry.alias for entry in self.scope.entries}
        aliases = [entry.alias for entry in entries]
        if len(set(aliases)) < len(aliases) or not taken.isdisjoint(aliases):
            self.context.refuse("a table named twice", next(iter(wrapped.values())))

    def item(self, wrapped: Node) -> tuple[Source, list[Entry], list[Name]]:
        ((kind, node),) = wrapped.items()
        match kind:
            case "RangeVar":
                return self.table(node)
            case "JoinExpr":
                return self.join(node)
            case "RangeSubselect":
                return self.derived(node)
        self.context.refuse(f"{kind} in FROM", node)

    def table(self, node: Node) -> tuple[Source, list[Entry], list[Name]]:
        context = self.context
        context.only(
            node, ("catalogname", "schemaname", "relname", "inh", "relpersistence", "alias"), "table"
        )
        shared = None if "schemaname" in node else self._shared(node["relname"])
        if shared is not None:
            return self.shared(shared, node)
        found = context.table(node)
        relation, mapping = found.relation, found.mapping
        base = self.width
        names, columns = [], []
        for place, attribute in enumerate(relation.attributes):
            oid, typmod = context.types.base(attribute.type_oid, attribute.typmod)
            collation = None
            if context.collatable(oid):
                collation = Collation(attribute.collation, *(attribute.traits or (False, False, "")))
            made = Shape(oid, typmod, collation)
            origin = Origin(relation.oid, attribute.number)
            domain = oid != attribute.type_oid
            column = Column(made, 0, base + place, attribute.not_null, origin, domain)
            columns.append(Column(made, 0, place, attribute.not_null, origin))
            known = attribute.name in mapping.by_name
            names.append(Name(attribute.name, column if known else None))
        self.width += len(names)
        scan = Scan(found, len(context.scans), len(names), tuple(columns))
        context.scans.append(scan)
        alias = node.get("alias")
        names = self._renamed(names, alias, node)
        entry = Entry(alias["aliasname"] if alias else relation.name, names)
        if alias is None:
            entry.schema, entry.table = relation.schema, relation.name
        return scan, [entry], list(names)

    def _renamed(self, names: list[Name], alias: Node | None, node: Node) -> list[Name]:
        if alias is None or "colnames" not in alias:
            return names
        given = [part["String"]["sval"] for part in alias["colnames"]]
        if len(given) > len(names):
            self.context.refuse("more aliases than columns", node)
        return [
            Name(given[place] if place < len(given) else name.name, name.expr)
            for place, name in enumerate(names)
        ]

    def _shared(self, name: str) -> SharedName | None:
        scope: Scope | None = self.scope
        while scope is not None:
            if name in scope.shared:
                return scope.shared[name]
            scope = scope.outer
        return None

    def shared(self, found: SharedName, node: Node) -> tuple[Source, list[Entry], list[Name]]:
        columns = self._columns(found.query, found.names)
        source = Shared(found.number, len(columns))
        alias = node.get("alias")
        names = self._renamed(columns, alias, node)
        return source, [Entry(alias["aliasname"] if alias else node["relname"], names)], list(names)

    def _columns(self, query: Query, given: list[str]) -> list[Name]:
        """The columns of a query as columns of this one's row."""
        names = []
        for place, target in enumerate(query.targets[: query.visible]):
            made = outside(target.expr.shape)
            name = given[place] if place < len(given) else target.name
            column = Column(made, 0, self.width + place, False, target.origin, has_domain(target.expr))
            names.append(Name(name, column))
        self.width += len(names)
        return names

    def derived(self, node: Node) -> tuple[Source, list[Entry], list[Name]]:
        context = self.context
        context.only(node, ("lateral", "subquery", "alias"), "derived table")
        lateral = bool(node.get("lateral"))
        select = node["subquery"].get("SelectStmt")
        if select is None:
            context.refuse("a derived table that is not a SELECT", node)
        inner = Scope(self.scope.outer, self.scope.entries, self.scope.names, self.scope.shared, lateral)
        query = self.query(select, inner)
        columns = self._columns(query, [])
        alias = node.get("alias")
        names = self._renamed(columns, alias, node)
        entries = [Entry(alias["aliasname"], names)] if alias else [Entry("", names)]
        return Derived(query, len(names), lateral), entries, list(names)

    def join(self, node: Node) -> tuple[Source, list[Entry], list[Name]]:
        context = self.context
        context.only(
            node,
            ("jointype", "larg", "rarg", "quals", "usingClause", "isNatural", "rtindex"),
            "join",
        )
        kind = _JOINS.get(node["jointype"])
        if kind is None:
            context.refuse(f"join {node['jointype']}", node)
        first = self.width
        left, left_entries, left_names = self.item(node["larg"])
        middle = self.width
        right, right_entries, right_names = self._right(node["rarg"], left_entries, left_names, kind)
        entries = left_entries + right_entries
        names = left_names + right_names
        width = self.width - first
        using = [part["String"]["sval"] for part in node.get("usingClause", ())]
        if node.get("isNatural"):
            there = {name.name for name in right_names}
            using = [name.name for name in left_names if name.name in there]
        condition: Expr | None = None
        if using or node.get("isNatural"):
            condition, names = self._using(using, left_names, right_names, kind, node)
        elif "quals" in node:
            inner = Scope(self.scope.outer, entries, names, self.scope.shared)
            condition = Binder(context, inner, self.query).condition(node["quals"])
        elif kind != "inner":
            context.refuse("an outer join without a condition", node)
        if kind == "full" and condition is not None and not _made_by_equality(condition, middle):
            context.refuse("a full join that is not by equality", node)
        return Join(kind, left, right, condition, width), entries, names

    def _right(
        self, wrapped: Node, entries: list[Entry], names: list[Name], kind: str
    ) -> tuple[Source, list[Entry], list[Name]]:
        """The right side; a lateral one sees the left side."""
        lateral = wrapped.get("RangeSubselect", {}).get("lateral", False)
        if not lateral:
            return self.item(wrapped)
        if kind not in ("inner", "left"):
            self.context.refuse("LATERAL in such a join", wrapped["RangeSubselect"])
        outside = self.scope
        self.scope = Scope(
            outside.outer, outside.entries + entries, outside.names + names, outside.shared, outside.lateral
        )
        try:
            return self.item(wrapped)
        finally:
            self.scope = outside

    def _using(
        self, using: list[str], left: list[Name], right: list[Name], kind: str, node: Node
    ) -> tuple[Expr | None, list[Name]]:
        context = self.context
        merged, tests = [], []
        for column in using:
            sides = []
            for names in (left, right):
                found = [name for name in names if name.name == column]
                if len(found) != 1 or found[0].expr is None:
                    context.refuse("a column of USING that is not known", node)
                sides.append(found[0].expr)
            one, other = sides
            assert one is not None
            assert other is not None
            tests.append(ops.apply(context, "=", one, other, node))
            made, oid = to_common(context, [one, other], None, node)
            if kind in ("inner", "left"):
                expr = made[0]
            elif kind == "right":
                expr = made[1]
            else:
                expr = Coalesce(shape(context, oid, common_typmod(made, oid), made), tuple(made))
            if kind == "inner" and one.type != oid and other.type == oid:
                expr = made[1]
            merged.append(Name(column, expr))
        rest = [name for name in left + right if name.name not in using]
        if not tests:
            return None, rest
        return (tests[0] if len(tests) == 1 else Logic(boolean(), "and", tuple(tests))), [*merged, *rest]


def _made_by_equality(condition: Expr, middle: int) -> bool:
    """Whether PostgreSQL can hash the rows of a full join, or merge them: otherwise it is an error.

    Hashed: one equality of values that have hashes in common. Merged: nothing but equalities. Columns of the right side
    begin at `middle`.
    """
    parts = [part for part in conjuncts(condition) if not isinstance(part, Const)]
    equalities = [part for part in parts if isinstance(part, Call) and _across(part, middle)]
    return len(equalities) == len(parts) or any(
        comparable(part.args[0].type, part.args[1].type) for part in equalities
    )


def _across(part: Call, middle: int) -> bool:
    """Whether it is an equality of the one side with the other."""
    if part.push != ("compare", "=") or any(isinstance(one, Sub) for one in walk(part)):
        return False
    sides = [
        {one.index >= middle for one in walk(arg) if isinstance(one, Column) and not one.level}
        for arg in part.args
    ]
    return sides in ([{False}, {True}], [{True}, {False}])
