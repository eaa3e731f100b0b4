"""PostgreSQL, asked for many reads in one round trip, each on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from psycopg import pq

from proxy.translate.api import OutputColumn
from tests.translate.fuzz.values import KEYS, POOLS
from tests.translate.world import Answer, Oracle

Question = tuple[str, Sequence[bytes | None], Sequence[int], Sequence[int]]
"""Text, parameters, their declared types, their formats."""
Said = tuple[Answer, bool]
"""What PostgreSQL says, and whether it has prepared the read."""


def ask_all(oracle: Oracle, questions: Sequence[Question]) -> list[Said]:
    """The texts must fit into the socket's buffer: libpq sends them all before it reads."""
    connection = oracle.connection
    connection.enter_pipeline_mode()
    try:
        for sql, parameters, types, formats in questions:
            connection.send_prepare(b"", sql.encode(), list(types) or None)
            connection.send_describe_prepared(b"")
            given = [pq.Format(code) for code in formats] or None
            connection.send_query_prepared(b"", cast("Sequence[bytes]", parameters), given)
            connection.pipeline_sync()
        return [_answer(connection) for _ in questions]
    finally:
        connection.exit_pipeline_mode()


def _answer(connection: pq.abc.PGconn) -> Said:
    prepared, described, ran = (_result(connection) for _ in range(3))
    synced = connection.get_result()
    assert synced is not None
    assert synced.status == pq.ExecStatus.PIPELINE_SYNC
    if prepared.status != pq.ExecStatus.COMMAND_OK:
        return Answer((), (), [], _sqlstate(prepared)), False
    columns = tuple(
        OutputColumn(
            (described.fname(n) or b"").decode(),
            described.ftype(n),
            described.fmod(n),
            described.ftable(n),
            described.ftablecol(n),
        )
        for n in range(described.nfields)
    )
    oids = tuple(described.param_type(n) for n in range(described.nparams))
    if ran.status != pq.ExecStatus.TUPLES_OK:
        return Answer(columns, oids, [], _sqlstate(ran)), True
    rows = []
    for row in range(ran.ntuples):
        values = (ran.get_value(row, column) for column in range(ran.nfields))
        rows.append(tuple(None if value is None else value.decode() for value in values))
    return Answer(columns, oids, rows), True


def _result(connection: pq.abc.PGconn) -> pq.abc.PGresult:
    result = connection.get_result()
    assert result is not None
    assert connection.get_result() is None
    return result


def _sqlstate(result: pq.abc.PGresult) -> str:
    return (result.error_field(pq.DiagnosticField.SQLSTATE) or b"?????").decode()


def binary_forms(oracle: Oracle) -> dict[tuple[str, str], bytes]:
    """What a driver would send for the pools' values, by type and text; PostgreSQL itself says it."""
    found = {}
    for name in POOLS:
        values = list(dict.fromkeys(POOLS[name] + KEYS.get(name, ())))
        send = oracle.ask(
            f"SELECT typsend::text FROM pg_type WHERE oid = pg_typeof(NULL::{name})::oid", [], []
        ).rows[0][0]
        rows = ", ".join("({}, '{}')".format(n, value.replace("'", "''")) for n, value in enumerate(values))
        answer = oracle.ask(
            f"SELECT encode({send}(v::{name}), 'hex') FROM (VALUES {rows}) x (n, v) ORDER BY n", [], []
        )
        for value, (made,) in zip(values, answer.rows, strict=True):
            assert made is not None
            found[name, value] = bytes.fromhex(made)
    return found


def type_oids(oracle: Oracle) -> dict[str, int]:
    return {
        name: int(oracle.ask(f"SELECT pg_typeof(NULL::{name})::oid::int8", [], []).rows[0][0] or 0)
        for name in POOLS
    }
