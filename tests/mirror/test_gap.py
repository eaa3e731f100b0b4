from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from proxy.mirror.effects import Cause, Rows, TableId, Unseen
from proxy.mirror.gap import backoff, gap_id, parse_table, table_name

TABLE = TableId("public", "orders")


def test_ids_follow_from_database_table_cause_and_scope() -> None:
    one = Unseen(Cause.COPY, TABLE, Rows(("id",), (("1",),)), "how it came")
    assert gap_id("shop", one) == gap_id("shop", Unseen(one.cause, one.table, one.rows, "otherwise"))
    assert gap_id("shop", one) == "3bc61f42c34b4800a6d4efb9", "ids outlive the version that made them"
    others = {
        gap_id("shop2", one),
        gap_id("shop", Unseen(Cause.CASCADE, TABLE, one.rows)),
        gap_id("shop", Unseen(Cause.COPY, TABLE, None)),
        gap_id("shop", Unseen(Cause.COPY, TABLE, Rows(("id",), (("2",),)))),
        gap_id("shop", Unseen(Cause.COPY, TABLE, Rows(("id",), ((None,),)))),
        gap_id("shop", Unseen(Cause.COPY, TABLE, Rows(("di",), (("1",),)))),
        gap_id("shop", Unseen(Cause.COPY, TableId("orders", "public"), one.rows)),
        gap_id("shop", one, "proxy"),
    }
    assert len(others) == 8
    assert gap_id("shop", one) not in others


name = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=15)


@given(name, name)
def test_the_name_of_a_table_in_the_ledger_leads_back_to_it(schema: str, table: str) -> None:
    assert parse_table(table_name(TableId(schema, table))) == TableId(schema, table)


def test_backoff_doubles_up_to_its_bound() -> None:
    assert 0.07 < backoff(1, 30.0) <= 0.1
    assert 0.29 < backoff(3, 30.0) <= 0.4
    assert 22.5 <= backoff(500, 30.0) <= 30.0
