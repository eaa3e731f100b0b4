"""What one run of a plan knows: session, parameters, rows fetched, rows of the queries around."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy.translate import inputs, outputs
from proxy.translate.api import Inexact, SessionSettings, TooMuch
from proxy.translate.types import Types

Row = tuple[Any, ...]
Evaluate = Callable[[Row, "Run"], Any]

STEPS_PER_ROW = 200


class Run:
    """Used by one thread, once."""

    __slots__ = (
        *("budget", "cache", "counts", "indeterminate", "literals", "max_rows", "outers", "parameters"),
        *("rows", "session", "shared", "types"),
    )

    def __init__(
        self,
        session: SessionSettings,
        types: Types,
        parameters: tuple[Any, ...],
        max_rows: int,
        literals: tuple[Any, ...] = (),
    ) -> None:
        self.session = session
        self.types = types
        self.parameters = parameters
        self.literals = literals
        """By slot: see `literals.py`."""
        self.max_rows = max_rows
        self.rows: dict[int, list[Row]] = {}
        """By number of the scan."""
        self.counts: dict[int, int] = {}
        """Of scans of which no more is wanted than how many rows there are."""
        self.shared: dict[int, list[Row]] = {}
        """By number of the query of WITH."""
        self.outers: list[Row] = []
        self.cache: dict[Any, Any] = {}
        self.budget = max(max_rows, 1000) * STEPS_PER_ROW
        self.indeterminate = ""

    def spend(self, steps: int) -> None:
        """TooMuch when a run takes more steps than its rows allow."""
        self.budget -= steps
        if self.budget < 0:
            raise TooMuch("the read takes too many steps in the proxy")

    def full(self, rows: int) -> None:
        if rows > self.max_rows:
            raise TooMuch("a step of the read has too many rows")

    def doubt(self, reason: str) -> None:
        """Another result could be as right."""
        self.indeterminate = self.indeterminate or reason

    def now(self) -> int:
        if self.session.now is None:
            raise Inexact("the time of the transaction is not known")
        return self.session.now

    def user(self) -> str:
        if self.session.user is None:
            raise Inexact("the user of the session is not known")
        return self.session.user

    def write(self, oid: int, value: Any) -> str:
        """The output function."""
        key = ("write", oid)
        if key not in self.cache:
            self.cache[key] = outputs.writer(oid, self.types, self.session)
        text: str = self.cache[key](value)
        return text

    def parse(self, oid: int, text: str) -> Any:
        """The input function."""
        key = ("parse", oid)
        if key not in self.cache:
            self.cache[key] = inputs.parser(oid, self.types, self.session)
        return self.cache[key](text)
