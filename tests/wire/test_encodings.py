"""Names of character sets."""

from __future__ import annotations

import pytest

from proxy.wire.encodings import UnknownEncoding, python_encoding


@pytest.mark.parametrize(
    ("name", "python"),
    [("UTF8", "utf-8"), ("LATIN1", "iso8859-1"), ("WIN1252", "cp1252"), ("EUC_JP", "euc_jp"), ("utf-8", "utf-8"),
     ("SQL_ASCII", "utf-8"), ("KOI8R", "koi8-r")],
)  # fmt: skip
def test_encodings_have_a_name_in_python(name: str, python: str) -> None:
    assert python_encoding(name) == python


@pytest.mark.parametrize("name", ["MULE_INTERNAL", "EUC_TW", "rot13", ""])
def test_other_encodings_are_refused(name: str) -> None:
    with pytest.raises(UnknownEncoding):
        python_encoding(name)
