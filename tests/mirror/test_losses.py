"""What becomes a gap when a transaction's end cannot be told, or nobody has it any more."""

from __future__ import annotations

from proxy.mirror.effects import Cause, Rows, TableId, Truncation, Unseen
from proxy.mirror.losses import Losses
from proxy.mirror.resolver import Verdict
from proxy.mirror.transaction import Transaction
from tests.mirror.world import ACCOUNTS_ID, DATABASE, NOTES_ID, Gaps, insert, version

OTHERS_ID = TableId("public", "others")
COPIED = Unseen(Cause.COPY, OTHERS_ID, Rows(("id",), (("1",),)))


class AccountsOnly:
    def tables_in(self, tx: Transaction) -> set[TableId]:
        return {ACCOUNTS_ID}


def lost(*effects: object) -> tuple[Losses, Transaction, Gaps]:
    gaps = Gaps()
    tx = Transaction(DATABASE)
    tx.add(effects)  # type: ignore[arg-type]
    return Losses(gaps, AccountsOnly(), lambda database: 77), tx, gaps


def test_what_has_ended_one_way_or_the_other_keeps_the_rows_it_named() -> None:
    losses, tx, gaps = lost(COPIED, Truncation((NOTES_ID,), version(100)))
    losses.in_doubt(tx, Verdict.ENDED)
    assert gaps.recorded == [
        (DATABASE, COPIED, 77),
        (DATABASE, Unseen(Cause.TRUNCATE, NOTES_ID, None, "whether it committed is not known"), 77),
    ]


def test_what_the_source_has_forgotten_is_a_gap_of_every_table_parts_on_disk_included() -> None:
    losses, tx, gaps = lost(insert(1, "x", 100))
    tx.tables = {NOTES_ID}
    losses.in_doubt(tx, Verdict.FORGOTTEN)
    assert gaps.causes() == [("in_doubt", "accounts"), ("in_doubt", "notes")]


def test_what_nobody_has_is_an_unclean_end() -> None:
    losses, tx, gaps = lost(insert(1, "x", 100))
    losses.unclean(tx)
    assert gaps.causes() == [("unclean_end", "accounts")]
