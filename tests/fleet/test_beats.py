from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import bson

from proxy.fleet.beats import Beat, Fleet, Succession, TableFact, Wait, concerns, parse_beat
from proxy.mirror.effects import TableId

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def beat(proxy: str = "other", number: int = 1, incarnation: str = "i", **more: object) -> Beat:
    return replace(Beat(proxy, incarnation, number, MOMENT, MOMENT), **more)  # type: ignore[arg-type]


def fleet_of(*beats: Beat, marked: tuple[str, ...] = (), now: float = 0.0) -> Fleet:
    fleet = Fleet("me")
    fleet.observe(beats, marked, now)
    return fleet


def test_a_beat_survives_the_store() -> None:
    told = beat(
        group="g",
        version="1.0",
        rules="abc",
        tables=(TableFact("a.b$c", TableId("s.", "$t"), "dual_write", "strict"),),
        queued=7,
        gaps=MappingProxyType({("a.b$c", 's."T"'): 2}),
        passed=MappingProxyType({"a.b$c": (2047 << 52) | 5}),
        clean=True,
        source="7301",
        everywhere=(TableId("s.", "$t"),),
    )
    options: bson.CodecOptions[Mapping[str, Any]] = bson.CodecOptions(tz_aware=True)
    assert parse_beat("other", bson.decode(bson.encode(told.document()), options)) == told


def test_fields_of_a_newer_version_do_not_matter() -> None:
    document = {**beat().document(), "moon": "full"}
    del document["gaps"], document["source"]
    assert parse_beat("other", document) == beat()


def test_silence_is_counted_from_when_a_beat_was_first_seen() -> None:
    fleet = fleet_of(beat(number=1), now=100.0)
    fleet.observe([beat(number=1)], (), 150.0)
    assert fleet.silent(159.9, 60.0) == []
    assert fleet.silent(160.0, 60.0) == [beat(number=1)]
    fleet.observe([beat(number=2)], (), 170.0)
    assert fleet.silent(229.0, 60.0) == []
    fleet.observe([beat(number=2, incarnation="j")], (), 229.0)
    assert fleet.silent(240.0, 60.0) == []


def test_who_is_not_waited_for() -> None:
    ended, lost, alive, me = beat("a", clean=True), beat("b"), beat("c"), beat("me")
    fleet = fleet_of(ended, lost, alive, me, marked=("b",))
    assert fleet.others() == [alive]
    assert fleet.silent(1e9, 1.0) == [alive]
    assert set(fleet.beats) == {"a", "b", "c", "me"}


def test_proxies_of_other_servers_are_no_concern() -> None:
    here, elsewhere, older = beat("a", source="1"), beat("b", source="2", group="g"), beat("c")
    fleet = fleet_of(here, elsewhere, older)
    assert fleet.others() == [here, elsewhere, older], "one that does not know its own server waits for all"
    fleet.source = "1"
    assert fleet.others() == [here, older], "one that does not tell its server counts for everybody"
    assert fleet.silent(1e9, 1.0) == [here, older]
    assert fleet.siblings("g") == [elsewhere], "a spool is shared whatever is in it"
    assert [concerns("1", name) for name in ("1", "2", "")] == [True, False, True]
    assert concerns("", "2")


def passed(version: int, number: int = 1) -> Beat:
    return beat(number=number, passed=MappingProxyType({"shop": version}))


def test_waiting_is_over_once_every_proxy_has_passed() -> None:
    wait = Wait("shop", 10)
    assert wait.late([passed(9)])
    assert wait.late([passed(10), passed(9)])
    assert not wait.late([passed(10), passed(11)])
    assert not Wait("shop", 10).late([])


def test_who_says_nothing_of_the_database_is_heard_twice_more() -> None:
    wait = Wait("shop", 10)
    assert wait.late([beat(number=5)])
    assert wait.late([beat(number=6)])
    assert not wait.late([beat(number=7)])
    wait = Wait("shop", 10)
    assert wait.late([beat(number=5)])
    assert wait.late([beat(number=9, incarnation="j")])
    assert wait.late([beat(number=10, incarnation="j")])
    assert not wait.late([beat(number=11, incarnation="j")])
    assert wait.late([passed(9, number=20)])


def test_a_successor_is_held_to_what_was_said_before() -> None:
    succession = Succession(passed(50))
    assert succession.allows({"shop": 90, "stock": 7}) == {"shop": 50, "stock": 0}
    assert succession.allows({"shop": 40}) == {"shop": 40}
    assert succession.allows({}) == {"shop": 50}, "what was left of it may not be found yet"
    first, second = beat("a", number=3), beat("b", number=9)
    assert not succession.look([first, second])
    assert not succession.look([replace(first, number=5), replace(second, number=10)])
    assert succession.look([replace(first, number=5), replace(second, number=11)])
    assert succession.allows({"shop": 90}) == {"shop": 90}
    assert succession.allows({}) == {}
    assert succession.look([beat("c")]), "what comes later has taken over nothing without saying so"


def test_who_has_no_siblings_succeeds_at_once() -> None:
    assert Succession(passed(50)).look([])
    fleet = fleet_of(beat("a", group="g"), beat("b", group="h"), beat("me", group="g"))
    assert fleet.siblings("g") == [beat("a", group="g")]
