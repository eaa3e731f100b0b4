"""How the backfill's benchmark reckons and what it writes; once, small, for real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.backfill import Copied, Inserted, Rig, Size, copy, drop, insert, text, verdict
from bench.commands import Ended
from bench.errors import BenchError
from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from tests.support.fleet import forget_fleet

MB = 1024**2
SMALL = Size(
    100_000,
    [
        Copied(100_000, 10.0, 5.0, 80 * MB),
        Copied(100_000, 5.0, 4.0, 81 * MB),
        Copied(100_000, 8.0, 6.0, 79 * MB),
    ],
    [
        Inserted(100_000, 20_000_000, 6.0),
        Inserted(100_000, 20_000_000, 4.0),
        Inserted(100_000, 20_000_000, 5.0),
    ],
    Copied(100_000, 4.0, 3.0, 90 * MB),
)
LARGE = Size(
    1_000_000,
    [Copied(1_000_000, 80.0, 45.0, 96 * MB)],
    [Inserted(200_000, 40_000_000, 10.0)],
    Copied(1_000_000, 50.0, 30.0, 91 * MB),
)


def cells(written: str, rows: str) -> list[list[str]]:
    found = [line for line in written.splitlines() if line.startswith(f"| {rows} ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found]


def test_rates_ratios_and_memory() -> None:
    written = text([SMALL, LARGE], "documentdb")
    copied, compared = cells(written, "100,000")
    assert copied == [
        "100,000",
        "200",
        "20,000 (16,667..25,000)",
        "12,500 (10,000..20,000)",
        "0.62 (0.60..0.80)",
        "40.0",
    ]
    assert compared == ["100,000", "25,000", "30.0", "81", "1", "90", "0"]
    copied, compared = cells(written, "1,000,000")
    assert copied[4:] == ["0.62 (0.62..0.62)", "45.0"]
    assert compared == ["1,000,000", "20,000", "30.0", "96", "16", "91", "1"]
    assert "DocumentDB" in written


def test_what_verify_says() -> None:
    assert verdict(Ended('{"equal": true, "tables": [{"rows": 2, "left": 0}]}', 0.0, 0))["rows"] == 2


@pytest.fixture
def rig(postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path) -> Iterator[Rig]:
    forget_fleet(document_store.uri)
    with postgres.database() as name:
        yield Rig(postgres, name, document_store.uri, tmp_path)


@pytest.mark.integration
def test_a_small_table(rig: Rig) -> None:
    from bench.backfill import MAKE

    rig.postgres.psql(MAKE.format(name="t", rows=300), rig.database)
    first, again = copy(rig, "t", 300), insert(rig, "t", 200)
    assert (first.rows, again.documents) == (300, 200)
    assert first.rate > 0
    assert first.peak > 10 * MB
    with pytest.raises(BenchError, match="the backfill of 300 rows ended with"):
        copy(rig, "t", 300)  # every document is there already
    drop(rig, "t")
    assert copy(rig, "t", 300).rows == 300
