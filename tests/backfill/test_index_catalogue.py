"""What is read of an index. The query itself is tried on real tables in test_index_work.py."""

from __future__ import annotations

from proxy.backfill.index_catalogue import IndexPart, SourceIndex, source_index


def test_a_row() -> None:
    row = {
        "name": "open",
        "relation": 5000,
        "method": "btree",
        "is_unique": False,
        "is_valid": True,
        "predicate": "gone IS NULL",
        "columns": ["placed", ""],
        "definitions": ["placed", "lower(state)"],
        "included": ["total"],
        "descending": [True, False],
        "definition": "CREATE INDEX open ON ...",
    }
    assert source_index(row) == SourceIndex(
        "open",
        5000,
        "btree",
        (IndexPart("placed", "placed", True), IndexPart("", "lower(state)")),
        predicate="gone IS NULL",
        included=("total",),
        definition="CREATE INDEX open ON ...",
    )
