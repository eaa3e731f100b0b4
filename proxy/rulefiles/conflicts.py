"""Settings of one table that are each well formed and cannot hold together.

A check looks at a table's settings and names the keys at fault; the table below is the list of what is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from proxy.phases import Phase
from proxy.rulefiles.schema import Gates, Table
from proxy.rulefiles.types import AckMode, Durability
from proxy.units import format_duration, format_percent


@dataclass(frozen=True, slots=True)
class Conflict:
    at: tuple[str | int, ...]
    """Key path below the table (or what it inherits), where the remedy is."""
    message: str
    hint: str


Given = tuple[frozenset[str], ...]
"""Dotted key paths (`ack.timeout`) that the file gives: the table's own, then those of what lies beneath it."""

Check = Callable[[Table, Gates, Given], Iterator[Conflict]]


def _ack_timeout(table: Table, gates: Gates, given: Given) -> Iterator[Conflict]:
    if table.ack.mode is not AckMode.ASYNC:
        return
    timeout_given = False
    for layer in given:
        timeout_given |= "ack.timeout" in layer
        if "ack.mode" in layer:  # a timeout further beneath belongs to another mode
            break
    if timeout_given:
        yield Conflict(
            ("ack", "timeout"), "nothing waits with `ack: async`", "write `mode: sync`, or take `timeout` out"
        )


def _excluded_key(table: Table, gates: Gates, given: Given) -> Iterator[Conflict]:
    for position, column in enumerate(table.exclude):
        if column in (table.key or ()):
            yield Conflict(
                ("exclude", position),
                f"{column} is a column of the key and cannot be excluded",
                "a document is found by its key; take the column out of `exclude` or `key`",
            )


def _excluded_rename(table: Table, gates: Gates, given: Given) -> Iterator[Conflict]:
    for column in table.rename:
        if column in table.exclude:
            yield Conflict(
                ("rename", column),
                f"{column} is excluded, so there is no field to rename",
                "take it out of `rename` or `exclude`",
            )


def _rename_collision(table: Table, gates: Gates, given: Given) -> Iterator[Conflict]:
    taken: dict[str, str] = {}
    for column, field in table.rename.items():
        if field in taken:
            yield Conflict(
                ("rename", column),
                f"{taken[field]} and {column} cannot both become {field}",
                "give each column a field of its own",
            )
        taken.setdefault(field, column)
    named = (*(table.key or ()), *((table.last_modified,) if table.last_modified else ()))
    for column in dict.fromkeys(named):
        if column in taken and column not in table.rename and column not in table.exclude:
            yield Conflict(
                ("rename", taken[column]),
                f"{taken[column]} cannot become {column}, which is a column of this table",
                f"choose another field, or rename {column} too",
            )


def _renamed_single_key(table: Table, gates: Gates, given: Given) -> Iterator[Conflict]:
    if table.key is not None and len(table.key) == 1 and table.key[0] in table.rename:
        yield Conflict(
            ("rename", table.key[0]),
            f"{table.key[0]} is the whole key and becomes _id",
            "take it out of `rename`",
        )


def _verify_since(table: Table, gates: Gates, given: Given) -> Iterator[Conflict]:
    if table.verify is not None and table.verify.since is not None and table.last_modified is None:
        yield Conflict(
            ("verify", "since"),
            "`since` needs to know when a row was changed",
            "name the column under `last_modified`, or take `since` out",
        )


def _rollback_without_limit(table: Table, gates: Gates, given: Given) -> Iterator[Conflict]:
    limits = table.auto_rollback
    if limits and limits.max_lag is limits.max_error_rate is limits.max_mismatch_rate is None:
        yield Conflict(
            ("auto_rollback",),
            "no limit is given, so nothing would ever roll back",
            "give max_mismatch_rate, max_error_rate or max_lag, or take `auto_rollback` out",
        )


def _rollback_below_gate(table: Table, gates: Gates, given: Given) -> Iterator[Conflict]:
    limits = table.auto_rollback
    if limits is None:
        return
    remedy = "the table would be let in and thrown out again: make it no smaller than the gate"
    if limits.max_lag is not None and limits.max_lag < gates.max_lag:
        gate = format_duration(gates.max_lag)
        yield Conflict(
            ("auto_rollback", "max_lag"), f"the limit is below the gate's max_lag of {gate}", remedy
        )
    if limits.max_mismatch_rate is not None and limits.max_mismatch_rate < gates.max_mismatch_rate:
        gate = format_percent(gates.max_mismatch_rate)
        yield Conflict(
            ("auto_rollback", "max_mismatch_rate"),
            f"the limit is below the gate's max_mismatch_rate of {gate}",
            remedy,
        )


def _decommission(table: Table, gates: Gates, given: Given) -> Iterator[Conflict]:
    if table.phase is not Phase.DECOMMISSION:
        return
    if table.durability is Durability.FAST:
        yield Conflict(
            ("durability",),
            "`durability: fast` may lose writes, and in decommission the store has the only copy",
            "write strict",
        )
    if table.ack.mode is AckMode.ASYNC:
        yield Conflict(
            ("ack",),
            "with `ack: async` a reply comes before the write is anywhere, as Postgres is not written to",
            "write sync",
        )
    if table.reads.share < 1:
        yield Conflict(
            ("reads",), "in decommission all reads come from the store", "write 100%, or take `reads` out"
        )
    if table.exclude:
        yield Conflict(
            ("exclude",),
            "in decommission the store has the only copy, and excluded columns would be lost",
            "mirror and backfill them first",
        )


CHECKS: tuple[Check, ...] = (
    _ack_timeout,
    _excluded_key,
    _excluded_rename,
    _rename_collision,
    _renamed_single_key,
    _verify_since,
    _rollback_without_limit,
    _rollback_below_gate,
    _decommission,
)


def conflicts(table: Table, gates: Gates, given: Given) -> Iterator[Conflict]:
    for check in CHECKS:
        yield from check(table, gates, given)
