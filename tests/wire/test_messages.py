"""Messages the proxy writes or reads itself; psycopg's libpq-independent facts are in the manual's message formats."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.wire import messages
from proxy.wire.messages import ErrorResponse, error_fields, fatal, frame, sqlstate_of

texts = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), min_size=1)


def test_fatal_has_the_manuals_layout() -> None:
    assert fatal(
        "57P01", "bye", detail="d", hint="h"
    ) == b"E\x00\x00\x00\x2aSFATAL\x00VFATAL\x00C57P01\x00Mbye\x00Dd\x00Hh\x00\x00".replace(
        b"\x2a", bytes([4 + 7 + 7 + 7 + 5 + 3 + 3 + 1])
    )


@given(message=texts, detail=st.none() | texts, hint=st.none() | texts)
def test_errors_read_back(message: str, detail: str | None, hint: str | None) -> None:
    encoded = ErrorResponse("ERROR", "22012", message, detail, hint, {"P": "17"}).encode()
    body = encoded[5:]
    assert encoded[0] == messages.ERROR_RESPONSE
    assert int.from_bytes(encoded[1:5], "big") == len(encoded) - 1
    fields = error_fields(body)
    assert (fields["S"], fields["C"], fields["M"], fields["P"]) == ("ERROR", "22012", message, "17")
    assert fields.get("D") == detail
    assert fields.get("H") == hint
    assert sqlstate_of(body) == "22012"


def test_a_zero_byte_cannot_end_a_field_early() -> None:
    fields = error_fields(fatal("08001", "a\x00C99999", detail="\x00")[5:])
    assert fields["C"] == "08001"
    assert fields["M"] == "aC99999"


def test_sqlstate_of_bodies_without_one() -> None:
    assert sqlstate_of(b"") == "XX000"
    assert sqlstate_of(b"SERROR\x00Mwhat\x00\x00") == "XX000"
    assert sqlstate_of(b"SERROR\x00C42") == "XX000"
    assert sqlstate_of(b"C42601\x00Mx\x00\x00") == "42601"


def test_frame_counts_its_own_length() -> None:
    assert frame(messages.QUERY, b"x\x00") == b"Q\x00\x00\x00\x06x\x00"


def test_types_are_complete() -> None:
    assert {chr(k) for k in messages.FRONTEND_TYPES} == set("BCcdDEfFHpPQSX")
    assert {chr(k) for k in messages.BACKEND_TYPES} == set("123ACDEGHIKNRSTVWZcdnstv")
