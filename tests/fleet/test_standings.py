"""How the proxies of a fleet stand to a table, from what their heartbeats say."""

from __future__ import annotations

from types import MappingProxyType

import bson

from proxy.fleet.beats import TableFact
from proxy.fleet.standings import MAX_WHY, Seats, Standing, parse_standing, phase_of
from proxy.fleet.tallies import Counts
from proxy.mirror.effects import TableId
from proxy.phases import Phase
from tests.fleet.test_beats import beat

ORDERS = TableId("public", "orders")
FACT = TableFact("shop", ORDERS, "dark_read", "strict")
STANDING = Standing("shop", ORDERS, "primary_switch", "3 open gaps", 1.5, Counts(9, 1), Counts(0, 0, 7, 2))


def test_a_standing_survives_the_store() -> None:
    values = bson.decode(bson.encode({"values": STANDING.values()}))["values"]
    assert parse_standing(values) == STANDING
    long = Standing("shop", ORDERS, "dark_read", "x" * 1000)
    assert len(parse_standing(long.values()).why) == MAX_WHY


def test_who_says_nothing_of_a_table_does_not_mirror_it() -> None:
    told = [
        beat("a", tables=(FACT,), standings=(STANDING,)),
        beat("b", tables=(TableFact("blog", ORDERS, "dark_read", "strict"),)),
    ]
    one, other = Seats(told).of("shop", ORDERS)
    assert (one.proxy, one.phase, one.standing, one.unused) == ("a", Phase.DARK_READ, STANDING, False)
    assert (other.proxy, other.phase, other.standing, other.unused) == ("b", None, None, False)


def test_whose_rules_mirror_the_table_and_who_has_no_session_there_will_be_heard_before_it_has() -> None:
    newer = [
        beat("idle", rules="newer", everywhere=(ORDERS,)),
        beat("busy", rules="newer", everywhere=(ORDERS,), passed=MappingProxyType({"shop": 5})),
        beat("others", rules="newer", everywhere=(TableId("public", "items"),)),
    ]
    assert [seat.unused for seat in Seats(newer).of("shop", ORDERS)] == [True, False, False]


def test_a_phase_of_a_newer_version_lies_behind_those_that_are_known() -> None:
    assert phase_of("backfill") is Phase.BACKFILL
    assert phase_of("hyper_read") is Phase.DECOMMISSION
