"""How fast a backfill copies, against the same driver inserting ready-made documents; how fast verify compares; and
whether either needs more memory for a larger table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench import commands
from bench.commands import Ended
from bench.errors import BenchError
from bench.figures import ratios, spread
from bench.pgbench import Pgbench
from bench.plan import Plan
from bench.progress import Progress
from bench.report import Section
from bench.tables import NOTHING, number, table, with_range
from devstack.cache import remove_tree
from devstack.document_store import start_document_store
from devstack.paths import new_instance_dir
from devstack.postgres import PostgresServer

AIM = 0.6
"""Rows per second of one process, as a fraction of the driver's inserts."""
FLAT_MB = 32
"""MB (1,048,576 bytes) that the largest table may need beyond the smallest."""

MAKE = """
DROP TABLE IF EXISTS {name};
CREATE TABLE {name} (
  id bigint PRIMARY KEY, customer bigint NOT NULL, state text NOT NULL, total numeric(12,2) NOT NULL,
  paid boolean NOT NULL, placed timestamptz NOT NULL, note text
);
INSERT INTO {name}
SELECT n, n % 9973, (ARRAY['open', 'paid', 'shipped', 'returned'])[1 + n % 4], (n % 100000) / 100.0, n % 3 = 0,
       timestamptz '2026-01-01' + n * interval '1.000037 s', CASE WHEN n % 2 = 0 THEN repeat('x', 80) END
  FROM generate_series(1, {rows}) n;
ANALYZE {name};
"""


@dataclass(frozen=True)
class Copied:
    """One backfill of a whole table."""

    rows: int
    seconds: float
    cpu: float
    """Seconds of the process, its start included."""
    peak: int
    """Bytes resident at most."""

    @property
    def rate(self) -> float:
        return self.rows / self.seconds


@dataclass(frozen=True)
class Inserted:
    """One run of `bench.inserter`."""

    documents: int
    bytes: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.documents / self.seconds


@dataclass(frozen=True)
class Size:
    """All that was measured of a table of one size."""

    rows: int
    copied: Sequence[Copied]
    inserted: Sequence[Inserted]
    """By the side of each of `copied`."""
    verified: Copied | None


@dataclass(frozen=True)
class Rig:
    """A source, a store, and the settings of commands."""

    postgres: PostgresServer
    database: str
    uri: str
    directory: Path

    def settings(self, name: str) -> dict[str, str]:
        """Of a command that works on table `name`."""
        rules = self.directory / "rules.yaml"
        rules.write_text(
            f"database: {self.database}\ntables:\n  {name}: {{phase: backfill}}\n", encoding="utf-8"
        )
        return {
            "CONTROL_DSN": self.postgres.dsn(self.database),
            "STORE": self.uri,
            "RULES": str(rules),
        }


def run(postgres: PostgresServer, pgbench: Pgbench, plan: Plan, progress: Progress) -> Section:
    """Sizes from the smallest to the largest; inserts and backfill alternate in each round."""
    sizes: list[Size] = []
    with _rig(postgres, pgbench.database, progress) as (rig, kind):
        for rows in plan.backfill_rows:
            rounds = plan.backfill_rounds if rows == min(plan.backfill_rows) else 1
            sizes.append(measure(rig, rows, rounds, progress))
    return Section(
        "backfill",
        "Backfill and verify",
        text(sizes, kind),
        {"store": kind, "sizes": [asdict(size) for size in sizes]},
    )


@contextmanager
def _rig(postgres: PostgresServer, database: str, progress: Progress) -> Iterator[tuple[Rig, str]]:
    base = new_instance_dir("bench-backfill")
    try:
        progress.step("backfill: starting a document store")
        with start_document_store() as store:
            yield Rig(postgres, database, store.uri, base), store.kind
    finally:
        remove_tree(base)


def measure(rig: Rig, rows: int, rounds: int, progress: Progress) -> Size:
    """A table of `rows` rows: made, copied `rounds` times with inserts in between, compared, dropped."""
    name = f"backfill_{rows}"
    progress.step(f"backfill: making a table of {rows:,} rows")
    rig.postgres.psql(MAKE.format(name=name, rows=rows), rig.database)
    copied, inserted = [], []
    try:
        for turn in range(rounds):
            progress.step(f"backfill: {rows:,} rows, round {turn + 1} of {rounds}")
            drop(rig, name)
            copied.append(copy(rig, name, rows))
            progress.step(f"backfill: {rows:,} ready-made documents")
            inserted.append(insert(rig, name, min(rows, INSERTED_MAX)))
            drop(rig, f"{name}_inserted")
        progress.step(f"backfill: {rows:,} rows compared")
        verified = verify(rig, name, rows)
    finally:
        drop(rig, name)
        drop(rig, f"{name}_inserted")
        rig.postgres.psql(f"DROP TABLE {name}", rig.database)
    return Size(rows, copied, inserted, verified)


INSERTED_MAX = 200_000
"""Documents that are inserted ready-made at most: they are all in memory."""


def copy(rig: Rig, name: str, rows: int) -> Copied:
    """Raises BenchError where it does not copy all."""
    arguments = ["backfill", name, "--offline", "--again", "--json"]
    ended = commands.causeway(arguments, rig.settings(name), rig.directory)
    told = ended.lines()[-1]
    if told.get("event") != "end" or told.get("status") != "done" or told.get("seeded") != rows:
        raise BenchError(f"the backfill of {rows} rows ended with {told}")
    return Copied(rows, _between(told["started"], told["ended"]), ended.cpu, ended.peak)


def verify(rig: Rig, name: str, rows: int) -> Copied:
    """Raises BenchError where it finds a difference."""
    ended = commands.causeway(["verify", name, "--json"], rig.settings(name), rig.directory)
    told = verdict(ended)
    if told.get("rows") != rows or told.get("left"):
        raise BenchError(f"the comparison of {rows} rows ended with {told}")
    return Copied(rows, _between(told["started"], told["ended"]), ended.cpu, ended.peak)


def verdict(ended: Ended) -> Mapping[str, Any]:
    """What `causeway verify --json` says of the one table it has compared."""
    tables = json.loads(ended.output)["tables"]
    return dict(tables[0]) if tables else {}


def insert(rig: Rig, name: str, count: int) -> Inserted:
    """The first `count` documents of the collection once more, into another one."""
    arguments = [rig.uri, rig.database, name, f"{name}_inserted", str(count)]
    argv = [sys.executable, "-m", "bench.inserter", *arguments]
    ended = commands.run(argv, {}, rig.directory)
    found = Inserted(**json.loads(ended.output))
    if found.documents != count:
        raise BenchError(f"{found.documents} ready-made documents instead of {count}")
    return found


def drop(rig: Rig, collection: str) -> None:
    from pymongo import MongoClient

    client: MongoClient[dict[str, Any]] = MongoClient(rig.uri)
    with client:
        client[rig.database].drop_collection(collection)


def text(sizes: Sequence[Size], kind: str) -> str:
    """The tables."""
    smallest = min(sizes, key=lambda size: size.rows)
    base = smallest.copied[0].peak
    return "\n\n".join(
        [
            f"One process of `causeway backfill` with its default settings into {STORES.get(kind, kind)}, against the "
            "same driver inserting the same documents, ready-made in memory, in batches as large and as many at once "
            f"(the first {INSERTED_MAX:,} at most). Their ratio is round by round; the aim is {AIM} or more.",
            table(
                ["rows", "bytes each", "inserts/s", "backfill, rows/s", "ratio", "backfill, µs CPU/row"],
                [_copied_row(size) for size in sizes],
            ),
            "`causeway verify` of the same tables, which all were equal; and the resident set of both commands at its "
            f"peak, in MB. It is flat as the table grows: the aim is {FLAT_MB} MB or less beyond the smallest.",
            table(
                [
                    "rows",
                    "verify, rows/s",
                    "verify, µs CPU/row",
                    "backfill, MB",
                    "beyond",
                    "verify, MB",
                    "beyond",
                ],
                [_memory_row(size, base, smallest.verified) for size in sizes],
            ),
        ]
    )


STORES = {
    "documentdb": "DocumentDB (PostgreSQL with its extension, behind a gateway in Python, on the same processors)",
    "mongod": "MongoDB",
}


def _copied_row(size: Size) -> list[str]:
    rates = [one.rate for one in size.copied]
    bases = [one.rate for one in size.inserted]
    first = size.inserted[0]
    return [
        number(size.rows),
        number(first.bytes / first.documents),
        with_range(spread(bases), 0),
        with_range(spread(rates), 0),
        with_range(spread(ratios(rates, bases))),
        number(min(one.cpu / one.rows for one in size.copied) * 1e6, 1),
    ]


def _memory_row(size: Size, base: int, first: Copied | None) -> list[str]:
    peak = max(one.peak for one in size.copied)
    row = [number(size.rows)]
    verified = size.verified
    if verified is None:
        row += [NOTHING, NOTHING]
    else:
        row += [number(verified.rate), number(verified.cpu / verified.rows * 1e6, 1)]
    row += [number(peak / 1024**2), number((peak - base) / 1024**2)]
    if verified is None or first is None:
        return [*row, NOTHING, NOTHING]
    return [*row, number(verified.peak / 1024**2), number((verified.peak - first.peak) / 1024**2)]


def _between(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
