"""Waits for the fleet end in time, and say for whom they were."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from proxy.backfill.passing import HeldUp, Passing, described
from proxy.fleet.beats import Beat

WHEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def beat(proxy: str, role: str = "proxy", queued: int = 7) -> Beat:
    return Beat(proxy, "i", 1, WHEN, WHEN, version="1.2", queued=queued, role=role)


class Fleet:
    """Its clock moves on by a second with every look."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        """That find somebody behind."""
        self.late = [beat("0123456789")]
        self.seconds = 0.0
        self.told: list[str] = []
        self.passing = Passing(self.wait, 30.0, 1.0, clock=lambda: self.seconds)

    async def wait(self, database: str, version: int, *, late: Callable[[list[Beat]], None]) -> None:
        for _ in range(self.looks):
            late(self.late)
            self.told.append(self.passing.waiting)
            self.seconds += 1
            await asyncio.sleep(0)

    async def waited(self) -> float:
        """Seconds."""
        began = self.seconds
        await self.passing.wait("shop", 5)
        return self.seconds - began


async def test_who_is_waited_for_is_told_after_a_while() -> None:
    fleet = Fleet(5)
    assert await fleet.waited() == 5
    assert fleet.told[:3] == ["", "", ""]
    assert fleet.told[3].startswith(
        "proxy 01234567 (version 1.2, 7 images queued, last heard of 2026-03-01 12:00"
    )
    assert fleet.passing.waiting == ""


async def test_a_wait_ends_with_the_name_of_who_holds_it_up() -> None:
    fleet = Fleet(1000)
    with pytest.raises(HeldUp, match=r"after 30s: proxy 01234567 .* has not yet written"):
        await fleet.waited()
    assert fleet.seconds == 30
    assert fleet.passing.waiting == ""


async def test_after_one_has_failed_the_next_are_short_until_one_succeeds() -> None:
    fleet = Fleet(1000)
    with pytest.raises(HeldUp):
        await fleet.waited()
    with pytest.raises(HeldUp, match="after 4s"):
        await fleet.waited()
    fleet.looks = 3
    await fleet.waited()
    fleet.looks = 1000
    with pytest.raises(HeldUp, match="after 30s"):
        await fleet.waited()


def test_commands_and_many_are_named_too() -> None:
    assert "a running `backfill`, abc (" in described([beat("abc", "backfill")])
    text = described([beat(str(number) * 8) for number in range(5)])
    assert "proxy 22222222" in text
    assert "and 2 more have not yet written" in text
