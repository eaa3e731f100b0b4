"""`causeway gaps`: what is open is shown, and every gap can be worked off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from proxy.mirror.effects import Cause, Rows, TableId, Unseen
from proxy.mirror.gap import entry_of, gap_id
from proxy.mirror.gapfile import StoredGap
from proxy.stores.mongo import open_store
from tests.backfill.test_cli_verify import causeway
from tests.backfill.verify_world import World, made_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def world(postgres: PostgresServer, document_store: DocumentStore, tmp_path: Path) -> Iterator[World]:
    with made_world(postgres, document_store, tmp_path) as made:
        yield made
        made.client["_causeway"]["gaps"].delete_many({"database": made.database})


async def opened(world: World, table: str, cause: Cause, rows: Rows | None = None, owner: str = "") -> str:
    """Its id."""
    unseen = Unseen(cause, TableId("public", table), rows, "why")
    identity = gap_id(world.database, unseen, owner)
    state = StoredGap(identity, world.database, unseen, owner, 5, 1, NOW, NOW, False)
    store = open_store(world.given["store"])
    try:
        await store.open_gap(entry_of(state, owner or "a" * 32))
    finally:
        await store.close()
    return identity


def listed(world: World, *tables: str) -> list[dict[str, Any]]:
    done = causeway(world, "gaps", "list", *tables, "--json", "--show-values")
    assert done.exit_code == 0, done.output
    return [gap for gap in json.loads(done.stdout)["gaps"] if gap["database"] == world.database]


def in_ledger(world: World) -> list[str]:
    return [gap["_id"] for gap in world.client["_causeway"]["gaps"].find({"database": world.database})]


def test_the_ledger(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    asyncio.run(opened(world, "items", Cause.TRIGGER))
    asyncio.run(opened(world, "words", Cause.COPY, Rows(("word",), (("secret",), ("other",)))))
    done = causeway(world, "gaps")
    assert done.exit_code == 0, done.output
    assert f"{world.database}:public.items" in done.stdout
    assert "trigger" in done.stdout
    assert "2 rows" in done.stdout
    assert "secret" not in done.stdout
    [gap] = listed(world, f"{world.database}:words")
    assert (gap["cause"], gap["rows"], gap["values"]) == ("copy", 2, [["secret"], ["other"]])
    done = causeway(world, "gaps", "list", "--json")
    assert "secret" not in done.stdout
    done = causeway(world, "gaps", "list", "Words")
    assert done.exit_code == 2


def test_every_gap_is_worked_off(world: World) -> None:
    asyncio.run(world.fill("items", "words", "cells"))
    world.run("update items set name = 'unseen' where id in (3, 4); delete from items where id = 5")
    world.run("update words set n = -1 where n = 7")
    [word] = [document["_id"] for document in world.collection("words").find({"n": 7})]
    asyncio.run(opened(world, "items", Cause.FUNCTION))
    asyncio.run(opened(world, "items", Cause.UNCLEAN_END, owner="b" * 32))
    asyncio.run(opened(world, "words", Cause.COPY, Rows(("word",), ((word,), ("not there",)))))
    asyncio.run(opened(world, "cells", Cause.CASCADE, Rows(("n",), (("1",), ("2",)))))
    asyncio.run(opened(world, "cells", Cause.CASCADE, Rows(("gone column",), (("1",),))))
    done = causeway(world, "gaps", "repair", "--json")
    assert json.loads(done.stdout)["closed"] >= 5, done.output
    assert done.exit_code == 0, done.output
    assert in_ledger(world) == []
    for report in (asyncio.run(world.verify("items", "words", "cells"))).values():
        assert report.differences == 0


def test_a_gap_of_any_cause_is_worked_off(world: World) -> None:
    """Once with its rows, once of its whole table."""
    asyncio.run(world.fill("smalls", "cells"))
    world.run("delete from smalls where id = 7; update cells set n = -1 where x = 3")
    causes = list(Cause)

    async def all_of_them() -> None:
        for number, cause in enumerate(causes):
            owner = "b" * 32 if cause is Cause.UNCLEAN_END else ""
            rows = Rows(("id",), ((str(number + 1),), ("7",)))
            await opened(world, "smalls", cause, rows, owner)
            await opened(world, "cells", cause, None, owner)

    asyncio.run(all_of_them())
    assert {gap["cause"] for gap in listed(world)} == {cause.value for cause in causes}
    done = causeway(world, "gaps", "repair", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["closed"] >= len(causes), told["left"]) == (True, [])
    assert in_ledger(world) == []
    for report in (asyncio.run(world.verify("smalls", "cells"))).values():
        assert report.differences == 0


def test_gaps_that_cannot_be_closed_say_why(world: World) -> None:
    asyncio.run(world.fill("items"))
    world.run("insert into items (id, price) values (5000, repeat('7', 40)::numeric)")
    asyncio.run(opened(world, "unknown", Cause.TRIGGER))
    asyncio.run(opened(world, "items", Cause.COPY, Rows(("id",), (("5000",),))))
    done = causeway(world, "gaps", "repair")
    assert done.exit_code == 1, done.output
    assert "no rule is about table" in done.stdout
    assert "items poison: " in done.stdout
    assert "5000" not in done.stdout


def test_a_comparison_closes_the_gaps_that_were_open_before_it(world: World) -> None:
    asyncio.run(world.fill("cells"))
    asyncio.run(opened(world, "cells", Cause.TRIGGER))
    [report] = (asyncio.run(world.verify("cells"))).values()
    assert report.gaps_closed == 0
    [report] = (asyncio.run(world.verify("cells", repair=True, concurrency=1))).values()
    assert (report.gaps_closed, in_ledger(world)) == (1, [])


def test_a_gap_stays_while_a_difference_is_left(world: World) -> None:
    asyncio.run(world.fill("cells"))
    world.collection("cells").insert_one({"_id": "somebody's"})
    gap = asyncio.run(opened(world, "cells", Cause.TRIGGER))
    [report] = (asyncio.run(world.verify("cells", repair=True))).values()
    assert (report.left, report.gaps_closed) == (1, 0)
    assert in_ledger(world) == [gap]
