from __future__ import annotations

import uuid

import pytest
from bson.binary import Binary

from proxy.documents.codec import Foreign, Unfit
from proxy.documents.strings import (
    BYTEA,
    CHAR,
    UUID,
    bpchar,
    json_text,
    reader,
    versioned,
)


def test_bytes_that_are_no_text_are_unfit_and_not_shown() -> None:
    with pytest.raises(Unfit) as caught:
        reader("utf-8")(b"secret\xff")
    assert "secret" not in str(caught.value)


def test_char_n_loses_its_padding_and_gets_it_back() -> None:
    codec = bpchar("utf-8", 4)
    assert codec.decode(b"\xc3\xa9   ") == "é"
    assert codec.text("é") == "é   "
    assert codec.out(b"\xc3\xa9   ") == "é   "


def test_bpchar_without_a_length_keeps_its_spaces_but_in_a_key() -> None:
    codec = bpchar("utf-8", None)
    assert codec.decode(b"a  ") == "a  "
    assert codec.key is not None
    assert codec.key("a  ") == ("a", "a", "a  ")
    assert codec.key("a") == ("a", "a", None)


def test_the_one_byte_type_writes_high_bytes_in_octal() -> None:
    assert [CHAR.decode(raw) for raw in (b"\0", b"a", b"\xe9")] == ["", "a", "\\351"]


def test_json_has_no_key() -> None:
    assert json_text("utf-8").key is None


def test_uuids_as_drivers_give_them() -> None:
    text = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    value = UUID.parse(text)
    assert (type(value), value.subtype) == (Binary, 4)
    assert UUID.text(value) == UUID.text(uuid.UUID(text)) == UUID.out(bytes(value)) == text
    with pytest.raises(Foreign):
        UUID.text(Binary(bytes(16), 0))


def test_bytea_is_generic_binary_data() -> None:
    assert BYTEA.text(b"\0\xff") == BYTEA.text(Binary(b"\0\xff", 0)) == "\\x00ff"
    assert BYTEA.parse("\\x00ff") == b"\0\xff"
    with pytest.raises(Foreign):
        BYTEA.text(Binary(bytes(16), 4))
    with pytest.raises(ValueError, match="hex"):
        BYTEA.parse("escaped\\000")


def test_an_unknown_version_byte_is_refused() -> None:
    assert versioned("utf-8").out(b"\1$.a") == "$.a"
    with pytest.raises(Unfit):
        versioned("utf-8").out(b"\2$.a")
