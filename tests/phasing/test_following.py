"""Who of the fleet has taken rules, and where the table is there."""

from __future__ import annotations

from types import MappingProxyType

from proxy.fleet.beats import Beat, TableFact
from proxy.fleet.standings import Standing
from proxy.mirror.effects import TableId
from proxy.mirror.tables import UNKNOWN
from proxy.phases import Phase
from proxy.phasing.following import Follower, Following, over
from tests.fleet.test_beats import beat

ORDERS = TableId("public", "orders")


def told(phase: str, why: str = "", *, rules: str = "new", number: int = 1, proxy: str = "p") -> Beat:
    held = (Standing("shop", ORDERS, "primary_switch", why),) if why else ()
    return beat(
        proxy, number, rules=rules, tables=(TableFact("shop", ORDERS, phase, "strict"),), standings=held,
        passed=MappingProxyType({"shop": 1}),
    )  # fmt: skip


def following(phase: Phase = Phase.PRIMARY_SWITCH, *databases: str) -> Following:
    return Following("new", ORDERS, databases, phase)


def only(followers: list[Follower]) -> Follower:
    (one,) = followers
    return one


def test_who_has_other_rules_is_waited_for() -> None:
    watched = following()
    first = only(watched.look([told("dark_read", "not yet", rules="old")]))
    assert (first.taken, first.there, first.effective, first.why) == (False, False, Phase.DARK_READ, "")
    assert not over([first])
    there = only(watched.look([told("primary_switch", number=2)]))
    assert there.there
    assert over([there])
    assert not over([there, first])


def test_who_holds_the_table_is_believed_once_it_has_judged_the_gates() -> None:
    watched = following()
    held = [only(watched.look([told("dark_read", "3 open gaps", number=number)])) for number in (1, 2, 3)]
    assert [over([one]) for one in held] == [False, False, True]
    assert (held[2].there, held[2].effective, held[2].why) == (False, Phase.DARK_READ, "3 open gaps")
    passing = [told("dark_read", UNKNOWN.firm[0], number=number) for number in (4, 5, 6, 7)]
    assert not any(over(watched.look([one])) for one in passing), "that is over in a moment"


def test_a_proxy_that_does_not_mirror_the_table_says_so_or_has_no_session_there() -> None:
    stranger = beat("a", rules="new", passed=MappingProxyType({"shop": 1}))
    found = only(following(Phase.DARK_READ, "shop").look([stranger]))
    assert (found.effective, found.there) == (Phase.PASSTHROUGH, False)
    assert "not mirrored" in found.why
    idle = only(following(Phase.DARK_READ, "shop").look([beat("a", rules="new", everywhere=(ORDERS,))]))
    assert idle.there


def test_of_several_databases_the_earliest_phase_counts() -> None:
    both = beat(
        "a", rules="new", passed=MappingProxyType({"shop": 1, "blog": 1}),
        tables=(
            TableFact("shop", ORDERS, "dark_read", "strict"), TableFact("blog", ORDERS, "backfill", "strict")
        ),
        standings=(Standing("blog", ORDERS, "dark_read", "its backfill is running"),),
    )  # fmt: skip
    found = only(following(Phase.DARK_READ).look([both]))
    assert (found.effective, found.why) == (Phase.BACKFILL, "its backfill is running")
    assert only(following(Phase.DARK_READ, "shop").look([both])).there


def test_nobody_is_waited_for_where_nobody_lives() -> None:
    assert over(following().look([]))
