"""The shop at work: clerks who sell until they are told to stop.

    DATABASE_URL=postgresql://… python -m demo.clerks [--clerks 8] [--think 0.01] [--make-tables]

It fills the shop's tables, and sells until its standard input ends; then every clerk finishes what it is doing,
the connections are closed, and the exit code is 0. Several times a second it prints a `Report` as a line of JSON.
It knows one DSN.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg

from demo import shop

if TYPE_CHECKING:
    from demo.shop import Connection

    Pool = asyncpg.Pool[asyncpg.Record]

REPORT_SECONDS = 0.25
EARLIER_VISITS = 8_000
"""What visitors come back to, if it is there."""
OPEN_ORDERS = 20
"""Orders a clerk remembers as not paid yet; older ones are forgotten."""


FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""What an action may end in, counted as errors. The third is asyncpg's when a connection breaks under it."""


@dataclass(frozen=True)
class Report:
    """How the shop is doing; counts since it opened."""

    actions: int = 0
    """Things clerks have done, each of one to a dozen statements."""
    orders: int = 0
    """Placed, cancelled ones included."""
    payments: int = 0
    errors: int = 0
    last_error: str = ""
    connections: int = 0
    """Opened in all; more than the pool has places means that some broke."""
    reconnects: int = 0
    p50: float = 0.0
    """Seconds for an action, since the report before."""
    p99: float = 0.0
    closed: bool = False
    """The last report."""


@dataclass
class Books:
    """What the clerks have done so far."""

    actions: int = 0
    orders: int = 0
    payments: int = 0
    errors: int = 0
    last_error: str = ""
    connections: int = 0
    durations: list[float] = field(default_factory=list)
    """Seconds of each action since the last report."""

    def report(self, places: int, *, closed: bool = False) -> Report:
        durations, self.durations = sorted(self.durations), []
        return Report(
            actions=self.actions,
            orders=self.orders,
            payments=self.payments,
            errors=self.errors,
            last_error=self.last_error,
            connections=self.connections,
            reconnects=max(0, self.connections - places),
            p50=durations[len(durations) // 2] if durations else 0.0,
            p99=durations[len(durations) * 99 // 100] if durations else 0.0,
            closed=closed,
        )


class Clerk:
    """Does one thing after another, as customers want it."""

    def __init__(self, pool: Pool, books: Books, rng: random.Random) -> None:
        self._pool = pool
        self._books = books
        self._rng = rng
        self._open: deque[int] = deque(maxlen=OPEN_ORDERS)

    async def work(self, stop: asyncio.Event, think: float) -> None:
        """Until `stop`; `think` is the mean pause between two actions in seconds."""
        actions: tuple[tuple[int, Callable[[Connection], Awaitable[object]]], ...] = (
            (25, self._sell),
            (15, lambda c: shop.browse(c, str(self._rng.randrange(100)))),
            (12, self._visit),
            (20, self._settle),
            (12, lambda c: shop.history(c, self._customer())),
            (15, lambda c: shop.account(c, self._customer())),
            (12, shop.ship_next),
            (6, lambda c: shop.restock(c, self._product())),
            (3, shop.bestsellers),
            (1, shop.price_list),
            (1, shop.count_customers),
        )
        weights = [weight for weight, _ in actions]
        while not stop.is_set():
            (_, action), *_ = self._rng.choices(actions, weights)
            began = time.perf_counter()
            try:
                async with self._pool.acquire() as connection:
                    await action(connection)
            except FAILURES as error:
                self._books.errors += 1
                self._books.last_error = f"{type(error).__name__}: {error}"
            else:
                self._books.actions += 1
                self._books.durations.append(time.perf_counter() - began)
            await asyncio.sleep(self._rng.expovariate(1 / think) if think else 0)

    def _customer(self) -> int:
        return self._rng.randint(1, shop.CUSTOMERS)

    def _product(self) -> int:
        return self._rng.randint(1, shop.PRODUCTS)

    async def _visit(self, connection: Connection) -> None:
        """Somebody comes, and somebody who was there before stays, or wants to be forgotten."""
        await shop.visit(connection, self._customer(), self._rng.choice(shop.PAGES))
        earlier = self._earlier()
        if self._rng.random() < 0.1:
            await shop.forget_visit(connection, earlier)
        else:
            await shop.stay(connection, earlier, self._rng.randint(1, 60))

    def _earlier(self) -> int:
        """The number of an earlier visit, an even one."""
        return 2 * self._rng.randint(1, EARLIER_VISITS // 2)

    async def _sell(self, connection: Connection) -> None:
        basket = {self._product(): self._rng.randint(1, 3) for _ in range(self._rng.randint(1, 5))}
        order = await shop.place_order(connection, self._customer(), basket)
        if order is not None:
            self._books.orders += 1
            self._open.append(order)

    async def _settle(self, connection: Connection) -> None:
        """The oldest open order is paid, or now and then cancelled."""
        if not self._open:
            return
        order = self._open.popleft()
        if self._rng.random() < 0.1:
            await shop.cancel_order(connection, order)
        elif await shop.pay(connection, order):
            self._books.payments += 1


async def run(
    dsn: str,
    *,
    clerks: int,
    think: float,
    stop: asyncio.Event,
    say: Callable[[Report], None],
    make_tables: bool = False,
) -> Report:
    """The whole life of the shop; the last report."""
    books = Books()

    async def opened(_: Any) -> None:
        books.connections += 1

    async with asyncpg.create_pool(
        dsn, min_size=clerks, max_size=clerks, max_inactive_connection_lifetime=0, init=opened
    ) as pool:
        async with pool.acquire() as connection:
            if make_tables:
                await shop.make_tables(connection)
            await shop.open_shop(connection, random.Random(1))
        say(books.report(clerks))
        async with asyncio.TaskGroup() as group:
            working = [
                group.create_task(Clerk(pool, books, random.Random(number)).work(stop, think))
                for number in range(clerks)
            ]
            while (await asyncio.wait(working, timeout=REPORT_SECONDS))[1]:
                say(books.report(clerks))
    last = books.report(clerks, closed=True)
    say(last)
    return last


async def _until_input_ends(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    stop.set()


async def _main(dsn: str, clerks: int, think: float, *, make_tables: bool) -> int:
    stop = asyncio.Event()
    waiting = asyncio.create_task(_until_input_ends(stop))
    try:
        last = await run(
            dsn,
            clerks=clerks,
            think=think,
            stop=stop,
            say=lambda report: print(json.dumps(asdict(report)), flush=True),
            make_tables=make_tables,
        )
    finally:
        waiting.cancel()
    return 1 if last.errors else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m demo.clerks", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "--clerks", type=int, default=8, help="who sell at the same time, each with a connection"
    )
    parser.add_argument("--think", type=float, default=0.01, help="mean pause between two actions, seconds")
    parser.add_argument("--make-tables", action="store_true", help="make the tables first")
    arguments = parser.parse_args()
    dsn = os.environ.get("DATABASE_URL")
    if not dsn:
        parser.error("DATABASE_URL is not set: a PostgreSQL DSN is needed")
    return asyncio.run(_main(dsn, arguments.clerks, arguments.think, make_tables=arguments.make_tables))


if __name__ == "__main__":
    sys.exit(main())
