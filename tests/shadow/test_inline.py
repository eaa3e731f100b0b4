"""Parameters become constants of their types, and nothing else of the text changes."""

from __future__ import annotations

import struct

import pytest

from proxy.shadow.inline import inlined
from proxy.shadow.rows import Unreadable
from proxy.sql.parse import Source


def test_parameters_are_put_in_their_places() -> None:
    text = "  SELECT '$1', a FROM t -- $1\n WHERE b = $2 AND é = $1 AND c = $2 ;"
    found = inlined(Source(text), (23, 25), (struct.pack("!i", 5), b"it's"), (1, 0), {})
    assert found == (
        "SELECT '$1', a FROM t -- $1\n WHERE b = ('it''s'::\"pg_catalog\".\"text\") AND é = "
        '(\'5\'::"pg_catalog"."int4") AND c = (\'it\'\'s\'::"pg_catalog"."text")'
    )
    assert inlined(Source("SELECT $1"), (25,), (None,), (0,), {}) == 'SELECT (NULL::"pg_catalog"."text")'


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(Unreadable, match="without a value"):
        inlined(Source("SELECT $2"), (23,), (b"1",), (0,), {})
    with pytest.raises(Unreadable, match="catalogue"):
        inlined(Source("SELECT $1"), (99999,), (b"1",), (0,), {})
    with pytest.raises(Unreadable, match="not what its type says"):
        inlined(Source("SELECT $1"), (23,), (b"\xff",), (0,), {})
