"""Savepoints are read as the parser reads them, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sql.analysis import analyse
from proxy.sql.model import Analysis
from proxy.sql.parse import Unparsed
from proxy.sql.savepoints import savepoint_statement

WORDS = st.sampled_from(
    ["SAVEPOINT", "release", "Rollback", "to", "WORK", "transaction", ";", " ", "\n", '"', "a1", "s_2", "select",
     "A 1", "é1", "1", "--", "prepared", "and chain"]
)  # fmt: skip


def parsed(text: str) -> Analysis | None:
    try:
        return analyse(text)
    except Unparsed:
        return None


@given(st.lists(WORDS, max_size=8).map(" ".join) | st.lists(WORDS, max_size=8).map("".join))
def test_what_is_read_is_what_the_parser_reads(text: str) -> None:
    found = savepoint_statement(text)
    if found is not None:
        assert found == parsed(text)


@pytest.mark.parametrize(
    "text",
    [
        "SAVEPOINT __asyncpg_savepoint_1__;",
        "RELEASE SAVEPOINT sa_savepoint_1",
        "ROLLBACK TO SAVEPOINT sa_savepoint_1",
        'SAVEPOINT "s140_x1"',
        'ROLLBACK TO "_pg3_1"',
        "release A1",
        "rollback work to a1 ;",
    ],
)
def test_what_drivers_send_is_read(text: str) -> None:
    assert savepoint_statement(text) == analyse(text)


@pytest.mark.parametrize(
    "text", ["SAVEPOINT select", "ROLLBACK", "SAVEPOINT a1; SELECT 1", f"SAVEPOINT a{'1' * 70}"]
)
def test_the_rest_is_the_parsers(text: str) -> None:
    assert savepoint_statement(text) is None
