"""What a database adds to, or fixes of, PostgreSQL's own operators, functions, casts and collations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from asyncpg import Connection, Record

LANGUAGE = """
SELECT pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       coalesce(pg_catalog.to_jsonb(d)->>'datlocprovider', 'c') AS provider,
       coalesce(pg_catalog.to_jsonb(d)->>'datlocale', d.datcollate)::text AS sorting,
       coalesce(pg_catalog.to_jsonb(d)->>'datlocale', d.datctype)::text AS ctype,
       ARRAY(SELECT DISTINCT p.proname::text FROM pg_catalog.pg_proc p
              WHERE p.oid >= 16384 AND p.prokind <> 'p' ORDER BY 1) AS functions,
       ARRAY(SELECT o.oprname::text || ' ' || o.oprleft::int8 || ' ' || o.oprright::int8
               FROM pg_catalog.pg_operator o WHERE o.oid >= 16384 ORDER BY o.oid) AS operators,
       ARRAY(SELECT c.castsource::int8 || ' ' || c.casttarget::int8 FROM pg_catalog.pg_cast c
              WHERE c.oid >= 16384 AND c.castcontext = 'i' ORDER BY c.oid) AS casts
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
"""
"""Builtin and ICU locales are in `datlocale` from 17 on; before, there is no builtin one, and ICU's is of no use."""

_ODD_CASE = frozenset({"tr", "az", "lt", "crh", "ku", "tt"})
"""Languages whose small and capital letters are not those of all others."""


class Traits(NamedTuple):
    """How a collation compares texts, as far as it is known."""

    bytewise: bool = False
    """It sorts by the bytes of UTF-8: C, POSIX, C.UTF-8."""
    deterministic: bool = False
    ctype: str = ""
    """Of upper and lower case: `c` ASCII alone, `utf8` the letters of a locale without oddities; empty: not known."""


UNKNOWN = Traits()


@dataclass(frozen=True, slots=True)
class Language:
    """Of one database."""

    encoding: str = ""
    default: Traits = field(default=UNKNOWN)
    """Of the collation `default`."""
    functions: frozenset[str] = frozenset()
    """Names of functions and aggregates that are not PostgreSQL's own, in any schema."""
    operators: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Name -> operand types of operators that are not PostgreSQL's own; 0 where there is no left operand."""
    casts: frozenset[tuple[int, int]] = frozenset()
    """Implicit casts that are not PostgreSQL's own."""


def traits(provider: str, sorting: str, ctype: str, deterministic: bool) -> Traits:
    """`provider`: c libc, b builtin, i ICU."""
    if provider == "b":
        return Traits(True, deterministic, "c" if sorting == "C" else "utf8" if sorting == "C.UTF-8" else "")
    if provider != "c":
        return Traits(False, deterministic, "")
    return Traits(_bytewise(sorting), deterministic, _case(ctype))


def _bytewise(locale: str) -> bool:
    return locale in ("C", "POSIX") or locale.lower().replace("-", "") == "c.utf8"


def _case(locale: str) -> str:
    if locale in ("C", "POSIX"):
        return "c"
    name, _, encoding = locale.partition(".")
    if encoding.partition("@")[0].lower().replace("-", "") != "utf8" or "@" in locale:
        return ""
    return "" if name.partition("_")[0].lower() in _ODD_CASE else "utf8"


async def read_language(connection: Connection[Record]) -> Language:
    row = await connection.fetchrow(LANGUAGE)
    assert row is not None
    operators: dict[str, list[tuple[int, int]]] = {}
    for text in row["operators"]:
        name, left, right = text.split(" ")
        operators.setdefault(name, []).append((int(left), int(right)))
    return Language(
        row["encoding"],
        traits(row["provider"], row["sorting"] or "", row["ctype"] or "", True),
        frozenset(row["functions"]),
        MappingProxyType({name: tuple(rows) for name, rows in operators.items()}),
        frozenset((int(one), int(other)) for one, other in (text.split(" ") for text in row["casts"])),
    )
