"""What a text says: every statement in it, what it writes and where an expression may be put behind it.

Read as PostgreSQL 18 would with `standard_conforming_strings` on; see `means_the_same_everywhere`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from proxy.sql.copyoptions import copy_from, is_on
from proxy.sql.kinds import KINDS, RUN_THEIR_QUERY, TRANSACTIONS, tag_of
from proxy.sql.model import Analysis, Kind, RelationRef, Statement
from proxy.sql.parse import Node, Parsed, Source, Unparsed
from proxy.sql.survey import WRITES, qualified, relation_ref, survey
from proxy.sql.writes import write_of

__all__ = ["Examined", "Unparsed", "analyse", "examine", "means_the_same_everywhere"]

_RELATIONS = frozenset({"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE"})


@dataclass(frozen=True, slots=True)
class Examined:
    """An Analysis, and what is needed to move it to a text that differs in constants only."""

    analysis: Analysis
    places: tuple[dict[str, int], ...]
    """For each statement: pinned column -> where its literal stands, in characters."""


def analyse(text: str) -> Analysis:
    """Raises Unparsed. Offsets are in characters of `text`."""
    return examine(text).analysis


def means_the_same_everywhere(text: str) -> bool:
    """Whether `text` means the same with `standard_conforming_strings` off, where a backslash escapes."""
    return "\\" not in text


def examine(text: str) -> Examined:
    """As `analyse`. Raises Unparsed."""
    source = Source(text)
    statements = []
    places = []
    for parsed in source.statements:
        statement, found = _statement(source, parsed)
        statements.append(statement)
        places.append({column: source.place(place) for column, place in found.items()})
    return Examined(Analysis(tuple(statements)), tuple(places))


def _statement(source: Source, parsed: Parsed) -> tuple[Statement, dict[str, int]]:
    type_, node, start, end = parsed
    found = survey(type_, node)
    statement = Statement(
        kind=KINDS.get(type_, Kind.DDL),
        start=start,
        end=end,
        relations=frozenset(found.relations),
        functions=frozenset(found.functions),
        parameters=found.parameters,
        tag=tag_of(type_, source.text, start),
    )
    verb = WRITES.get(type_)
    if verb is not None:
        made = write_of(verb, node)
        if made is None:
            return replace(statement, kind=Kind.READ, hidden=found.hidden(None)), {}
        return replace(statement, write=made[0], hidden=found.hidden(node)), made[1]
    if type_ in RUN_THEIR_QUERY:
        statement = replace(statement, hidden=found.hidden(None))
    special = _SPECIAL.get(type_)
    return (special(statement, node, source) if special is not None else statement), {}


def _select(statement: Statement, node: Node, source: Source) -> Statement:
    return replace(statement, kind=Kind.DDL, tag="SELECT INTO") if _makes_a_table(node) else statement


def _makes_a_table(node: Node) -> bool:
    """INTO stands in the leftmost SELECT of a UNION."""
    while "larg" in node:
        node = node["larg"]
    return "intoClause" in node


def _explain(statement: Statement, node: Node, source: Source) -> Statement:
    """ANALYZE runs the statement; nothing of it can have RETURNING added, its rows are not for the client."""
    options = [item["DefElem"] for item in node.get("options", ())]
    analyzes = [is_on(option.get("arg")) for option in options if option["defname"] == "analyze"]
    ((type_, query),) = node["query"].items()
    if not analyzes or not analyzes[-1]:
        return statement
    statement = replace(statement, hidden=survey(type_, query).hidden(None))
    if type_ == "CreateTableAsStmt" or (type_ == "SelectStmt" and _makes_a_table(query)):
        statement = replace(statement, kind=Kind.DDL)
    return _runs_prepared(statement, node, source)


def _runs_prepared(statement: Statement, node: Node, source: Source) -> Statement:
    """Give the statement the name of what it EXECUTEs, if it does."""
    ((type_, query),) = node["query"].items()
    if type_ == "CreateTableAsStmt":
        return _runs_prepared(statement, query, source)
    return replace(statement, name=query["name"]) if type_ == "ExecuteStmt" else statement


def _transaction(statement: Statement, node: Node, source: Source) -> Statement:
    kind = TRANSACTIONS[node.get("kind", "TRANS_STMT_BEGIN")]
    return replace(
        statement,
        kind=kind,
        tag=kind.value.upper().replace("_", " "),
        name=node.get("savepoint_name") or node.get("gid") or "",
        chain=node.get("chain", False),
    )


def _prepare(statement: Statement, node: Node, source: Source) -> Statement:
    ((type_, query),) = node["query"].items()
    start = _behind_as(source, statement.start)
    inner, _ = _statement(source, Parsed(type_, query, start, statement.end))
    return replace(statement, name=node["name"], inner=inner)


def _behind_as(source: Source, start: int) -> int:
    """Where the statement begins that the PREPARE at `start` prepares."""
    depth = 0
    behind = False
    for begin, _, name in source.tokens():
        if begin < start:
            continue
        if behind:
            return begin
        depth += {"ASCII_40": 1, "ASCII_41": -1}.get(name, 0)
        behind = name == "AS" and depth == 0
    raise AssertionError("a PREPARE without AS was parsed")


def _named(statement: Statement, node: Node, source: Source) -> Statement:
    return replace(statement, name=node.get("name", ""))


def _discard(statement: Statement, node: Node, source: Source) -> Statement:
    everything = node.get("target", "DISCARD_ALL") == "DISCARD_ALL"
    return replace(statement, kind=Kind.DISCARD if everything else Kind.OTHER)


def _truncate(statement: Statement, node: Node, source: Source) -> Statement:
    return replace(
        statement,
        cascade=node.get("behavior") == "DROP_CASCADE",
        only=any(not item["RangeVar"].get("inh", False) for item in node["relations"]),
    )


def _copy(statement: Statement, node: Node, source: Source) -> Statement:
    if not node.get("is_from", False):
        return replace(statement, kind=Kind.READ)
    return replace(statement, kind=Kind.COPY_FROM, copy=copy_from(node))


def _set(statement: Statement, node: Node, source: Source) -> Statement:
    kind = node.get("kind", "VAR_SET_VALUE")
    values = tuple(_setting(item) for item in node.get("args", ())) if kind == "VAR_SET_VALUE" else None
    return replace(
        statement,
        name="all" if kind == "VAR_RESET_ALL" else node.get("name", "").lower(),
        value=values,
        local=node.get("is_local", False),
    )


def _setting(argument: Node) -> str:
    """A value as SET reads it; of a cast (SET TIME ZONE INTERVAL) what is cast."""
    if "TypeCast" in argument:
        argument = argument["TypeCast"].get("arg", {})
    constant = argument.get("A_Const", {})
    for kind, none in (("sval", ""), ("fval", ""), ("ival", 0), ("boolval", False)):
        if kind in constant:
            value = constant[kind].get(kind, none)
            return str(value).lower() if kind == "boolval" else str(value)
    return ""


def _drop(statement: Statement, node: Node, source: Source) -> Statement:
    if node.get("removeType") not in _RELATIONS:
        return statement
    dropped = [qualified(item["List"]["items"]) for item in node.get("objects", ()) if "List" in item]
    return _concerns(statement, dropped)


def _rename(statement: Statement, node: Node, source: Source) -> Statement:
    """The new name too: it may be one that a rule waits for."""
    if node.get("renameType") not in _RELATIONS or "relation" not in node:
        return statement
    return _concerns(statement, [RelationRef(node["newname"], relation_ref(node["relation"]).schema)])


def _move(statement: Statement, node: Node, source: Source) -> Statement:
    if "relation" not in node:
        return statement
    return _concerns(statement, [RelationRef(node["relation"]["relname"], node["newschema"])])


def _concerns(statement: Statement, relations: list[RelationRef | None]) -> Statement:
    return replace(statement, relations=statement.relations.union(filter(None, relations)))


_SPECIAL: dict[str, Callable[[Statement, Node, Source], Statement]] = {
    "SelectStmt": _select,
    "ExplainStmt": _explain,
    "CreateTableAsStmt": _runs_prepared,
    "TransactionStmt": _transaction,
    "PrepareStmt": _prepare,
    "ExecuteStmt": _named,
    "DeallocateStmt": _named,
    "DiscardStmt": _discard,
    "TruncateStmt": _truncate,
    "CopyStmt": _copy,
    "VariableSetStmt": _set,
    "DropStmt": _drop,
    "RenameStmt": _rename,
    "AlterObjectSchemaStmt": _move,
}
