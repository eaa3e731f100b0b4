from __future__ import annotations

import asyncio
from io import StringIO

import pytest
from rich.console import Console

from demo import screen
from demo.screen import Lines, Screen
from tests.demo.states import beginning, ended, under_load


def test_lines_tell_each_step_once_and_in_order() -> None:
    state, file = beginning(), StringIO()
    with Lines(state, Console(file=file, width=100)) as output:
        for step in state.steps[:3]:
            step.status = "running"
            output.changed()
            step.status, step.ended = "done", 101.0
            output.changed()
            output.changed()
        state.steps[3].status, state.steps[3].ended = "failed", 102.0
    assert file.getvalue().splitlines() == [
        "[  1.0 s] ✓ databases",
        "[  1.0 s] ✓ proxy",
        "[  1.0 s] ✓ pgbench fills its tables",
        "[  2.0 s] ✗ the shop's tables are made",
    ]


async def test_lines_say_in_between_how_things_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "_LINE_SECONDS", 0.01)
    told = asyncio.Event()

    class File(StringIO):
        def write(self, text: str) -> int:
            if "statements/s" in text:
                told.set()
            return super().write(text)

    output = Lines(under_load(), Console(file=File(), width=100))
    telling = asyncio.create_task(output.keep_current())
    await asyncio.wait_for(told.wait(), 10)
    telling.cancel()


def test_a_terminal_has_its_own_screen_back_before_the_summary() -> None:
    state, file = ended(), StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=24, color_system=None, _environ={})
    with Screen(state, console) as output:
        output.changed()
    output.finish()
    text = file.getvalue()
    inside, _, after = text.partition("\x1b[?1049l")
    assert "\x1b[?1049h" in inside
    assert "all in" not in after
    assert "28,500 in all" in inside
    assert "All 1 expectations held" in after
    assert "All 1 expectations held" not in inside
