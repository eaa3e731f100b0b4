"""Which reads may be sampled."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from proxy.rulefiles.schema import Shadow
from proxy.session.plan import Ground, Identity
from proxy.shadow.candidates import Candidate, Dark, DarkTable, candidate
from proxy.sql.analysis import analyse
from tests.support.capture import ground, relation, snapshot

ANN = Identity(frozenset({"ann"}), roles_known=True, path=("public",))


def world(**more: object) -> tuple[Ground, Dark]:
    """Tables a (10 %) and b (50 %) are dark, c is mirrored only."""
    picture = snapshot(
        [relation(1, "a"), relation(2, "b"), relation(3, "c")], unreadable={"ann": {}, "bob": {}}, **more
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


def test_other_texts_are_none() -> None:
    assert found("SELECT * FROM c") is None
    assert found("SELECT * FROM a; SELECT * FROM a") is None


def test_a_session_that_is_not_known_well_enough_is_said_to_be() -> None:
    one = found("SELECT * FROM a", replace(ANN, utf8=False))
    assert one is not None
    assert (one.names, one.reason) == (("public.a",), "client_encoding is not UTF8")


def test_of_a_session_that_has_had_several_roles_each_must_see_everything() -> None:
    both = replace(ANN, roles=frozenset({"ann", "bob"}))
    seeing = found("SELECT * FROM a", both)
    assert seeing is not None
    assert seeing.reason == ""
    blind = found("SELECT * FROM a", both, invisible={"bob": frozenset({1})})
    assert blind is not None
    assert "every row and column" in blind.reason
