from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sql.analysis import analyse
from proxy.sql.model import Write
from proxy.sql.splice import HEADER_FIELDS, OldUnreachable, expression, insertion, original_offset, spliced


def write(text: str) -> Write:
    (statement,) = analyse(text).statements
    assert statement.write is not None
    return statement.write


def test_the_expression() -> None:
    assert expression(write('UPDATE "T 1" AS a SET b = 1'), text=False, old=False) == (
        'pg_catalog.record_send(ROW("a".tableoid, pg_catalog.pg_current_wal_insert_lsn(), '
        "pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), pg_catalog.pg_current_xact_id(), "
        'NULL::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.bytea, "a".*))'
    )


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    "statement", ["DELETE FROM t", "MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE"]
)
def test_it_has_a_header_of_seven_fields(statement: str, text: bool, old: bool) -> None:
    whole = f"SELECT {expression(write(statement), text=text, old=old)}"
    assert len(analyse(whole).statements) == 1
    arguments = whole.removeprefix("SELECT pg_catalog.record_send(ROW(").removesuffix("))")
    assert arguments.count(", ") == HEADER_FIELDS
    assert ("MERGE_ACTION()" in whole) == statement.startswith("MERGE")
    assert ('ROW("t".*)::pg_catalog.text' in whole) is text
    assert ("ROW(old.*)" in whole) is old


@pytest.mark.parametrize(
    ("statement", "start"),
    [
        ("DELETE FROM t", ' RETURNING pg_catalog.record_send(ROW("t"'),
        ("DELETE FROM t RETURNING a", ', pg_catalog.record_send(ROW("t"'),
        ("UPDATE t SET a = 1 FROM old", ' RETURNING WITH (OLD AS "causeway_old") pg_catalog.record_send('),
        ("UPDATE t SET a = 1 FROM old RETURNING WITH (OLD AS o) o.a", ", pg_catalog.record_send("),
    ],
)
def test_the_insertion(statement: str, start: str) -> None:
    made = insertion(write(statement), text=False, old=True)
    assert made.startswith(start)


def test_an_old_row_that_no_name_reaches() -> None:
    made = write("UPDATE old SET a = 1 RETURNING a")
    with pytest.raises(OldUnreachable):
        insertion(made, text=False, old=True)
    assert insertion(made, text=False, old=False)


def test_edits() -> None:
    assert (
        spliced("DELETE FROM é;DELETE FROM u", [(13, "<1>"), (27, "<2>")])
        == "DELETE FROM é<1>;DELETE FROM u<2>"
    )
    assert spliced("x", []) == "x"
    assert spliced("", [(0, "a")]) == "a"


@given(
    text=st.text(max_size=20),
    offsets=st.lists(st.integers(0, 20), max_size=4),
    additions=st.lists(st.text("+", min_size=1, max_size=5), min_size=4, max_size=4),
)
def test_offsets_go_back_to_where_they_were(text: str, offsets: list[int], additions: list[str]) -> None:
    marked = "".join(chr(0xE000 + index) for index in range(len(text)))
    edits = [
        (min(offset, len(text)), addition)
        for offset, addition in zip(sorted(offsets), additions, strict=False)
    ]
    longer = spliced(marked, edits)
    for offset, char in enumerate(longer):
        origin = original_offset(edits, offset)
        if char == "+":
            assert origin in {place for place, _ in edits}
        else:
            assert marked[origin] == char
    assert original_offset(edits, len(longer)) == len(text)
