"""One real proxy on a real store, and made-up heartbeats of others: what they say is read from the store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import yaml
from typer.testing import CliRunner

from proxy.cli import app
from proxy.fleet.beats import Beat, TableFact
from proxy.fleet.losses import PROXIES
from proxy.fleet.standings import Standing
from proxy.fleet.switches import KIND
from proxy.fleet.tallies import NOTHING, Counts
from proxy.mirror.effects import TableId
from proxy.phases import Phase
from tests.support.instance import RunningInstance
from tests.test_mirroring import World

ORDERS = TableId("public", "orders")
GATES: dict[str, Any] = {"min_comparisons": 20, "max_mismatch_rate": "1%", "max_lag": "5s"}
ROWS = 40
PATIENCE = 40.0
"""Seconds until what has not happened is a failure."""


def eventually(
    condition: Callable[[], object], describe: Callable[[], str] = lambda: "it never happened"
) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, describe()
        time.sleep(0.05)


class Shop(World):
    """The table `orders` has ROWS rows."""

    proxy: RunningInstance
    number = 0

    def ask(self, phase: str, **more: Any) -> None:
        """Writes the rule of `orders`."""
        gates = more.pop("gates", GATES)
        text = {"database": self.database, "gates": gates, "tables": {"orders": {"phase": phase, **more}}}
        (self.directory / "rules.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")

    def asked(self, phase: str, **more: Any) -> None:
        """The same, and the proxy has read it."""
        self.ask(phase, **more)
        self.proxy.reload()

    @contextmanager
    def dark(self, **more: Any) -> Iterator[RunningInstance]:
        """A proxy with the table in `dark_read`, its history compared and found equal."""
        self.ask("backfill", **more)
        with self.running() as self.proxy:
            with self.proxy.connect(self.database) as client:
                client.execute(f"INSERT INTO orders (total) SELECT n FROM generate_series(1, {ROWS}) n")
            self.command("verify", "orders")
            self.asked("dark_read", **more)
            self.reaches(Phase.DARK_READ)
            yield self.proxy

    def command(self, name: str, *arguments: str) -> Any:
        """What a command says, as JSON."""
        given = {
            "rules": self.directory / "rules.yaml",
            "store": self.store_uri,
            "control-dsn": self.control_dsn,
            "heartbeat-interval": "200ms",
        }
        flags = [text for flag, value in given.items() for text in (f"--{flag}", str(value))]
        done = CliRunner().invoke(app, [name, *arguments, *flags, "--json"])
        assert done.exit_code in (0, 1), done.output
        return json.loads(done.stdout)

    # What the proxy has.

    def holding(self) -> tuple[Phase, str]:
        """The effective phase, and what holds the table or was overridden."""
        found = [one.holding for one in self.proxy.report().tables if one.table == "public.orders"]
        if not found or found[0] is None:
            return Phase.PASSTHROUGH, ""
        return found[0].effective, "; ".join((*found[0].reasons, *found[0].overridden))

    def reaches(self, phase: Phase, why: str = "") -> None:
        """Waits until the table is in the phase, for that reason."""
        eventually(lambda: self.holding() == (phase, why), lambda: f"{self.holding()}, not {phase}: {why}")

    @property
    def switch(self) -> str:
        found = self.client["_causeway"][KIND].find_one({"_id": f"{self.database}.public.orders"})
        return "" if found is None else str(found["value"]["state"])

    def served(self) -> int:
        """Reads that the store has answered."""
        report = self.proxy.report().serving
        return 0 if report is None else sum(one.count for one in report.reads if one.source == "store")

    # Another proxy.

    def other(
        self,
        phase: str | None = "dark_read",
        counts: Counts = NOTHING,
        lag: float = 0.0,
        gaps: int = 0,
        **more: Any,
    ) -> None:
        """One more proxy says this of itself. `phase` None: it does not mirror the table."""
        self.number += 1
        now = datetime.now(UTC)
        rules = (self.client["_causeway"][PROXIES].find_one({"value.version": {"$ne": ""}}) or {})["value"]
        beat = Beat(
            "other",
            "i",
            self.number,
            now,
            now,
            rules="others",
            tables=() if phase is None else (TableFact(self.database, ORDERS, phase, "strict"),),
            gaps=MappingProxyType({(self.database, "public.orders"): gaps} if gaps else {}),
            passed=MappingProxyType({self.database: 1}),
            source=rules["source"],
            standings=(Standing(self.database, ORDERS, "primary_switch", "", lag, counts),),
        )
        told = replace(beat, **more).document()
        self.client["_causeway"][PROXIES].replace_one({"_id": "other"}, {"value": told}, upsert=True)

    def alone(self) -> None:
        self.client["_causeway"][PROXIES].delete_one({"_id": "other"})

    def forget(self) -> None:
        self.client["_causeway"][KIND].delete_many({"_id": {"$regex": f"^{self.database}\\."}})
