"""The steps of the history: what was there before Causeway is copied beside live traffic, compared, and mended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from demo.errors import DemoError
from demo.figures import duration, number
from demo.scene import Scene
from demo.shop import PAGES, TABLES
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
        before = sum(state.documents.values())
        step.detail = "waits until every transaction from before has ended"

        ended: list[Mapping[str, Any]] = []

        def said(line: Mapping[str, Any]) -> None:
            if line.get("event") in ("progress", "end"):
                state.copying = Copying.of(line)
                step.detail = f"{state.copying.table.rpartition('.')[2]}: {state.copying.told}"
            if line.get("event") == "end":
                ended.append(line)

        errors, statements, began = state.application_errors, scene.stage.statements(), time.monotonic()
        code, last = await scene.stage.proxy.command(
            "backfill", "--all", f"--chunk-rows={_CHUNK_ROWS}", said=said
        )
        took = time.monotonic() - began
        if code or len(ended) < len(TABLES) or any(one.get("status") != "done" for one in ended):
            raise DemoError(f"the backfill ended with {code}: {last}")
        read, seeded, stale = (sum(one[what] for one in ended) for what in ("read", "seeded", "stale"))
        await scene.stage.sample()
        passed = scene.stage.statements() - statements
        state.expect(
            "the history is copied beside live traffic",
            seeded > 0 and read >= scene.pace.visits * 9 // 10 and passed > 0,
            f"{number(seeded)} documents put in, {number(stale)} were there or gone already; "
            f"{number(passed)} statements meanwhile",
        )
        state.expect(
            "copying it does no application any harm",
            state.application_errors == errors == 0,
            f"{state.application_errors} errors",
        )
        copied = state.copying
        assert copied is not None
        state.copied = f"{number(read)} rows in {duration(took)}"
        return (
            f"{number(seeded)} documents put in, {number(stale)} left as they were, in "
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

    async def _verify(self, *arguments: str) -> tuple[int, Sequence[Mapping[str, Any]]]:
        """Exit code, and what is said of each table."""
        code, told = await self._scene.stage.proxy.command("verify", *arguments)
        return code, told["tables"]
