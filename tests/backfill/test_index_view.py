"""How the indexes of a table are shown."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

from proxy.backfill.index_view import describe, keys, render
from proxy.backfill.indexes import Plan, plan_indexes
from proxy.stores.protocol import Index
from tests.backfill.made import mirrored, source


def plan() -> Plan:
    table = mirrored(("id", 20), ("state", 25), ("placed", 1184))
    open_ones = replace(source("open", "-placed"), predicate="state = 'open'::text")
    sources = [source("pkey", "id", unique=True), open_ones, source("fast", "state", method="hash")]
    return plan_indexes(table, sources, [Index("mine", (("state", 1), ("place", "2d")), unique=True)])


def shown(what: Plan) -> str:
    console = Console(width=160, file=StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(render(what))
    return " ".join(capture.get().split())


def test_a_person_sees_each_index_and_why() -> None:
    text = shown(plan())
    for part in (
        "shop.public.orders → shop.orders",
        "pkey unique id by _id",
        'open placed desc where state = \'open\'::text placed desc where {"state": "open"} missing',
        "fast hash state not translated the store has no index like hash",
        "also there: mine on state, place (2d) unique",
        "warning: index mine of the collection is unique",
        "1 to be made: --apply makes them.",
    ):
        assert part in text


def test_a_table_without_indexes() -> None:
    assert "PostgreSQL has no index on it." in shown(plan_indexes(mirrored(("id", 20)), [], []))


def test_as_json() -> None:
    told = describe(plan())
    assert told["table"] == "shop.public.orders"
    assert [one["standing"] for one in told["indexes"]] == ["by _id", "missing", "not translated"]
    assert told["indexes"][1]["index"] == {
        "name": "open",
        "keys": [["placed", -1]],
        "unique": False,
        "partial": '{"state": "open"}',
    }
    assert told["others"][0]["name"] == "mine"
    assert len(told["warnings"]) == 1


def test_keys() -> None:
    assert keys(Index("i", (("a", 1), ("b", -1)))) == "a, b desc"
