"""The steps that edit the rules while the proxy runs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from demo import rule_edits
from demo.figures import duration, number
from demo.rule_edits import Edit
from demo.scene import Scene
from demo.state import Step
from demo.view import bare, held_tables
from proxy.admin.status import Status
from proxy.phases import Phase


class Editing:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._reloads: list[str] = []

    def step(self, edit: Edit) -> Callable[[Step], Awaitable[str]]:
        async def carry_out(step: Step) -> str:
            return await self._edit(edit, step)

        return carry_out

    async def _edit(self, edit: Edit, step: Step) -> str:
        state, stage = self._scene.state, self._scene.stage
        before = await stage.sample()
        statements = stage.statements()
        seen = len(stage.proxy.events)
        began = time.monotonic()
        stage.write_rules(edit)
        changed = f"{len(state.rules_changed)} lines of {rule_edits.FILE_NAME} have changed"
        step.detail = changed
        await stage.logged("rules_applied" if edit.good else "rules_rejected", seen)
        took = time.monotonic() - began
        state.rules_rejected = not edit.good
        if edit.good:
            waited = await self._come_about(edit, step, changed)
            detail = self._taken(edit, await stage.sample(), before.rules.digest, took, waited)
        else:
            detail = await self._refused(edit, await stage.sample(), before)
        step.detail = detail
        if self._scene.opened is not None:
            await self._scene.watch(self._scene.pace.look)
            await stage.sample()
            passed = stage.statements() - statements
            state.expect(
                "statements go on through every reload",
                passed > 0 and state.application_errors == 0,
                f"{number(passed)} during the last",
            )
        return detail

    async def _come_about(self, edit: Edit, step: Step, changed: str) -> str:
        """Until every table is where it is to come to; what held them on the way."""
        state, waited = self._scene.state, ""

        def there() -> bool:
            nonlocal waited
            status = state.status
            if status is not None and (reasons := _reasons(status)) and not edit.held:
                waited = reasons
                step.detail = f"{changed}; held: {reasons}"
            return effective_phases(status) == edit.effective

        await self._scene.stage.until(
            there,
            lambda: f"the tables do not come to their phases: {holdings(state.status)}",
            patience=edit.patience,
        )
        return waited

    def _taken(self, edit: Edit, status: Status, before: str | None, took: float, waited: str) -> str:
        """What a good edit has to lead to, `took` seconds after it; `before` is the digest of the rules until then."""
        expect = self._scene.state.expect
        self._reloads.append(duration(took))
        expect(
            "good rules are taken while the proxy runs",
            not status.rules.problems and status.rules.digest != before,
            f"after {', '.join(self._reloads)}",
        )
        requested = {bare(table): table.requested for table in status.tables}
        expect(
            "every table shows the phase it asks for, and comes to it",
            requested == edit.requested and effective_phases(status) == edit.effective,
            edit.default,
        )
        reasons = _reasons(status)
        held = {bare(table) for table in status.tables if table.reasons}
        if edit.held:
            expect(
                "what asks for too much is held, and why is said",
                held == set(edit.held),
                reasons,
            )
            return f"in force after {duration(took)}; held: {reasons}"
        if edit in (rule_edits.BACK, rule_edits.PASSED):
            expect("going back is always possible, at once", not held, f"after {duration(took)}")
        return f"in force after {duration(took)}; {len(status.tables)} tables in {edit.default}" + (
            f"; until the gates had opened: {waited}" if waited else ""
        )

    async def _refused(self, edit: Edit, status: Status, before: Status) -> str:
        """What a bad edit has to lead to."""
        expect = self._scene.state.expect
        problems = status.rules.problems
        places = [f"{Path(problem.file).name}:{problem.line}" for problem in problems]
        expect(
            "bad rules are rejected, with file and line",
            places == [f"{rule_edits.FILE_NAME}:{line}" for line in edit.mistakes],
            ", ".join(places),
        )
        ready = (await self._scene.stage.proxy.readiness()).ready
        expect(
            "the rules before them stay in force, the proxy stays ready",
            status.rules.digest == before.rules.digest
            and ready
            and effective_phases(status) == effective_phases(before),
            f"digest {status.rules.digest}, {'ready' if ready else 'not ready'}",
        )
        return "; ".join(
            f"{place}:{problem.column}: {problem.key_path}: {problem.message} ({problem.hint})"
            for place, problem in zip(places, problems, strict=True)
        )


def _reasons(status: Status) -> str:
    """What holds tables, each reason once."""
    return "; ".join(f"{', '.join(tables)}: {reason}" for reason, tables in held_tables(status.tables))


def effective_phases(status: Status | None) -> dict[str, Phase]:
    """By table."""
    return {bare(table): table.effective for table in status.tables} if status else {}


def holdings(status: Status | None) -> str:
    """The phase of each table, with what holds it."""
    return "; ".join(
        f"{bare(table)} {table.effective} ({', '.join(table.reasons) or 'no reason given'})"
        for table in (status.tables if status else ())
    )
