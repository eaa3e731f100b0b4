"""Any damage to a document is told as what it is, and what is equal stays equal in any order of fields."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import bson
import pytest
from bson import Decimal128, Int64
from bson.datetime_ms import DatetimeMS
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.backfill.compare import Difference, Kind, difference, fingerprint
from proxy.backfill.digests import canonical
from proxy.documents.mapping import Server, build_mapping
from tests.documents.made import relation, rule_of

ITEMS = build_mapping(
    relation("t", [("id", 23), ("name", 25), ("at", 1114), ("price", 1700), ("data", 3802)], key=["id"]),
    rule_of("t", rename={"name": "label"}),
    {},
    Server("shop"),
)
CELLS = build_mapping(
    relation("t", [("x", 23), ("y", 23), ("n", 23)], key=["x", "y"]), rule_of("t"), {}, Server("shop")
)

ROW: dict[str, Any] = {
    "_id": 7,
    "label": "seven",
    "at": DatetimeMS(5),
    "price": Decimal128("1.50"),
    "data": {"a": 1, "b": 2},
}
MARKS: dict[str, Any] = {"us": {"at": 7}, "flags": {"price": "nan", "data": "null"}}


def damaged(change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> Difference | None:
    document = {**ROW, "data": dict(ROW["data"])}
    marks = {name: dict(value) for name, value in MARKS.items()}
    change(document, marks)
    return difference(ITEMS, canonical(ROW, MARKS), canonical(document, marks))


def test_nothing_differs_from_itself() -> None:
    assert difference(ITEMS, canonical(ROW, MARKS), canonical(ROW, MARKS)) is None
    assert difference(ITEMS, None, None) is None


def test_missing_and_extra() -> None:
    assert difference(ITEMS, canonical(ROW, MARKS), None) == Difference(Kind.MISSING)
    assert difference(ITEMS, None, canonical(ROW, MARKS)) == Difference(Kind.EXTRA)


@pytest.mark.parametrize(
    ("change", "columns", "fields"),
    [
        (lambda d, m: d.update(label="eight"), ["name"], []),
        (lambda d, m: d.update(label=None), ["name"], []),
        (lambda d, m: d.pop("label"), ["name"], []),
        (lambda d, m: d.update(price=1.5), ["price"], []),
        (lambda d, m: d.update(price=Decimal128("1.5")), ["price"], []),
        (lambda d, m: d.update(at=DatetimeMS(6), label="x"), ["name", "at"], []),
        (lambda d, m: d.update(data={"b": 2, "a": 1}), ["data"], []),
        (lambda d, m: d.update(name="by hand"), [], ["name"]),
        (lambda d, m: m["us"].update(at=8), ["at"], []),
        (lambda d, m: m.pop("us"), ["at"], []),
        (lambda d, m: m.update(us="broken"), [], ["_cw.us"]),
        (lambda d, m: m["flags"].pop("price"), ["price"], []),
        (lambda d, m: m["flags"].update(data="undefined"), ["data"], []),
        (lambda d, m: m["flags"].update(other=1), [], ["other"]),
        (lambda d, m: m.update(key="7"), ["id"], []),
        (lambda d, m: m.update(more=1), [], ["_cw.more"]),
        (lambda d, m: d.update(_id=Int64(7)), ["id"], []),
    ],
)
def test_what_differs_is_named(change: Any, columns: list[str], fields: list[str]) -> None:
    assert damaged(change) == Difference(Kind.DIFFERENT, tuple(columns), tuple(fields))


def test_without_marks_or_with_others_instead() -> None:
    row = canonical(ROW, {})
    assert difference(ITEMS, row, bson.encode(ROW)) == Difference(Kind.DIFFERENT, (), ("_cw",))
    assert difference(ITEMS, row, bson.encode({**ROW, "_cw": 1})) == Difference(Kind.DIFFERENT, (), ("_cw",))


def test_an_id_of_several_columns_has_an_order() -> None:
    row = {"_id": {"x": 1, "y": 2}, "x": 1, "y": 2, "n": 3}
    turned = {**row, "_id": {"y": 2, "x": 1}}
    assert difference(CELLS, canonical(row, {}), canonical(turned, {})) == Difference(
        Kind.DIFFERENT, ("x", "y")
    )


@given(st.randoms(use_true_random=False))
def test_the_order_of_fields_does_not_count(order: random.Random) -> None:
    def shuffled(document: dict[str, Any]) -> dict[str, Any]:
        names = list(document)
        order.shuffle(names)
        return {name: document[name] for name in names}

    whole = {**ROW, "_cw": {name: shuffled(marks) for name, marks in shuffled(MARKS).items()}}
    assert difference(ITEMS, canonical(ROW, MARKS), bson.encode(shuffled(whole))) is None


VALUES = st.one_of(st.none(), st.integers(-3, 3), st.text(max_size=2), st.booleans(), st.floats())


@given(st.dictionaries(st.sampled_from([*ROW, "strange", "more"]), VALUES, min_size=1))
def test_any_damage_is_told_exactly(damage: dict[str, Any]) -> None:
    """The columns named are those whose values are not the row's, and no others."""
    document = {**ROW, **damage}
    wrong = {
        name
        for name in document
        if name not in ROW or bson.encode({"": ROW[name]}) != bson.encode({"": document[name]})
    }
    named = {"_id": "id", "label": "name"}
    found = difference(ITEMS, canonical(ROW, MARKS), canonical(document, MARKS))
    if not wrong:
        assert found is None
        return
    assert found is not None
    assert found.kind is Kind.DIFFERENT
    assert set(found.columns) == {named.get(name, name) for name in wrong & set(ROW)}
    assert set(found.fields) == wrong - set(ROW)


def test_bytes_that_are_no_document_are_different() -> None:
    assert difference(ITEMS, canonical(ROW, MARKS), b"\x05\0\0\0\1") is not None


MARK_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.just({}), st.dictionaries(st.sampled_from(["at", "x"]), st.integers(0, 1)), st.just("text")
)
DOCUMENTS = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {}, optional={"label": VALUES, "strange": VALUES, "_cw": st.one_of(st.none(), MARK_VALUES)}
    ).map(lambda fields: {"_id": 7, **fields}),
    st.dictionaries(st.sampled_from(["us", "flags", "key", "more"]), MARK_VALUES).map(
        lambda marks: {"_id": 7, "label": "x", "_cw": marks}
    ),
)


@given(DOCUMENTS, DOCUMENTS, st.randoms(use_true_random=False))
@example({"_id": 7, "_cw": None}, {"_id": 7}, random.Random(1))
def test_the_fingerprint_is_the_same_for_what_is_equal(one: Any, other: Any, order: random.Random) -> None:
    """For rows, too, which always have `_cw`."""

    def shuffled(value: Any, depth: int) -> Any:
        if not isinstance(value, dict) or not depth:
            return value
        names = list(value)
        order.shuffle(names)
        return {
            name: shuffled(value[name], depth - 1 if name in ("_cw", "us", "flags") else 0) for name in names
        }

    first = None if one is None else bson.encode(one)
    second = None if other is None else bson.encode(shuffled(other, 3))
    assert (fingerprint(first) == fingerprint(second)) == (difference(ITEMS, first, second) is None)
    if other is not None:
        assert fingerprint(second) == fingerprint(bson.encode(other))
