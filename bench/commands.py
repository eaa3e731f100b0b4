"""A command of Causeway run to its end, with what it printed and what it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import contenders
from bench.errors import BenchError
from devstack.supervision import clean_environment


@dataclass(frozen=True)
class Ended:
    """A process that has ended well."""

    output: str
    cpu: float
    """Seconds of processor time, of its children too."""
    peak: int
    """Bytes: the most that were resident in the process."""

    def lines(self) -> list[Any]:
        """The output, read as lines of JSON."""
        return [json.loads(line) for line in self.output.splitlines()]


def causeway(arguments: Sequence[str], settings: Mapping[str, str], directory: Path) -> Ended:
    """`causeway ...`; `settings` by their names in capitals. Raises BenchError where it fails."""
    variables = {f"CAUSEWAY_{name}": value for name, value in settings.items()}
    return run([sys.executable, "-m", "proxy", *arguments], variables, directory)


def run(argv: Sequence[str], variables: Mapping[str, str], directory: Path) -> Ended:
    """Runs a program; its output goes through files in `directory`. Raises BenchError where it fails."""
    kept = {name: value for name, value in clean_environment().items() if not name.startswith("CAUSEWAY_")}
    output, errors = directory / "output", directory / "errors"
    with output.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(
            argv, stdout=out, stderr=err, cwd=contenders.TOP, env={**kept, **variables}
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = (output.read_text(errors="replace") + errors.read_text(errors="replace"))[-2000:]
        raise BenchError(f"{' '.join(argv[1:4])} ended with {process.returncode}:\n{said}")
    return Ended(output.read_text(encoding="utf-8"), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
