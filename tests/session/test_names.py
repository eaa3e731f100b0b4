"""What a name may mean to a session: too much rather than too little, unless its search_path settles it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.session.names import meant
from proxy.session.plan import Identity
from proxy.sql.model import RelationRef
from tests.support.capture import relation, snapshot

ANN = Identity(frozenset({"ann"}), roles_known=True, path=("public",))
HERE, THERE, ALONE = relation(1, "t"), relation(2, "t", schema="other"), relation(3, "alone", schema="other")
PICTURE = snapshot([HERE, THERE, ALONE])


def oids(name: str, identity: Identity = ANN, schema: str | None = None, **more: object) -> list[int]:
    picture = snapshot([HERE, THERE, ALONE], **more) if more else PICTURE
    return [one.oid for one in meant(picture, identity, RelationRef(name, schema))]


def test_a_schema_settles_it() -> None:
    assert oids("t", schema="other") == [2]
    assert oids("t", schema="none") == []
    assert oids("t", replace(ANN, path=None), schema="public") == [1]


@pytest.mark.parametrize(
    ("path", "expected"),
    [(("public",), [1]), (("other", "public"), [2]), (("none", "other"), [2]), ((), []), (("none",), [])],
)
def test_of_several_the_first_of_the_path_is_meant(path: tuple[str, ...], expected: list[int]) -> None:
    assert oids("t", replace(ANN, path=path)) == expected


def test_one_alone_is_meant_wherever_it_is() -> None:
    """The path may have changed since it was asked for: what is written to it must not be missed."""
    assert oids("alone") == [3]
    assert oids("nowhere") == []


def test_where_the_path_does_not_tell_it_may_be_any() -> None:
    assert oids("t", replace(ANN, path=None)) == [1, 2]
    assert oids("t", replace(ANN, roles=frozenset({"ann", "bob"}))) == [1, 2]


def test_schemas_that_the_role_may_not_use_are_passed_over() -> None:
    both = replace(ANN, path=("other", "public"))
    assert oids("t", both, unusable={"ann": frozenset({"other"})}) == [1]
    assert oids("t", both, unusable={"bob": frozenset({"other"})}) == [2]


@given(st.permutations(["public", "other", "none", "more"]), st.integers(0, 4))
def test_what_is_meant_is_in_the_path(order: list[str], length: int) -> None:
    path = tuple(order[:length])
    found = meant(PICTURE, replace(ANN, path=path), RelationRef("t", None))
    assert len(found) == (1 if {"public", "other"} & set(path) else 0)
    assert all(one.schema in path for one in found)
