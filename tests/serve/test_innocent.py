"""What leaves settings and blocks as they are."""

from __future__ import annotations

import pytest

from proxy.serve.innocent import keeps_block, keeps_settings
from proxy.sql.analysis import analyse


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*), max(x), lower(y), now() FROM t",
        "INSERT INTO t VALUES (nextval('s'))",
        "BEGIN",
        "COMMIT",
        "SET TIME ZONE 'UTC'",
        "SET search_path = a, b",
        "SET LOCAL datestyle = 'ISO'",
        "SET TRANSACTION READ ONLY",
        "PREPARE q AS SELECT f()",
        "LISTEN x",
        "COPY t FROM STDIN",
        "SELECT pg_catalog.lower(x) FROM t",
    ],
)
def test_settings_are_as_before(text: str) -> None:
    assert keeps_settings(analyse(text).statements[0])


@pytest.mark.parametrize(
    "text",
    [
        "SELECT f()",
        "SELECT other.lower(x) FROM t",
        "SELECT set_config('extra_float_digits', '0', false)",
        "UPDATE pg_settings SET setting = '0' WHERE name = 'extra_float_digits'",
        "SET extra_float_digits = 0",
        "SET ROLE bob",
        "SET search_path = '$user', public",
        "RESET search_path",
        "RESET ALL",
        "DISCARD ALL",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "DO $$ BEGIN END $$",
        "CALL p()",
        "EXECUTE q",
        "FETCH c",
        "CREATE TEMP TABLE t (id int)",
        "SELECT * INTO TEMP t FROM a",
        "LOAD 'x'",
    ],
)
def test_settings_may_be_others(text: str) -> None:
    assert not keeps_settings(analyse(text).statements[0])


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN",
        "begin work;",
        "START TRANSACTION READ ONLY",
        "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE",
        "BEGIN ISOLATION LEVEL READ UNCOMMITTED",
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET LOCAL extra_float_digits = 0",
        "SHOW TimeZone",
    ],
)
def test_a_block_goes_on_reading_from_the_store(text: str) -> None:
    assert keeps_block(analyse(text).statements[0], text)


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "BEGIN /* x */ READ ONLY",
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET TRANSACTION SNAPSHOT '1'",
        "SET transaction_isolation = 'serializable'",
        "SELECT 1",
        "SAVEPOINT s",
        "LOCK TABLE t",
        "INSERT INTO t VALUES (1)",
        "COMMIT AND CHAIN",
    ],
)
def test_a_block_reads_from_postgresql_from_then_on(text: str) -> None:
    assert not keeps_block(analyse(text).statements[0], text)
