"""Which reads may be sampled."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from proxy.rulefiles.schema import Shadow
from proxy.session.plan import Ground, Identity
from proxy.shadow.candidates import Candidate, Dark, DarkTable, candidate
from proxy.sql.analysis import analyse
from tests.support.capture import ground, relation, snapshot

ANN = Identity(frozenset({"ann"}), roles_known=True, path=("public",))


def world(**more: object) -> tuple[Ground, Dark]:
    """Tables a (10 %) and b (50 %) are dark, c is mirrored only, v is a view."""
    picture = snapshot(
        [relation(1, "a"), relation(2, "b"), relation(3, "c"), relation(4, "v", kind="v")], **more
    )
    tables = {
        1: DarkTable("public.a", Shadow.model_validate({"sample": "10%"})),
        2: DarkTable("public.b", Shadow.model_validate({"sample": "50%"})),
    }
    dark = Dark(MappingProxyType(tables), 0.5)
    return replace(ground(picture, mirrored=(1, 2, 3)), dark=dark), dark


def found(text: str, identity: Identity = ANN, **more: object) -> Candidate | None:
    base, dark = world(**more)
    return candidate(analyse(text), base, dark, identity)


def test_a_read_has_the_smallest_share_of_its_tables() -> None:
    one, both = found("SELECT * FROM b"), found("SELECT * FROM b JOIN a USING (id)")
    assert one is not None
    assert both is not None
    assert (one.share, one.names) == (0.5, ("public.b",))
    assert (both.share, both.names) == (0.1, ("public.a", "public.b"))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT * FROM c",
        "SELECT * FROM a, c",
        "SELECT * FROM a WHERE id IN (SELECT id FROM c)",
        "SELECT * FROM v",
        "SELECT * FROM elsewhere",
        "SELECT * FROM other.a",
        "SELECT * FROM a; SELECT * FROM a",
        "EXPLAIN SELECT * FROM a",
        "UPDATE a SET total = 1",
        "WITH w AS (DELETE FROM a RETURNING id) SELECT * FROM w",
        "WITH w AS (DELETE FROM b RETURNING id) SELECT * FROM w, a",
        "SELECT * INTO d FROM a",
        "DECLARE c CURSOR FOR SELECT * FROM a",
    ],
)
def test_other_texts_are_none(text: str) -> None:
    assert found(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM a",
        "TABLE a",
        "WITH w AS (SELECT * FROM a) SELECT * FROM w",
        "(SELECT id FROM public.a)",
    ],
)
def test_every_way_to_read_is_one(text: str) -> None:
    assert found(text) is not None


@pytest.mark.parametrize(
    ("identity", "more", "reason"),
    [
        (replace(ANN, path=None), {}, "search_path"),
        (replace(ANN, utf8=False), {}, "client_encoding"),
        (replace(ANN, roles_known=False), {}, "role is not known"),
        (replace(ANN, roles=frozenset({"bob"})), {}, "privileges"),
        (ANN, {"invisible": {"ann": frozenset({1})}}, "every row and column"),
    ],
)
def test_sessions_of_which_too_little_is_known_are_said_to_be(
    identity: Identity, more: dict[str, object], reason: str
) -> None:
    one = found("SELECT * FROM a", identity, **more)
    assert one is not None
    assert reason in one.reason
