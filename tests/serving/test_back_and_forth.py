"""Between `dark_read` and `primary_switch` and back, again and again, by rule file and under load."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
import time
from typing import Any

import psycopg
import pytest
import yaml

from tests.mirroring.rig import eventually
from tests.serving.rig import ServingRig, run
from tests.shadow.rig import TABLES

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

TIMES = 50
CLERKS = 6
"""Sessions, half of them at each proxy."""


class Clerk(threading.Thread):
    """Changes its own orders, and reads them and what nobody changes; everything that it reads is known to it."""

    def __init__(self, rig: ServingRig, number: int, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.rig = rig
        self.number = number
        self.over = over
        self.reads = 0
        self.fault = ""

    def run(self) -> None:
        try:
            with self.rig.connect(self.number % len(self.rig.proxies)) as client:
                self.work(client, random.Random(self.number))
        except (psycopg.Error, AssertionError) as error:
            self.fault = f"clerk {self.number}: {type(error).__name__}: {error}"

    def work(self, client: psycopg.Connection[Any], chance: random.Random) -> None:
        mine = [order for order in range(1, 301) if order % CLERKS == self.number]
        weights = {
            order: client.execute("select weight from orders where id = %s", (order,)).fetchone()
            for order in mine
        }
        while not self.over.is_set():
            order, weight = chance.choice(mine), float(chance.randrange(10_000))
            client.execute("update orders set weight = %s where id = %s", (weight, order))
            weights[order] = (weight,)
            for asked in (order, chance.choice(mine)):
                found = client.execute("select weight from orders where id = %s", (asked,)).fetchone()
                assert found == weights[asked], f"order {asked}: {found}, not {weights[asked]}"
            if chance.random() < 0.3:
                with client.transaction():
                    client.execute("update orders set weight = weight + 1 where id = %s", (order,))
                    weights[order] = (weight + 1,)
                    found = client.execute("select weight from orders where id = %s", (order,)).fetchone()
                    assert found == weights[order], f"order {order} in a transaction: {found}"
            customer = chance.randrange(1, 51)
            name = client.execute(
                "select c.name from customers c join orders o on o.customer = c.id where o.id = %s",
                (customer + 49,),
            ).fetchone()
            assert name == (f"customer {(customer + 49) % 50 + 1}",), name
            self.reads += 3


def rules(rig: ServingRig, phase: str) -> None:
    text = {
        "database": rig.database,
        "defaults": {"phase": phase, "shadow": "20%", "reads": {"timeout": "5s", "reverse_shadow": "20%"}},
        "gates": {"min_comparisons": 0, "max_lag": "1m"},
        "tables": {name: {} for name in TABLES},
    }
    rig._rules.write_text(yaml.safe_dump(text), encoding="utf-8")


def verify(rig: ServingRig) -> None:
    """The history is known to be in the store: no gate has to be forced."""
    told = {"rules": rig._rules, "store": rig.store, "control-dsn": rig.source.dsn(rig.database)}
    flags = [text for flag, value in told.items() for text in (f"--{flag}", str(value))]
    command = [sys.executable, "-m", "proxy", "verify", *TABLES, *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


async def test_fifty_times_under_load_without_an_error_or_a_wrong_read(rig: ServingRig) -> None:
    await rig.start(2)
    await run(verify, rig)
    over = threading.Event()
    clerks = [Clerk(rig, number, over) for number in range(CLERKS)]
    for clerk in clerks:
        clerk.start()

    def faults() -> list[str]:
        return [clerk.fault for clerk in clerks if clerk.fault]

    began = time.monotonic()
    try:
        for _ in range(TIMES):
            for phase in ("dark_read", "primary_switch"):
                await run(rules, rig, phase)
                await asyncio.gather(*(rig.phase(phase, proxy) for proxy in rig.proxies))
                assert faults() == []
            before = [(await rig.reads(number))["store"] for number in range(2)]

            async def served(before: list[int] = before) -> bool:
                now = [(await rig.reads(number))["store"] for number in range(2)]
                return bool(faults()) or all(a > b for a, b in zip(now, before, strict=True))

            await eventually(served, lambda: f"nothing is served: {faults()}")
    finally:
        over.set()
        for clerk in clerks:
            await asyncio.to_thread(clerk.join, 30.0)
    assert faults() == []
    reads = [await rig.reads(number) for number in range(2)]
    total = sum(clerk.reads for clerk in clerks)
    share = sum(one["store"] for one in reads) / total
    print(
        f"{TIMES} times in {time.monotonic() - began:.0f} s: {total} reads, {share:.0%} from the store; {reads}"
    )
    statuses = [await proxy.status() for proxy in rig.proxies]
    outcomes = [one.outcomes for status in statuses if status.shadow for one in status.shadow.tables]
    assert sum(one.get("match", 0) for one in outcomes) > 0
    assert sum(one.get("mismatch", 0) for one in outcomes) == 0, "no side ever had another answer"
