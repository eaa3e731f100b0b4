from __future__ import annotations

import pglast.ast
import pytest

from proxy.sql.kinds import KINDS, TRANSACTIONS, tag_of
from proxy.sql.model import Kind
from proxy.sql.parse import Source

_SEVERAL = {"TransactionStmt", "CopyStmt", "DiscardStmt"}
_NEVER_ALONE = {"RawStmt", "PLAssignStmt", "ReturnStmt", "SetOperationStmt", "ReplicaIdentityStmt"}
_DDL = (
    "Alter",
    "Create",
    "Drop",
    "Grant",
    "Import",
    "Reassign",
    "Rename",
    "Define",
    "Index",
    "Rule",
    "View",
    "Composite",
)


def test_every_statement_type_of_the_grammar_has_its_kind() -> None:
    types = {name for name in dir(pglast.ast) if name.endswith("Stmt")} - _NEVER_ALONE - _SEVERAL
    assert KINDS.keys() <= types
    unlisted = {name for name in types - KINDS.keys() if not name.startswith(_DDL)}
    assert unlisted == set()


def test_every_kind_of_transaction_statement_is_known() -> None:
    assert set(TRANSACTIONS) == {item.name for item in pglast.enums.TransactionStmtKind}
    assert len(set(TRANSACTIONS.values())) == len(TRANSACTIONS) - 1
    assert TRANSACTIONS["TRANS_STMT_START"] is Kind.BEGIN


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("WITH a AS (SELECT 1) insert into t select 1", "INSERT"),
        ("(select 1)", "SELECT"),
        ("TABLE t", "SELECT"),
        ("alter table t add x int", "ALTER TABLE"),
        ("create or  replace\nfunction f() returns int language sql as 'select 1'", "CREATE FUNCTION"),
        ("create unlogged table t ()", "CREATE TABLE"),
        ("create unique index on t (a)", "CREATE INDEX"),
        ("create temp table temp ()", "CREATE TABLE"),
        ("drop/* x */table secret", "DROP"),
        ("grant select on t to somebody", "GRANT"),
        ("prepare p as select 1", "PREPARE"),
        ("vacuum t", "VACUUM"),
        ("set x = 'secret'", "SET"),
    ],
)
def test_tags_hold_key_words_only(text: str, tag: str) -> None:
    (statement,) = Source(text).statements
    assert tag_of(statement.type, text, statement.start) == tag
