"""Which statements leave a session's settings as they are, and a transaction block to the store. Pure.

Not looked at: what triggers, defaults, casts, operators and views call. Settings are asked for again after a while.
"""

from __future__ import annotations

import re

from proxy.sql.model import Kind, RelationRef, Statement
from proxy.translate.builtins import FUNCTIONS

FOLLOWED_ANYWAY = frozenset(
    {
        "application_name",
        "client_encoding",
        "datestyle",
        "intervalstyle",
        "standard_conforming_strings",
        "timezone",
    }
)
"""Settings that a server reports when they change, or that do not matter, or that plans follow themselves."""

_MORE = """
avg bit_and bit_or bool_and bool_or clock_timestamp count cume_dist current_database current_schema current_schemas
currval dense_rank every first_value format_type gen_random_uuid generate_series generate_subscripts getdatabaseencoding
has_schema_privilege has_table_privilege inet_client_addr inet_server_addr json_agg json_array_length json_build_array
json_build_object json_each json_each_text json_object_agg json_populate_record json_populate_recordset json_to_record
json_to_recordset jsonb_agg jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_object_agg
jsonb_path_exists jsonb_path_query jsonb_set jsonb_to_record jsonb_to_recordset lag last_value lastval lead max min mode
nextval now nth_value ntile obj_description percent_rank percentile_cont percentile_disc pg_advisory_lock
pg_advisory_unlock pg_advisory_xact_lock pg_backend_pid pg_cancel_backend pg_get_constraintdef pg_get_expr
pg_get_indexdef pg_get_serial_sequence pg_is_in_recovery pg_notify pg_postmaster_start_time pg_relation_size pg_sleep
pg_table_is_visible pg_total_relation_size pg_try_advisory_lock pg_try_advisory_xact_lock pg_type_is_visible random rank
row_number row_to_json setval statement_timestamp string_agg sum timeofday to_json to_jsonb to_regclass to_tsquery
to_tsvector transaction_timestamp txid_current unnest uuid_generate_v4 version websearch_to_tsquery plainto_tsquery
ts_rank ts_headline current_setting quote_ident quote_literal col_description shobj_description pg_encoding_to_char
pg_get_userbyid pg_get_viewdef pg_size_pretty hashtext
"""
_INNOCENT = frozenset(
    {line.split(" ", 1)[0] for line in FUNCTIONS.replace("\n  ", " ").splitlines() if line}
    | set(_MORE.split())
)

_QUIET_OTHERS = frozenset(
    {"LISTEN", "UNLISTEN", "NOTIFY", "LOCK", "CLOSE", "VACUUM", "ANALYZE", "CHECKPOINT"}
)
_QUIET = frozenset(
    {
        Kind.BEGIN,
        Kind.COMMIT,
        Kind.ROLLBACK,
        Kind.SAVEPOINT,
        Kind.RELEASE,
        Kind.ROLLBACK_TO,
        Kind.PREPARE_TRANSACTION,
        Kind.COMMIT_PREPARED,
        Kind.ROLLBACK_PREPARED,
        Kind.PREPARE,
        Kind.DEALLOCATE,
        Kind.TRUNCATE,
        Kind.COPY_FROM,
    }
)
_SETTINGS_VIEW = RelationRef("pg_settings")

_WORD = re.compile(r"[A-Za-z]+|[^A-Za-z\s,;]")
_READ_COMMITTED_WORDS = frozenset(
    {
        *("BEGIN", "START", "TRANSACTION", "WORK", "ISOLATION", "LEVEL", "READ", "COMMITTED", "UNCOMMITTED"),
        *("ONLY", "WRITE", "NOT", "DEFERRABLE", "SET", "LOCAL"),
    }
)


def keeps_settings(statement: Statement) -> bool:
    """Whether the settings that served reads depend on are the same behind it, or are known to be others."""
    kind = statement.kind
    if kind in _QUIET:
        return True
    if kind is Kind.SET:
        if statement.name == "search_path":
            return statement.value is not None and "$user" not in statement.value
        return statement.name in FOLLOWED_ANYWAY or statement.name.startswith("transaction")
    if kind is Kind.OTHER:
        return statement.tag in _QUIET_OTHERS
    if kind not in (Kind.READ, Kind.WRITE) or statement.tag == "FETCH":
        return False
    return not any(_suspect(function) for function in statement.functions) and not (
        kind is Kind.WRITE and any(one.name == _SETTINGS_VIEW.name for one in statement.relations)
    )


def _suspect(function: RelationRef) -> bool:
    return function.name not in _INNOCENT or function.schema not in (None, "pg_catalog")


def keeps_block(statement: Statement, text: str) -> bool:
    """Whether a READ COMMITTED block may go on reading from the store behind it: it reads and locks nothing."""
    match statement.kind:
        case Kind.BEGIN:
            return _read_committed(statement, text)
        case Kind.SET:
            return not statement.name.startswith("transaction") or _read_committed(statement, text)
        case Kind.READ:
            return statement.tag == "SHOW"
        case _:
            return False


def _read_committed(statement: Statement, text: str) -> bool:
    """Whether the transaction it is about reads as READ COMMITTED does, where that is the default."""
    words = _WORD.findall(text[statement.start : statement.end].upper())
    return all(word in _READ_COMMITTED_WORDS for word in words)
