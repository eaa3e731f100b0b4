"""One run of pgbench and what it reports."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from devstack.supervision import clean_environment

_GRACE_SECONDS = 30


@dataclass(frozen=True)
class Load:
    """What pgbench is to do."""

    script: str
    """`-S`, `-N` or `-b tpcb-like`."""
    protocol: str
    """`simple`, `extended` or `prepared`."""
    clients: int

    def __str__(self) -> str:
        return f"{self.script} {self.protocol}, {self.clients} client{'s' if self.clients > 1 else ''}"


@dataclass(frozen=True)
class Outcome:
    """What it has done."""

    transactions: int
    tps: float
    """Per second, without the time to connect."""


def parse(output: str) -> Outcome:
    """Raises BenchError where transactions failed or the report is not one.

    No transaction at all is an outcome: the machine stood still, and pgbench then prints no rate.
    """
    done = re.search(r"^number of transactions actually processed: (\d+)", output, flags=re.MULTILINE)
    tps = re.search(
        r"^tps = ([\d.]+) \((?:without initial connection time|excluding connections establishing)\)",
        output,
        flags=re.MULTILINE,
    )
    failed = re.search(r"^number of failed transactions: (\d+)", output, flags=re.MULTILINE)
    if done is not None and not int(done[1]) and not (failed and int(failed[1])):
        return Outcome(0, 0.0)
    if done is None or tps is None or (failed and int(failed[1])):
        raise BenchError(f"not the report of a clean run of pgbench:\n{output.strip()}")
    return Outcome(int(done[1]), float(tps[1]))


class Pgbench:
    """pgbench with the tables of one database."""

    def __init__(self, binaries: Path, database: str) -> None:
        self._program = str(binaries / "pgbench")
        self.database = database

    def fill(self, host: str, port: int, scale: int) -> None:
        """Makes its tables: 100,000 accounts for each step of `scale`."""
        self._run("--initialize", "--quiet", f"--scale={scale}", *self._where(host, port), timeout=300)

    def run(self, host: str, port: int, load: Load, seconds: int) -> Outcome:
        """Raises BenchError where it fails."""
        return parse(
            self._run(
                *self.arguments(load, seconds), *self._where(host, port), timeout=seconds + _GRACE_SECONDS
            )
        )

    def start(self, host: str, port: int, load: Load, seconds: int) -> subprocess.Popen[str]:
        """As `run`, in the background."""
        return subprocess.Popen(
            [self._program, *self.arguments(load, seconds), *self._where(host, port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=clean_environment(),
        )

    @staticmethod
    def arguments(load: Load, seconds: int) -> list[str]:
        return [
            *load.script.split(),
            f"--protocol={load.protocol}",
            f"--client={load.clients}",
            "--jobs=1",
            "--no-vacuum",
            f"--time={seconds}",
        ]

    def _where(self, host: str, port: int) -> list[str]:
        return [f"--host={host}", f"--port={port}", "--username=postgres", self.database]

    def _run(self, *arguments: str, timeout: float) -> str:
        try:
            done = subprocess.run(
                [self._program, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env=clean_environment(),
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError as error:
            raise BenchError(
                f"{self._program} is missing: apt-get install postgresql (`make bench` does)"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"pgbench {' '.join(arguments)} did not end within {timeout:.0f} s") from error
        if done.returncode:
            raise BenchError(f"pgbench {' '.join(arguments)} failed: {done.stderr.strip()[-500:]}")
        return done.stdout
