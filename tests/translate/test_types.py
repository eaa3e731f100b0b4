"""Built-in types beside those of a catalogue."""

from __future__ import annotations

import pytest

from proxy.catalog.model import TypeInfo
from proxy.translate import types as t
from proxy.translate.types import Signature, Types

MOOD, MOODS, CENTS, SHORT, SHORTS, PAIR = 20000, 20001, 20002, 20003, 20004, 20005
OWN = Types(
    {
        info.oid: info
        for info in (
            TypeInfo(MOOD, "public", "mood", "e", "E", labels=("sad", "ok")),
            TypeInfo(MOODS, "public", "_mood", "b", "A", element=MOOD),
            TypeInfo(CENTS, "public", "cents", "d", "N", base=t.INT4),
            TypeInfo(SHORT, "public", "short", "d", "S", base=t.VARCHAR, base_typmod=16),
            TypeInfo(SHORTS, "public", "_short", "b", "A", element=SHORT),
            TypeInfo(PAIR, "public", "pair", "c", "C"),
        )
    }
)


def test_a_domain_is_what_is_beneath_it_with_its_own_modifier() -> None:
    assert OWN.base(SHORT, -1) == (t.VARCHAR, 16)
    assert OWN.base(CENTS) == (t.INT4, -1)
    assert OWN.base(t.VARCHAR, 9) == (t.VARCHAR, 9)


def test_an_enum_has_labels_in_their_order() -> None:
    assert OWN.labels(MOOD) == ("sad", "ok")
    assert OWN.labels(CENTS) is None
    assert OWN.is_enum(MOOD)
    assert not OWN.is_enum(t.TEXT)


@pytest.mark.parametrize(
    ("element", "array"), [(t.INT4, 1007), (t.TEXT, 1009), (MOOD, MOODS), (SHORT, SHORTS)]
)
def test_arrays_and_their_elements(element: int, array: int) -> None:
    assert OWN.array(element) == array
    assert OWN.element(array) == element


def test_what_is_no_array_has_no_element() -> None:
    """`name` and others are subscripted too, but are of no category of arrays."""
    for oid in (t.NAME, t.TEXT, t.JSONB, MOOD, PAIR, 99999):
        assert OWN.element(oid) == 0
    assert OWN.array(PAIR) == 0


def test_types_whose_values_the_proxy_has() -> None:
    for oid in (*t.PLAIN, MOOD, 1007, MOODS):
        assert OWN.known(oid)
    for oid in (t.NAME, t.OID, t.UNKNOWN, t.RECORD, PAIR, SHORTS, 199, 3807, 869, 99999):
        assert not OWN.known(oid)


def test_names_and_categories() -> None:
    assert (OWN.name(t.BPCHAR), OWN.category(t.BPCHAR), OWN.preferred(t.TEXT)) == ("bpchar", "S", True)
    assert (OWN.name(MOOD), OWN.category(MOOD), OWN.preferred(MOOD)) == ("mood", "E", False)
    assert (OWN.name(99999), OWN.category(99999)) == ("99999", "U")
    assert t.BY_NAME["float8"] == t.FLOAT8
    assert "any" not in t.BY_NAME
    assert "anyelement" not in t.BY_NAME


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f(25,23)25", ("f", False, (25, 23), False, 25, 0)),
        ("f()1184", ("f", False, (), False, 1184, 0)),
        ("f(25,2276*)25", ("f", False, (25, 2276), True, 25, 0)),
        ("fs(20,20)20", ("f", True, (20, 20), False, 20, 0)),
        ("a(2276)20", ("a", False, (2276,), False, 20, 0)),
        ("f(23,701)1186=2", ("f", False, (23, 701), False, 1186, 2)),
    ],
)
def test_a_signature(text: str, expected: tuple[object, ...]) -> None:
    one = Signature(text)
    assert (one.kind, one.returns_set, one.arguments, one.variadic, one.result, one.defaults) == expected
