from __future__ import annotations

import pytest

from proxy.sql.copydata import CopyKeys
from tests.sql.copying import layout, read


def test_a_key_that_is_not_in_the_data() -> None:
    assert "does not hold the key" in read(layout(), [b"1\n"], ())
    assert "fewer columns" in read(layout(), [b"1\n"], (1,))


def test_the_encoding_is_the_statements_or_the_sessions() -> None:
    assert read(layout("(ENCODING 'latin1')"), [b"\xe9\n"]) == [("é",)]
    assert read(layout(), [b"\xe9\n"], encoding="latin_1") == [("é",)]
    assert read(layout(), ["表\\n示\tx\n".encode("cp932")], encoding="cp932") == [("表\n示",)]
    assert "encoding" in read(layout(), [b"1\n"], encoding=None)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"1\n" * 101, "100 rows"), (b"x" * 2000, "longer than 1000"), (b"1\\.\n", "end marker")],
)
def test_what_is_given_up_stays_given_up(data: bytes, reason: str) -> None:
    keys = CopyKeys(layout(), (0,), max_rows=100, max_record=1000)
    keys.feed(data)
    assert reason in (keys.failure or "")
    keys.feed(b"5\n")
    assert keys.finish() is None
    assert keys.keys == []


def test_a_format_that_is_not_known() -> None:
    assert "format" in read(layout("(FORMAT parquet)"), [b"1\n"])
