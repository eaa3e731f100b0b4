from __future__ import annotations

from struct import pack

from proxy.documents.textsearch import tsvector


def lexeme(word: bytes, *positions: int) -> bytes:
    return word + b"\0" + pack(f">H{len(positions)}H", len(positions), *positions)


def test_a_vector_is_its_text() -> None:
    raw = pack(">i", 3) + lexeme(b"cat", 3, 5 | 3 << 14) + lexeme(b"it's", 1 | 1 << 14) + lexeme(b"a\\b")
    assert tsvector("utf-8").decode(raw) == "'cat':3,5A 'it''s':1C 'a\\\\b'"


def test_an_empty_vector_is_an_empty_string() -> None:
    assert tsvector("utf-8").decode(pack(">i", 0)) == ""
