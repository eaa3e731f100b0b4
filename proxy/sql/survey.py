"""What a statement's tree names, wherever it stands in it: relations, functions, writes, parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from proxy.sql.model import RelationRef, Verb
from proxy.sql.parse import Node

WRITES = {
    "InsertStmt": Verb.INSERT,
    "UpdateStmt": Verb.UPDATE,
    "DeleteStmt": Verb.DELETE,
    "MergeStmt": Verb.MERGE,
}
"""Node type -> what it does to the relation under `relation`."""

_COMMANDS = {"CMD_INSERT": Verb.INSERT, "CMD_UPDATE": Verb.UPDATE, "CMD_DELETE": Verb.DELETE}

_LEAVES = frozenset({"A_Const", "ColumnRef", "String", "A_Star", "TypeName", "typeName"})
"""Fields and node types that hold nothing of interest."""
_NOWHERE: frozenset[str] = frozenset()


@dataclass(slots=True)
class Survey:
    """What was found."""

    relations: set[RelationRef] = field(default_factory=set)
    functions: set[RelationRef] = field(default_factory=set)
    writes: list[tuple[Verb, Node]] = field(default_factory=list)
    """Every INSERT, UPDATE, DELETE and MERGE of the tree, at any depth, in the order of their targets in the text."""
    parameters: bool = False

    def hidden(self, main: Node | None) -> tuple[tuple[RelationRef, Verb], ...]:
        """The targets of all writes but `main`, each with every INSERT, UPDATE and DELETE that may happen to it."""
        return tuple(
            (relation_ref(node["relation"]), verb)
            for written, node in self.writes
            if node is not main
            for verb in _verbs(written, node)
        )


def survey(type_: str, root: Node) -> Survey:
    """Names of WITH queries are no relations where they are in scope (PostgreSQL manual, 7.8)."""
    found = Survey()
    stack: list[tuple[Any, frozenset[str]]] = [({type_: root}, _NOWHERE)]
    while stack:
        item, scope = stack.pop()
        if item.__class__ is list:
            stack.extend([(child, scope) for child in item if "A_Const" not in child])
            continue
        if "relname" in item and "relpersistence" in item:
            if "schemaname" in item or item["relname"] not in scope:
                found.relations.add(relation_ref(item))
            continue
        clause = item.get("withClause")
        if clause is not None:
            scope = _enter(clause, scope, stack)
        names = item.get("funcname")
        if names is not None:
            function = qualified(names)
            if function is not None:
                found.functions.add(function)
        for key, value in item.items():
            kind = value.__class__
            if (kind is not dict and kind is not list) or key in _LEAVES:
                continue
            if key == "ParamRef":
                found.parameters = True
                continue
            verb = WRITES.get(key)
            if verb is not None and "relation" in value:
                found.writes.append((verb, value))
                found.relations.add(relation_ref(value["relation"]))
            elif key == "withClause":
                continue
            stack.append((value, scope))
    found.writes.sort(key=lambda write: int(write[1]["relation"].get("location", 0)))
    return found


def relation_ref(node: Node) -> RelationRef:
    """Of a RangeVar."""
    return RelationRef(node["relname"], node.get("schemaname"))


def qualified(names: list[Node]) -> RelationRef | None:
    """Of a list of String nodes: name, schema.name or database.schema.name."""
    parts = [name["String"].get("sval", "") for name in names if "String" in name]
    if not parts:
        return None
    return RelationRef(parts[-1], parts[-2] if len(parts) > 1 else None)


def _enter(clause: Node, scope: frozenset[str], stack: list[tuple[Any, frozenset[str]]]) -> frozenset[str]:
    """Put the WITH queries on the stack, each with what it sees; what the statement itself sees."""
    queries = [item["CommonTableExpr"] for item in clause.get("ctes", ())]
    everything = scope | {query["ctename"] for query in queries}
    for query in queries:
        stack.append((query, everything if clause.get("recursive") else scope))
        scope = scope | {query["ctename"]}
    return everything


def _verbs(verb: Verb, node: Node) -> list[Verb]:
    """INSERT, UPDATE and DELETE among what the write may do to rows."""
    if verb is Verb.INSERT and node.get("onConflictClause", {}).get("action") == "ONCONFLICT_UPDATE":
        return [Verb.INSERT, Verb.UPDATE]
    if verb is not Verb.MERGE:
        return [verb]
    commands = {item["MergeWhenClause"].get("commandType") for item in node.get("mergeWhenClauses", ())}
    return [done for command, done in _COMMANDS.items() if command in commands]
