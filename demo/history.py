"""The steps of the history: what was there before Causeway is copied beside live traffic, compared, and mended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from bson import Int64

from demo.errors import DemoError
from demo.figures import duration, number
from demo.scene import Scene
from demo.shop import PAGES
from demo.stage import DATABASE, connected
from demo.state import Copying, Step

TABLE = "visits"

_WRITE = """
    insert into visits (customer_id, page, seconds, came_at)
    select 1 + n % 500, ($2::text[])[1 + n % 5], n % 600, timestamptz '2020-01-01' + n * interval '61.000123 s'
    from generate_series(1, $1) n
"""

_CHUNK_ROWS = 1000
"""So that even a small history is more than one step of the bar."""

DAMAGE = {"missing": 3, "different": 2, "extra": 1}
"""What is done to the documents of visits that nobody touches: those with odd numbers."""


class History:
    """Each step gives what has come of it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def write(self, step: Step) -> str:
        """Not through the proxy: as if it had not been there yet."""
        visits = self._scene.pace.visits
        step.detail = f"{number(visits)} visits of earlier years"
        async with connected(self._scene.stage.databases.postgres.dsn(DATABASE)) as connection:
            await connection.execute(_WRITE, visits, list(PAGES))
            await connection.execute("analyze visits")
        return f"{number(visits)} visits, straight into PostgreSQL: no document has them"

    async def copy(self, step: Step) -> str:
        scene, state = self._scene, self._scene.state
        before = state.documents.get(TABLE, 0)
        step.detail = "waits until every transaction from before has ended"

        def said(line: Mapping[str, Any]) -> None:
            if line.get("event") in ("progress", "end"):
                state.copying = Copying.of(line)
                step.detail = state.copying.told

        errors, statements, began = state.application_errors, scene.stage.statements(), time.monotonic()
        code, end = await scene.stage.proxy.command(
            "backfill", TABLE, f"--chunk-rows={_CHUNK_ROWS}", said=said
        )
        took = time.monotonic() - began
        if code or end.get("status") != "done":
            raise DemoError(f"the backfill ended with {code}: {end}")
        await scene.stage.sample()
        passed = scene.stage.statements() - statements
        state.expect(
            "the history is copied beside live traffic",
            end["seeded"] > 0 and end["read"] >= scene.pace.visits * 9 // 10 and passed > 0,
            f"{number(end['seeded'])} documents put in, {number(end['stale'])} were there or gone already; "
            f"{number(passed)} statements meanwhile",
        )
        state.expect(
            "copying it does no application any harm",
            state.application_errors == errors == 0,
            f"{state.application_errors} errors",
        )
        copied = state.copying
        assert copied is not None
        state.copied = f"{number(end['read'])} rows in {duration(took)}"
        return (
            f"{number(end['seeded'])} documents put in, {number(end['stale'])} left as they were, in "
            f"{duration(took)}; there were {number(before)} of live traffic"
        )

    async def verify(self, step: Step) -> str:
        state = self._scene.state
        step.detail = "every row against its document, every document against its row, under load"
        began = time.monotonic()
        code, found = await self._verify("--all")
        took = time.monotonic() - began
        rows = sum(one["rows"] for one in found)
        left = sum(one["left"] for one in found)
        transient = sum(one["transient"] for one in found)
        state.expect(
            "verify finds no difference, under load",
            code == 0 and left == 0 and rows > 0,
            f"{number(rows)} rows of {len(found)} tables, {left} differences; {number(transient)} were on their way",
        )
        return (
            f"{number(rows)} rows, {left} differences, {number(transient)} on their way, in {duration(took)}"
        )

    async def mend(self, step: Step) -> str:
        state = self._scene.state
        step.detail = "documents are deleted, changed and added by hand"
        await self._damage()
        step.detail = f"by hand: {_told(DAMAGE)}; verify looks for it, and repairs"
        code, (found,) = await self._verify(TABLE, "--repair")
        seen = {kind: found[kind] for kind in DAMAGE}
        repaired = found["repaired"] + found["removed"]
        state.expect(
            "damage done by hand is found, all of it and nothing else",
            seen == DAMAGE and found["columns"] == {"seconds": DAMAGE["different"]},
            f"{_told(seen)}; columns that differ: {', '.join(found['columns'])}",
        )
        state.expect(
            "… and repaired, beside live traffic",
            code == 0 and found["left"] == 0 and repaired == sum(DAMAGE.values()),
            f"{repaired} documents",
        )
        return f"found {_told(seen)}; {repaired} repaired, {found['left']} left"

    async def _damage(self) -> None:
        """To odd numbers: clerks come back to even ones."""
        await self._scene.documents.spoil(
            TABLE,
            delete=[Int64(n) for n in (11, 13, 15)],
            change={Int64(n): {"seconds": -1} for n in (21, 23)},
            add={"_id": Int64(2_000_000_001), "customer_id": Int64(1), "page": "/", "seconds": 1},
        )

    async def _verify(self, *arguments: str) -> tuple[int, Sequence[Mapping[str, Any]]]:
        """Exit code, and what is said of each table."""
        code, told = await self._scene.stage.proxy.command("verify", *arguments)
        return code, told["tables"]


def _told(seen: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in seen.items())
