"""Rows of a table that is not mirrored, by which rows of mirrored ones go."""

from __future__ import annotations

import struct

from proxy.documents.records import ImageHeader
from proxy.mirror.effects import Cause, Rows, TableId, Unseen
from proxy.mirror.passing import Passing, passing
from proxy.sql.model import Verb
from tests.mirror.test_cascades import A, C, all_tables, catalogue

INT = (23,)


def number(value: int) -> bytes:
    return struct.pack("!i", value)


def record(oid: int, value: bytes) -> bytes:
    return struct.pack("!iIi", 1, oid, len(value)) + value


def header(old: bytes | None = None) -> ImageHeader:
    return ImageHeader(A, 1, 1, 1, None, None, old)


def found(verb: Verb, head: ImageHeader, oids: tuple[int, ...], *fields: bytes | None) -> list[Unseen]:
    one = passing(catalogue(), A)
    assert isinstance(one, Passing)
    return one.following(verb, head, oids, fields, all_tables)


B = TableId("public", "b")


def test_nothing_follows_a_table_nobody_refers_to() -> None:
    assert passing(catalogue(), C) is None
    assert passing(catalogue(), 999) is None


def test_a_deleted_row_takes_those_that_refer_to_it() -> None:
    rows = Rows(("a_id",), (("7",),))
    assert found(Verb.DELETE, header(), INT, number(7)) == [Unseen(Cause.CASCADE, B, rows, "foreign key ab")]


def test_a_key_that_changes_takes_them_too() -> None:
    old = header(record(23, number(7)))
    assert [unseen.rows for unseen in found(Verb.UPDATE, old, INT, number(8))] == [Rows(("a_id",), (("7",),))]
    assert found(Verb.UPDATE, old, INT, number(7)) == []
    assert found(Verb.UPDATE, header(), INT, number(8)) == []


def test_a_row_of_another_shape_may_have_taken_any() -> None:
    assert [unseen.rows for unseen in found(Verb.DELETE, header(), (25,), b"x")] == [None]
