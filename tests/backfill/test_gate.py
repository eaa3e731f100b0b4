"""The gate opens when every proxy mirrors the table and everything that went before is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest

from devstack.postgres import PostgresServer
from proxy.backfill.gate import RUNNING, Refused, complaint, judge, pass_gate
from proxy.catalog.source import SourceDatabase
from proxy.fleet.beats import TableFact
from proxy.mirror.effects import TableId
from tests.backfill.test_company import Fleet, beat

ORDERS = TableId("public", "orders")
FACT = TableFact("shop", ORDERS, "backfill", "strict")
OTHER = TableFact("blog", ORDERS, "backfill", "strict")


class Source:
    """Answers with lists of (id, pid), the last of them again and again."""

    def __init__(self, *answers: Sequence[tuple[str, int | None]]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def fetch(self, query: str, *arguments: Any, timeout: float | None = None) -> Sequence[Any]:
        assert query == RUNNING
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [{"id": one, "pid": pid} for one, pid in answer]


class Gate:
    def __init__(self, source: Source, system: str = "") -> None:
        self.fleet = Fleet(system)
        self.source = source
        self.said: list[str] = []
        self.on_pause: Callable[[], Any] | None = None

    async def passed(self, **given: Any) -> tuple[str, ...]:
        async def pause(seconds: float) -> None:
            assert 0 < seconds <= 1
            self.fleet.now += seconds
            if self.on_pause is not None:
                await self.on_pause()

        return await pass_gate(
            self.fleet.company, self.source, "shop", ORDERS, "shop.public.orders",
            say=self.said.append, pause=pause, clock=lambda: self.fleet.now, **given,
        )  # fmt: skip


def test_proxies_are_told_apart_by_database_and_table() -> None:
    verdict = judge([beat("a", tables=(FACT,)), beat("b", tables=(OTHER,)), beat("c")], "shop", ORDERS)
    assert [one.proxy for one in verdict.mirroring] == ["a"]
    assert [one.proxy for one in verdict.missing] == ["b", "c"]
    assert verdict.incarnations == ("a-1",)


def test_complaints_name_the_proxies_and_what_to_do() -> None:
    many = judge([beat(f"{n}2345678") for n in range(7)], "shop", ORDERS)
    text = complaint(many, "orders", offline=False)
    assert "proxies 02345678 (version 0.1, last heard of 2026-01-01 00:00:00Z)" in text.replace(
        "01234567", "02345678"
    )
    assert "and 2 more" in text
    assert "do not mirror orders" in text
    nobody = judge([], "shop", ORDERS)
    assert "--offline" in complaint(nobody, "orders", offline=False)
    assert complaint(nobody, "orders", offline=True) == ""
    assert "does not mirror" in complaint(judge([beat("a")], "shop", ORDERS), "orders", offline=True)
    assert complaint(judge([beat("a", tables=(FACT,))], "shop", ORDERS), "orders", offline=False) == ""


async def test_proxies_of_another_server_do_not_keep_it_closed() -> None:
    gate = Gate(Source([]), "1")
    await gate.fleet.has(beat("a", tables=(FACT,), source="1"), beat("b", source="2"))

    async def beats() -> None:
        await gate.fleet.has(beat("a", 3, tables=(FACT,), source="1"))

    gate.on_pause = beats
    assert await gate.passed() == ("a-1",)
    await gate.fleet.has(beat("c"))
    with pytest.raises(Refused, match="does not mirror"):
        await gate.passed()


async def test_it_is_refused_while_a_proxy_does_not_mirror_the_table() -> None:
    gate = Gate(Source([]))
    await gate.fleet.has(beat("good", tables=(FACT,)), beat("bad"))
    with pytest.raises(Refused, match="proxy bad "):
        await gate.passed()
    assert gate.source.asked == 0


async def test_the_transactions_are_looked_at_after_a_heartbeat_composed_since() -> None:
    gate = Gate(Source([("1/2", 7)], []))
    await gate.fleet.has(beat("a", 5, tables=(FACT,)))
    number = 5

    async def beats() -> None:
        nonlocal number
        if number < 7:
            assert gate.source.asked == 0
        number += 1
        await gate.fleet.has(beat("a", number, tables=(FACT,)))

    gate.on_pause = beats
    assert await gate.passed() == ("a-1",)
    assert number >= 7
    assert gate.source.asked == 2


async def test_who_was_waited_for_before_is_not_waited_for_again() -> None:
    gate = Gate(Source([("1/2", 7)]))
    await gate.fleet.has(beat("a", 5, tables=(FACT,)))
    assert await gate.passed(known=("a-1",)) == ("a-1",)
    assert gate.source.asked == 0


async def test_only_what_was_running_is_waited_for() -> None:
    gate = Gate(Source([("1/2", 7), ("3/4", 8)], [("3/4", 8), ("5/6", 9)], [("5/6", 9)]))
    assert await gate.passed(offline=True) == ()
    assert gate.source.asked == 3


async def test_a_transaction_that_is_prepared_meanwhile_is_waited_for() -> None:
    gate = Gate(Source([("1/2", 7)], [("gid", None)], [("gid", None), ("later", None)], [("later", None)]))
    await gate.passed(offline=True)
    assert gate.source.asked == 4


async def test_a_long_wait_is_said_with_what_for() -> None:
    gate = Gate(Source(*[[("1/2", 77)]] * 40, []))
    await gate.passed(offline=True)
    assert len(gate.said) in (1, 2)
    assert "sessions 77" in gate.said[0]


@pytest.mark.integration
async def test_running_transactions_of_the_database_are_found(
    postgres: PostgresServer, database: str
) -> None:
    postgres.psql("create table t (a int)", database)
    source = SourceDatabase(postgres.dsn(), database)
    try:
        with psycopg.connect(postgres.dsn(database)) as connection:
            connection.execute("select 1")  # has written nothing yet
            [found] = [tuple(row) for row in await source.fetch(RUNNING)]
            assert found[1] == connection.info.backend_pid
            connection.rollback()
            assert await source.fetch(RUNNING) == []
    finally:
        await source.close()
