"""Numbers of errors."""

from __future__ import annotations

import pytest

from devstack.gateway import error_codes
from devstack.gateway.errors import CommandError


@pytest.mark.parametrize(
    ("packed", "sqlstate", "code"),
    [(319029277, "M001C", 11000), (486539293, "M000M", 66), (50331677, "M0003", 9)],
)
def test_packed_sqlstates(packed: int, sqlstate: str, code: int) -> None:
    assert error_codes.unpack_sqlstate(packed) == sqlstate
    assert error_codes.from_write_error(packed) == code


def test_numbers_of_mongodb_stay() -> None:
    assert error_codes.from_write_error(11000) == 11000


def test_unknown_sqlstate() -> None:
    assert error_codes.from_sqlstate("XX000") == 8


def test_every_mapped_number_below_1000_has_its_name() -> None:
    numbers = {error_codes.from_sqlstate(f"M00{letter}{digit}") for letter in "01" for digit in "0123456789"}
    assert all(not error_codes.name(number).startswith("Location") for number in numbers if number < 1000)
    assert error_codes.name(40415) == "Location40415"


def test_document_of_an_error() -> None:
    error = CommandError(112, "met another", details={"keyPattern": {"a": 1}}).in_transaction()
    assert error.document() == {
        "ok": 0.0,
        "errmsg": "met another",
        "code": 112,
        "codeName": "WriteConflict",
        "keyPattern": {"a": 1},
        "errorLabels": ["TransientTransactionError"],
    }


@pytest.mark.parametrize(
    ("code", "becomes", "labelled"), [(24, 112, True), (251, 251, True), (11000, 11000, False)]
)
def test_errors_inside_a_transaction(code: int, becomes: int, labelled: bool) -> None:
    error = CommandError(code, "").in_transaction()
    assert (error.code, bool(error.labels)) == (becomes, labelled)
