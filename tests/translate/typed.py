"""What types PostgreSQL gives expressions, many at a time, beside those that reads are compiled with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from proxy.translate.api import Unsupported
from proxy.translate.types import TEXT, UNKNOWN
from tests.translate.world import World

COLUMNS: Final[Mapping[str, str]] = {
    "bool": "b", "int2": "i2", "int4": "i4", "int8": "i8", "float4": "f4", "float8": "f8", "numeric": "n",
    "text": "t", "varchar": "v", "bpchar": "c", "date": "d", "time": "tm", "timestamp": "ts", "timestamptz": "tz",
    "interval": "iv", "uuid": "u", "bytea": "y", "json": "j", "jsonb": "jb", "mood": "e", "short": "dom",
    "int4[]": "ai", "text[]": "at", "inet": "inet",
}  # fmt: skip
"""Columns of the table `vals`, one of every type."""
NULLS: Final[Mapping[str, str]] = {
    name: f"NULL::{name}"
    for name in (
        *(name for name in COLUMNS if name != "short"),
        *("oid", "name", '"char"', "timetz", "varchar[]", "numeric[]"),
    )
}
"""Constants of every type that reads are compiled for, and of some that they are not."""

_ASK: Final = """
CREATE FUNCTION pg_temp.type_of(expression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
  EXECUTE 'SELECT pg_catalog.pg_typeof(' || expression || ')::pg_catalog.oid FROM vals WHERE id = 3' INTO found;
  RETURN coalesce(found, 'error set');
EXCEPTION WHEN others THEN RETURN 'error ' || SQLSTATE;
END $$
"""


class Typed:
    """Asks in a session of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        types = world.book.snapshots[world.database].types
        self.bases = {oid: info.base for oid, info in types.items() if info.kind == "d"}
        world.oracle.execute(_ASK)

    def theirs(self, expressions: Sequence[str]) -> list[int | str]:
        """By PostgreSQL: the oid of each one's type, or its SQLSTATE.

        What has no type is text, as SELECT makes it. A domain counts as what is beneath it: so it is described.
        """
        answer = self.world.oracle.ask(
            "SELECT pg_temp.type_of(e) FROM json_array_elements_text($1) WITH ORDINALITY AS a (e, n) ORDER BY n",
            [json.dumps(list(expressions)).encode()],
            [],
        )
        assert not answer.sqlstate
        found: list[int | str] = []
        for (text,) in answer.rows:
            assert text is not None
            if not text.isdecimal():
                found.append(text)
                continue
            oid = int(text)
            found.append(TEXT if oid == UNKNOWN else self.bases.get(oid, oid))
        return found

    def ours(self, expression: str) -> int | str:
        """By the compiler: the oid, or why it is not supported."""
        try:
            plan = self.world.compile(f"SELECT {expression} FROM vals")
            plan.bind((), (), self.world.session)  # some constants are looked at once the session is known
        except Unsupported as error:
            return error.reason
        return plan.columns[0].type_oid

    def compared(self, expressions: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """What has another type than PostgreSQL gives it, or has one although PostgreSQL refuses it; and of the others
        that PostgreSQL takes, those that are not supported, with the reason."""
        wrong, refused = [], {}
        for expression, theirs in zip(expressions, self.theirs(expressions), strict=True):
            ours = self.ours(expression)
            if isinstance(ours, int):
                if ours != theirs:
                    wrong.append(f"{expression}: {ours}, not {theirs}")
            elif isinstance(theirs, int):
                refused[expression] = ours
        return wrong, refused
