"""Which kind every statement type of PostgreSQL's grammar is. What is not listed is DDL."""

from __future__ import annotations

import re

from proxy.sql.model import Kind

KINDS: dict[str, Kind] = {
    "InsertStmt": Kind.WRITE,
    "UpdateStmt": Kind.WRITE,
    "DeleteStmt": Kind.WRITE,
    "MergeStmt": Kind.WRITE,
    "SelectStmt": Kind.READ,
    "ExplainStmt": Kind.READ,
    "VariableShowStmt": Kind.READ,
    "FetchStmt": Kind.READ,
    "DeclareCursorStmt": Kind.READ,
    "PrepareStmt": Kind.PREPARE,
    "ExecuteStmt": Kind.EXECUTE,
    "DeallocateStmt": Kind.DEALLOCATE,
    "TruncateStmt": Kind.TRUNCATE,
    "VariableSetStmt": Kind.SET,
    "CallStmt": Kind.CALL,
    "DoStmt": Kind.CALL,
    "AlterDatabaseRefreshCollStmt": Kind.OTHER,
    "AlterSystemStmt": Kind.OTHER,
    "CheckPointStmt": Kind.OTHER,
    "ClosePortalStmt": Kind.OTHER,
    "ClusterStmt": Kind.OTHER,
    "CommentStmt": Kind.OTHER,
    "ConstraintsSetStmt": Kind.OTHER,
    "ListenStmt": Kind.OTHER,
    "LoadStmt": Kind.OTHER,
    "LockStmt": Kind.OTHER,
    "NotifyStmt": Kind.OTHER,
    "RefreshMatViewStmt": Kind.OTHER,
    "ReindexStmt": Kind.OTHER,
    "SecLabelStmt": Kind.OTHER,
    "UnlistenStmt": Kind.OTHER,
    "VacuumStmt": Kind.OTHER,
}
"""TransactionStmt, CopyStmt and DiscardStmt are several kinds each; SELECT INTO is DDL."""

TRANSACTIONS: dict[str, Kind] = {
    "TRANS_STMT_BEGIN": Kind.BEGIN,
    "TRANS_STMT_START": Kind.BEGIN,
    "TRANS_STMT_COMMIT": Kind.COMMIT,
    "TRANS_STMT_ROLLBACK": Kind.ROLLBACK,
    "TRANS_STMT_SAVEPOINT": Kind.SAVEPOINT,
    "TRANS_STMT_RELEASE": Kind.RELEASE,
    "TRANS_STMT_ROLLBACK_TO": Kind.ROLLBACK_TO,
    "TRANS_STMT_PREPARE": Kind.PREPARE_TRANSACTION,
    "TRANS_STMT_COMMIT_PREPARED": Kind.COMMIT_PREPARED,
    "TRANS_STMT_ROLLBACK_PREPARED": Kind.ROLLBACK_PREPARED,
}
"""`kind` of a TransactionStmt."""

RUN_THEIR_QUERY = frozenset({"SelectStmt", "CopyStmt", "CreateTableAsStmt", "DeclareCursorStmt"})
"""Types whose data-modifying WITH clauses run with them, beside the writes themselves and EXPLAIN ANALYZE."""

_TAGS = {
    "InsertStmt": "INSERT",
    "UpdateStmt": "UPDATE",
    "DeleteStmt": "DELETE",
    "MergeStmt": "MERGE",
    "SelectStmt": "SELECT",
}
_WORD = re.compile(r"[A-Za-z]+")
_WORDS = re.compile(r"([A-Za-z]+)[ \t\n\r\f\v]+([A-Za-z]+)")
_NOISE = re.compile(
    r"(?<=[ \t\n\r\f\v])(?:OR[ \t\n\r\f\v]+REPLACE|GLOBAL|LOCAL|TEMP|TEMPORARY|UNLOGGED|UNIQUE|RECURSIVE|CONSTRAINT"
    r"|TRUSTED|PROCEDURAL)[ \t\n\r\f\v]+(?=[A-Za-z])",
    re.IGNORECASE,
)
_NOISE_WITHIN = 64
_TWO_WORDS = frozenset({"ALTER", "CREATE", "DROP", "REFRESH"})


def tag_of(type_: str, text: str, start: int) -> str:
    """The leading words of the statement at `start`, keywords only, upper case."""
    if type_ in _TAGS:
        return _TAGS[type_]
    head = _NOISE.sub("", text[start : start + _NOISE_WITHIN])
    match = _WORD.match(head)
    if match is None:
        return ""
    first = match[0].upper()
    both = _WORDS.match(head)
    if both is None or first not in _TWO_WORDS:
        return first
    return f"{first} {both[2].upper()}"
