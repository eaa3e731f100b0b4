"""For which roles RETURNING on a table is not safe, and why; and which do not see all of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "select": "the role may not SELECT every column and tableoid; GRANT SELECT on the table",
        "row security": "row-level security applies to the role, and RETURNING checks its SELECT policies",
        "schema": "the role has no USAGE on the schema",
    }
)
"""By what `queries.UNREADABLE` answers."""


def unreadable(
    roles: Iterable[str],
    tables: Iterable[int],
    denied: Iterable[tuple[str, int, str]],
    uncallable: Iterable[tuple[str, str]],
) -> Mapping[str, Mapping[int, str]]:
    """Every role of `roles` has its entry, empty where all is safe.

    `denied`: (role, relation, key of REASONS); `uncallable`: (role, function of the splice it may not EXECUTE).
    """
    found: dict[str, dict[int, str]] = {role: {} for role in roles}
    everything = tuple(tables)
    for role, relation, reason in denied:
        if role in found:
            found[role][relation] = REASONS[reason]
    for role, function in uncallable:
        if role in found:
            reason = f"the role may not EXECUTE {function}"
            for relation in everything:
                found[role].setdefault(relation, reason)
    return MappingProxyType({role: MappingProxyType(reasons) for role, reasons in found.items()})


def invisible(denied: Iterable[tuple[str, int]]) -> Mapping[str, frozenset[int]]:
    """Role -> relations, from the pairs of them; roles without any are left out."""
    found: dict[str, set[int]] = {}
    for role, relation in denied:
        found.setdefault(role, set()).add(relation)
    return MappingProxyType({role: frozenset(relations) for role, relations in found.items()})
