from __future__ import annotations

import pytest

from proxy.documents.codec import Foreign, Unrepresentable, text_codec


def test_a_type_kept_as_text_is_its_own_text() -> None:
    codec = text_codec(bytes.decode)
    assert codec.decode(b"x") == codec.out(b"x") == codec.parse("x") == codec.text("x") == "x"
    assert codec.key is not None
    assert codec.key("x") == ("x", "x", None)
    with pytest.raises(Foreign):
        codec.text(1)


def test_a_type_without_equality_has_no_key() -> None:
    assert text_codec(bytes.decode, keyed=False).key is None


def test_unrepresentable_names_column_and_reason() -> None:
    error = Unrepresentable("price", "too long")
    assert (error.column, error.reason, str(error)) == ("price", "too long", "column price: too long")
