"""Concurrent histories: several clients that write to the same rows in transactions of every shape.

What a client does follows from its seed alone; how the clients meet does not.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from tests.mirroring.actions import Action, Where
from tests.mirroring.drivers import MODES, Address, Client, Lost, Refused, connect, literal

EXPECTED = frozenset(
    {
        "22003",  # numeric_value_out_of_range
        "22012",  # division_by_zero
        "23502",  # not_null_violation
        "23503",  # foreign_key_violation
        "23505",  # unique_violation
        "23514",  # check_violation
        "25P02",  # in_failed_sql_transaction
        "3B001",  # a savepoint that is not there, because the transaction had failed
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "55000",  # a prepared transaction that another client has ended
        "21000",  # cardinality_violation: MERGE or ON CONFLICT met a row twice
    }
)
"""Errors that belong to the history. Any other one is a finding."""

RECONNECT_SECONDS = 30.0
CLEARING_ATTEMPTS = 20

_LINES = count(1)


@dataclass
class Record:
    """What one client, or all of them, have seen."""

    done: Counter[str] = field(default_factory=Counter)
    """Transactions by shape, and actions by name, that ended as they were meant to."""
    errors: Counter[str] = field(default_factory=Counter)
    """Expected errors by SQLSTATE."""
    findings: list[str] = field(default_factory=list)
    """What should not have happened."""
    committed: set[tuple[int, int]] = field(default_factory=set)
    """Keys of `ledger` whose transaction was answered with success."""
    aborted: set[tuple[int, int]] = field(default_factory=set)
    """Keys of `ledger` whose transaction was answered with ROLLBACK or an error."""
    lost: int = 0
    """Connections that broke."""
    slowest: float = 0.0
    """Seconds the slowest statement took."""

    def merge(self, other: Record) -> None:
        self.done += other.done
        self.errors += other.errors
        self.findings += other.findings
        self.committed |= other.committed
        self.aborted |= other.aborted
        self.lost += other.lost
        self.slowest = max(self.slowest, other.slowest)


class Writer:
    """One client: a connection, its seed, and what it saw."""

    def __init__(
        self,
        number: int,
        seed: int,
        address: Address,
        mode: str,
        actions: Sequence[Action],
        *,
        survivor: bool = False,
    ) -> None:
        """`survivor`: a lost connection belongs to the history, and is made again."""
        self.number = number
        self.dice = random.Random(f"{seed}.{number}")
        self.address = address
        self.mode = mode
        self.survivor = survivor
        self.record = Record()
        self._inside = [one for one in actions if one.where is not Where.OUTSIDE]
        self._plain = [one for one in actions if one.where is Where.ANYWHERE]
        self._outside = [one for one in actions if one.where is not Where.INSIDE]
        self._client: Client | None = None
        self._sequence = 0
        self._line = next(_LINES)
        """Its own in `ledger`, whose rows outlive a history."""

    async def perform(self, transactions: int | None, stop: asyncio.Event | None = None) -> Record:
        """So many transactions, or as many as there are until `stop`."""
        count = 0
        try:
            while (transactions is None or count < transactions) and not (stop and stop.is_set()):
                count += 1
                await self._one()
            if self.survivor:
                await self._clear()
        finally:
            await self._leave()
        return self.record

    async def _clear(self) -> None:
        """Ends what the client has prepared and was then cut off from; its locks would stay for ever."""
        for _ in range(CLEARING_ATTEMPTS):
            try:
                if self._client is None:
                    await self._enter()
                assert self._client is not None
                left = await self._client.run(
                    "select gid from pg_prepared_xacts where database = current_database() and gid like $1",
                    self._gid("%"),
                )
                for (gid,) in left:
                    end = self.dice.choice(["commit", "rollback"])
                    await self.attempt(self._client.run(f"{end} prepared {literal(gid)}"), f"{end} prepared")
                return
            except Lost:
                await self._leave()

    def _gid(self, sequence: object) -> str:
        return f"it's {self._line}.{sequence}"

    async def _one(self) -> None:
        try:
            if self._client is None:
                await self._enter()
            assert self._client is not None
            shape = self.dice.choice(SHAPES)
            await shape(self, self._client)
            self.record.done[shape.__name__] += 1
        except Lost as error:
            self.record.lost += 1
            if not self.survivor:
                self.record.findings.append(
                    f"client {self.number} ({self.mode}) lost its connection: {error}"
                )
            await self._leave()

    async def _enter(self) -> None:
        deadline = asyncio.get_running_loop().time() + RECONNECT_SECONDS
        while True:
            try:
                self._client = await connect(self.address, self.mode)
                if self.survivor and self._sequence:
                    await self._clear()
                return
            except Lost:
                if not self.survivor or asyncio.get_running_loop().time() > deadline:
                    raise
                # Nothing tells that a listener is back but a connection that it takes.
                await asyncio.sleep(0.02)

    async def _leave(self) -> None:
        if self._client is not None:
            self.record.slowest = max(self.record.slowest, self._client.slowest)
            await self._client.close()
            self._client = None

    async def attempt(self, step: Awaitable[object], what: str) -> bool:
        """Whether it went well; an unexpected error is a finding."""
        try:
            await step
        except Refused as error:
            self.record.errors[error.code] += 1
            if error.code not in EXPECTED:
                self.record.findings.append(f"client {self.number} ({self.mode}) {what}: {error}")
            return False
        self.record.done[what] += 1
        return True

    async def act(self, client: Client, actions: Sequence[Action]) -> bool:
        chosen = self.dice.choice(actions)
        return await self.attempt(chosen.run(client, self.dice), chosen.name)

    async def note(self, client: Client) -> tuple[int, int]:
        """Writes the transaction's own line."""
        self._sequence += 1
        key = (self._line, self._sequence)
        await client.run("insert into ledger values ($1, $2, 'was here')", *key)
        return key


Shape = Callable[[Writer, Client], Awaitable[None]]


async def autocommit(writer: Writer, client: Client) -> None:
    await writer.act(client, writer._outside if writer.dice.random() < 0.5 else writer._plain)


async def noted(writer: Writer, client: Client) -> None:
    """One statement whose success says that it is committed."""
    key = await writer.note(client)
    writer.record.committed.add(key)


async def transaction(writer: Writer, client: Client, *, begin: str = "begin", end: str = "commit") -> None:
    await client.run(begin)
    key: tuple[int, int] | None = None
    if await writer.attempt(client.run("savepoint first"), "savepoint"):
        key = await writer.note(client)
        for _ in range(writer.dice.randint(1, 4)):
            if not await writer.act(client, writer._inside) and writer.dice.random() < 0.5:
                break
    await _finish(writer, client, end, key)


async def _finish(writer: Writer, client: Client, end: str, key: tuple[int, int] | None) -> None:
    """COMMIT answers ROLLBACK where the transaction has failed; so the row itself tells which it was."""
    well = await writer.attempt(client.run(end), end)
    if key is None:
        return
    if not well:
        writer.record.aborted.add(key)
        return
    there = await client.run("select 1 from ledger where client = $1 and seq = $2", *key)
    (writer.record.committed if there else writer.record.aborted).add(key)


async def rolled_back(writer: Writer, client: Client) -> None:
    await transaction(writer, client, end="rollback")


async def serializable(writer: Writer, client: Client) -> None:
    await client.run("begin isolation level serializable")
    await writer.attempt(client.run("select sum(qty) from items"), "read")
    await writer.act(client, writer._inside)
    await writer.act(client, writer._inside)
    await _finish(writer, client, "commit", None)


async def savepoints(writer: Writer, client: Client) -> None:
    """Savepoints of one name upon another, some of them taken back."""
    await client.run("start transaction")
    key = await writer.note(client)
    for _ in range(writer.dice.randint(2, 6)):
        name = writer.dice.choice(["s", '"S"', "s"])
        await writer.attempt(client.run(f"savepoint {name}"), "savepoint")
        well = await writer.act(client, writer._inside)
        roll = writer.dice.random()
        if not well or roll < 0.35:
            await writer.attempt(client.run(f"rollback to {name}"), "rollback to")
            if roll < 0.2:
                await writer.act(client, writer._inside)
        elif roll < 0.6:
            await writer.attempt(client.run(f"release savepoint {name}"), "release")
    await _finish(writer, client, writer.dice.choice(["commit", "commit", "end", "rollback", "abort"]), key)


async def chained(writer: Writer, client: Client) -> None:
    await client.run("begin")
    await writer.act(client, writer._inside)
    await writer.attempt(
        client.run(writer.dice.choice(["commit and chain", "rollback and chain"])), "and chain"
    )
    await writer.act(client, writer._inside)
    await _finish(writer, client, "commit", None)


async def deadlock(writer: Writer, client: Client) -> None:
    await client.run("begin")
    for key in writer.dice.sample(range(1, 5), 3):
        await writer.attempt(client.run("update items set qty = qty + 1 where id = $1", key), "update")
    await _finish(writer, client, "commit", None)


async def two_phases(writer: Writer, client: Client) -> None:
    await client.run("begin")
    key = await writer.note(client)
    await writer.act(client, writer._plain)
    gid = writer._gid(writer._sequence)
    if not await writer.attempt(client.run(f"prepare transaction {literal(gid)}"), "prepare transaction"):
        await writer.attempt(client.run("rollback"), "rollback")
        return
    # The transaction is nobody's now; where it had failed, PREPARE TRANSACTION was a ROLLBACK.
    prepared = await client.run("select 1 from pg_prepared_xacts where gid = $1", gid)
    if not prepared:
        writer.record.aborted.add(key)
        return
    end = "commit" if writer.dice.random() < 0.6 else "rollback"
    if writer.dice.random() < 0.3:
        # Of its own rows only: nothing would end a wait for the prepared transaction's locks.
        writer.record.committed.add(await writer.note(client))
    if await writer.attempt(client.run(f"{end} prepared {literal(gid)}"), f"{end} prepared"):
        (writer.record.committed if end == "commit" else writer.record.aborted).add(key)


SHAPES: list[Shape] = [
    autocommit,
    autocommit,
    autocommit,
    noted,
    transaction,
    transaction,
    rolled_back,
    serializable,
    savepoints,
    savepoints,
    chained,
    deadlock,
    two_phases,
]


async def histories(
    addresses: Sequence[Address],
    actions: Sequence[Action],
    *,
    seed: int,
    clients: int = 6,
    transactions: int = 15,
) -> Record:
    """Every client's history at once, spread over the addresses and the drivers' modes."""
    writers = [
        Writer(number, seed, addresses[number % len(addresses)], MODES[number % len(MODES)], actions)
        for number in range(clients)
    ]
    record = Record()
    for one in await asyncio.gather(*(writer.perform(transactions) for writer in writers)):
        record.merge(one)
    return record
