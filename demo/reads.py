"""The steps that read documents: reads compared in the dark, a planted difference, reads served from the store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bson import Int64

from demo import shop
from demo.errors import DemoError
from demo.figures import duration, number
from demo.scene import Scene
from demo.state import Served, Step

_COMPARED_SECONDS = 40.0
_FOUND_SECONDS = 40.0
_SERVED_SECONDS = 40.0
_LOOK_SECONDS = 0.2
_ENOUGH = 150
"""Reads that are compared, and later served, before the story goes on."""

RENAMED = tuple(range(10, shop.CUSTOMERS + 1, 10))
"""Customers whose documents are changed by hand: nothing writes to customers, so nothing else puts them right."""
DAMAGE = {"missing": 3, "different": 2, "extra": 1}
"""What is done to the documents of visits that nobody touches: those with odd numbers."""


class Reads:
    """Each step gives what has come of it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def compare(self, step: Step) -> str:
        scene, state = self._scene, self._scene.state
        step.detail = "PostgreSQL answers; each read runs on the documents as well, and the two are compared"
        await self._until_counted("match", _ENOUGH, _COMPARED_SECONDS)
        await scene.watch(scene.pace.look)
        await scene.stage.sample()
        outcomes = self._outcomes()
        state.expect(
            "reads of documents equal PostgreSQL's, all of them",
            outcomes.get("match", 0) >= _ENOUGH and not outcomes.get("mismatch"),
            _told(outcomes),
        )
        shadow = state.status.shadow if state.status else None
        state.shadowed = tuple(shadow.statements[:6]) if shadow else ()
        return _told(outcomes)

    async def find(self, step: Step) -> str:
        scene, state = self._scene, self._scene.state
        step.detail = f"by hand: {len(RENAMED)} customers get another name in their documents"
        began = time.monotonic()
        await scene.documents.spoil(
            "customers", change={Int64(n): {"name": "Somebody Else"} for n in RENAMED}
        )
        await self._until_counted("mismatch", 1, _FOUND_SECONDS)
        took = time.monotonic() - began
        entries: Sequence[Mapping[str, Any]] = ()
        while not entries:
            _, ledger = await scene.stage.proxy.command("mismatches", "list", "customers")
            entries = ledger["mismatches"]
            if time.monotonic() - began > _FOUND_SECONDS:
                raise DemoError("the ledger of mismatches stays empty")
        columns = sorted({column for entry in entries for column in entry["columns"]})
        state.expect(
            "a planted difference is found by the application's own reads, with its column",
            columns == ["name"],
            f"after {duration(took)}: {len(entries)} customers so far, column {', '.join(columns)}",
        )
        return f"found after {duration(took)} by a read of the shop: customers, column {', '.join(columns)}"

    async def mend(self, step: Step) -> str:
        scene, state = self._scene, self._scene.state
        step.detail = (
            f"also by hand: {_told(DAMAGE)} among the visits; verify looks for all of it, and repairs"
        )
        await scene.documents.spoil(
            "visits",
            delete=[Int64(n) for n in (11, 13, 15)],
            change={Int64(n): {"seconds": -1} for n in (21, 23)},
            add={"_id": Int64(2_000_000_001), "customer_id": Int64(1), "page": "/", "seconds": 1},
        )
        code, told = await scene.stage.proxy.command("verify", "customers", "visits", "--repair")
        found = {one["table"].rpartition(".")[2]: one for one in told["tables"]}
        customers, visits = found["customers"], found["visits"]
        seen = {kind: visits[kind] for kind in DAMAGE}
        state.expect(
            "damage done by hand is found, all of it and nothing else",
            seen == DAMAGE
            and customers["different"] == len(RENAMED)
            and customers["missing"] == customers["extra"] == 0
            and customers["columns"] == {"name": len(RENAMED)},
            f"visits {_told(seen)}; customers {customers['different']} different",
        )
        repaired = sum(one["repaired"] + one["removed"] for one in found.values())
        state.expect(
            "… and repaired, beside live traffic",
            code == 0
            and not any(one["left"] for one in found.values())
            and repaired == sum(DAMAGE.values()) + len(RENAMED),
            f"{repaired} documents",
        )
        await scene.stage.proxy.command("mismatches", "clear", "--all")
        return f"visits {_told(seen)}, customers {customers['different']} different; {repaired} repaired"

    async def serve(self, step: Step) -> str:
        scene, state, stage = self._scene, self._scene.state, self._scene.stage
        step.detail = "what can be answered exactly comes from the documents"
        await stage.sample()
        before = dict(state.last.reads) if state.last else {}
        began = time.monotonic()
        errors = state.application_errors

        def served() -> dict[str, float]:
            now = state.last.reads if state.last else {}
            return {source: count - before.get(source, 0) for source, count in now.items()}

        while served().get("store", 0) < _ENOUGH or time.monotonic() - began < scene.pace.look:
            if time.monotonic() - began > _SERVED_SECONDS:
                raise DemoError(f"the documents answer too little: {served()}")
            await scene.watch(_LOOK_SECONDS)
            await stage.sample()
            step.detail = f"{number(served().get('store', 0))} reads answered by the documents"
        until = time.monotonic()
        state.served = Served(
            store=int(served().get("store", 0)),
            postgres=int(served().get("postgres", 0)),
            work=state.work(began, until),
        )
        state.expect(
            "reads are answered from the documents, and no application notices",
            state.served.store >= _ENOUGH and state.application_errors == errors == 0,
            f"{number(state.served.store)} by the documents, {number(state.served.postgres)} by PostgreSQL; "
            f"{state.application_errors} errors",
        )
        return (
            f"{number(state.served.store)} reads answered by the documents, {number(state.served.postgres)} by "
            f"PostgreSQL ({state.served.share:.0%}); an action takes {duration(state.served.work.p50)}"
        )

    async def _until_counted(self, outcome: str, enough: int, patience: float) -> None:
        state, stage = self._scene.state, self._scene.stage
        await stage.sample()
        before = self._outcomes().get(outcome, 0) if outcome == "mismatch" else 0
        deadline = time.monotonic() + patience
        while self._outcomes().get(outcome, 0) - before < enough:
            if time.monotonic() > deadline:
                reasons = state.status.shadow.reasons[:5] if state.status and state.status.shadow else ()
                why = "; ".join(f"{one.outcome}: {one.reason} ({one.count})" for one in reasons)
                raise DemoError(f"no {enough} reads are counted as {outcome}: {self._outcomes()}; {why}")
            await asyncio.sleep(_LOOK_SECONDS)
            self._scene.shop.check()
            await stage.sample()

    def _outcomes(self) -> dict[str, int]:
        """Of all statements so far."""
        status = self._scene.state.status
        found = {"match": 0, "mismatch": 0}
        for one in status.shadow.statements if status is not None and status.shadow is not None else ():
            for outcome, count in one.outcomes.items():
                found[outcome] = found.get(outcome, 0) + count
        return found


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number(count)} {kind}" for kind, count in counts.items() if count)
