"""Settings of a session that served reads depend on: how they are asked for, and what they allow. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from proxy.translate.api import SessionSettings

NAMES = (
    "TimeZone",
    "DateStyle",
    "IntervalStyle",
    "client_encoding",
    "standard_conforming_strings",
    "extra_float_digits",
    "bytea_output",
    "default_transaction_isolation",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "client_min_messages",
    "transform_null_equals",
    "array_nulls",
)
"""Asked for in this order; one the server does not have is NULL."""

REPORTED = frozenset(
    {"TimeZone", "DateStyle", "IntervalStyle", "client_encoding", "standard_conforming_strings"}
)
"""Those that a server tells by itself when they change."""

QUERY = (
    "SELECT "
    + ", ".join(f"pg_catalog.current_setting('{name}', true)" for name in NAMES)
    + ", current_user::pg_catalog.text, CASE pg_catalog.pg_my_temp_schema() WHEN 0 THEN '0' ELSE "
    "(SELECT pg_catalog.count(*)::pg_catalog.text FROM pg_catalog.pg_class "
    "WHERE relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()) END, "
    "pg_catalog.array_to_json(pg_catalog.current_schemas(false))::pg_catalog.text"
)
"""Gives one row of text: NAMES, the user, how many temporary relations there are, and the search_path as JSON."""

_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "us": 0.000001}
_DURATION = re.compile(r"(\d+)(us|ms|s|min|h|d)?\Z")

_MUST_BE = {
    "default_transaction_isolation": frozenset({"read committed", "read uncommitted"}),
    "client_encoding": frozenset({"UTF8"}),
    "standard_conforming_strings": frozenset({"on"}),
    "transform_null_equals": frozenset({"off"}),
    "array_nulls": frozenset({"on"}),
    "client_min_messages": frozenset({"notice", "warning", "error"}),
    "bytea_output": frozenset({"hex", "escape"}),
}
"""What a served read takes for granted."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the server has told, and what it has reported since."""

    values: dict[str, str]
    user: str
    temporary: bool
    path: tuple[str, ...]
    """The schemas of its search_path that there are, pg_catalog left out."""
    shadowed: bool
    """Whether its search_path has a schema before pg_catalog."""
    session: SessionSettings
    obstacle: str
    """Why no read of the session is served; empty: they may be."""
    block_obstacle: str
    """The same of reads in a transaction block."""
    statement_timeout: float
    """Seconds; 0: there is none."""


def known(row: Sequence[bytes | None]) -> Known | None:
    """From the row that QUERY gives; None where it is not one."""
    if len(row) != len(NAMES) + 3:
        return None
    texts = [None if value is None else value.decode("utf-8", "replace") for value in row]
    values = {name: text for name, text in zip(NAMES, texts, strict=False) if text is not None}
    path: list[str] = json.loads(texts[-1] or "[]")
    shadowed = "pg_catalog" in path[1:]
    schemas = tuple(schema for schema in path if schema != "pg_catalog")
    return _judged(values, texts[-3] or "", texts[-2] != "0", schemas, shadowed)


def reported(before: Known, name: str, value: str) -> Known:
    """The server has told of a change."""
    return _judged(
        {**before.values, name: value}, before.user, before.temporary, before.path, before.shadowed
    )


def _judged(
    values: dict[str, str], user: str, temporary: bool, path: tuple[str, ...], shadowed: bool
) -> Known:
    obstacle = ""
    for name, allowed in _MUST_BE.items():
        if values.get(name) not in allowed:
            obstacle = f"the session's {name} is not what served reads take for granted"
    if duration(values.get("idle_session_timeout", "0")) != 0:
        # The server does not see served reads: it would end a session that is at work.
        obstacle = "the session has an idle_session_timeout"
    if temporary:
        obstacle = "the session may have temporary tables"
    if shadowed:
        obstacle = "the session's search_path has a schema before pg_catalog"
    idle = duration(values.get("idle_in_transaction_session_timeout", "0"))
    block = "the session has an idle_in_transaction_session_timeout" if idle != 0 else ""
    digits = values.get("extra_float_digits", "1")
    if not digits.lstrip("-").isdigit():
        obstacle = "the session's extra_float_digits is not known"
        digits = "1"
    timeout = duration(values.get("statement_timeout", "0"))
    if timeout is None:
        obstacle = "the session's statement_timeout is not known"
    session = SessionSettings(
        time_zone=values.get("TimeZone", "UTC"),
        date_style=values.get("DateStyle", "ISO, MDY"),
        interval_style=values.get("IntervalStyle", "postgres"),
        extra_float_digits=int(digits),
        bytea_output=values.get("bytea_output", "hex"),
        now=None,
        user=user,
    )
    return Known(values, user, temporary, path, shadowed, session, obstacle, block, timeout or 0.0)


def duration(text: str) -> float | None:
    """Seconds of a setting as `current_setting` writes it; None for what is none."""
    match = _DURATION.match(text)
    return None if match is None else int(match[1]) * _SECONDS[match[2] or "ms"]
