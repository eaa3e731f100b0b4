"""A read that was sampled: everything that is needed to run it again, and what PostgreSQL answered. Plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from proxy.rulefiles.schema import Shadow
from proxy.rulefiles.types import Redaction
from proxy.translate.api import SessionSettings

REPORTED = ("TimeZone", "DateStyle", "IntervalStyle")
"""Settings that change values or how they are written, and that a server reports by ParameterStatus."""

_STRICTEST = (Redaction.REDACT, Redaction.HASH, Redaction.PLAIN)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one shadow read may cost, and what may be kept of a difference."""

    timeout: float
    """Seconds."""
    max_rows: int
    max_bytes: int
    redaction: Redaction


def strictest(rules: tuple[Shadow, ...]) -> Limits:
    """Of a read of several tables: of everything the least."""
    return Limits(
        min(rule.timeout for rule in rules),
        min(rule.max_rows for rule in rules),
        min(rule.max_bytes for rule in rules),
        min((rule.redaction for rule in rules), key=_STRICTEST.index),
    )


@dataclass(frozen=True, slots=True)
class SampledRead:
    """Statement, parameters, session and reply."""

    number: int
    database: str
    user: str
    text: str
    search_path: tuple[str, ...]
    tables: tuple[str, ...]
    """`schema.table`, quoted where SQL needs it."""
    limits: Limits
    settings: tuple[tuple[str, str], ...]
    """REPORTED ones and what the session was seen to set."""
    description: bytes | None
    """The RowDescription, where the reply had one."""
    rows: bytes
    """Every DataRow as it came."""
    count: int
    """How many there are, as the command tag says."""
    seconds: float
    """PostgreSQL's time for it."""
    parameter_types: tuple[int, ...] = ()
    parameters: tuple[bytes | None, ...] = ()
    formats: tuple[int, ...] = ()
    """Of each parameter."""
    result_formats: tuple[int, ...] = ()
    """As in a Bind message: none (all text), one for all, or one each."""
    partial: bool = False
    """Whether these are only the first rows: the client wanted no more."""
    served: bool = False
    """The reply is the store's, and PostgreSQL has not been asked: `seconds` is the store's time."""
    ties: tuple[int, ...] = ()
    """Of a served read: see `proxy.translate.api.Result`."""

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.rows) + 2 * len(self.text) + sum(len(one or b"") for one in self.parameters) + 1000

    def session(self, *, now: int | None = None) -> SessionSettings:
        """The session's settings as the compiler has them; those that were never seen as PostgreSQL's defaults."""
        found: Mapping[str, str] = dict(self.settings)
        digits = found.get("extra_float_digits", "1")
        return SessionSettings(
            time_zone=found.get("TimeZone", "UTC"),
            date_style=found.get("DateStyle", "ISO, MDY"),
            interval_style=found.get("IntervalStyle", "postgres"),
            extra_float_digits=int(digits) if digits.lstrip("-").isdigit() else 1,
            bytea_output=found.get("bytea_output", "hex"),
            now=now,
            user=self.user,
        )

    def formats_of(self, columns: int) -> tuple[int, ...]:
        """The format of each column of the reply: 0 text, 1 binary."""
        if not self.result_formats:
            return (0,) * columns
        if len(self.result_formats) == 1:
            return self.result_formats * columns
        return self.result_formats
