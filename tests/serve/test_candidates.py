"""Which reads may be served, and what other texts do to a session."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from proxy.rulefiles.schema import Reads
from proxy.serve.candidates import Reading, ServedTable, ServedTables, reading_of
from proxy.session.plan import Identity
from proxy.sql.analysis import analyse
from tests.support.capture import ground, relation, snapshot

ANN = Identity(frozenset({"ann"}), roles_known=True, path=("public",))
BASE = ground(
    snapshot([relation(1, "a"), relation(2, "b"), relation(3, "c"), relation(4, "v", kind="v")]),
    mirrored=(1, 2, 3),
)
SERVED = ServedTables(
    MappingProxyType(
        {
            1: ServedTable(
                "public.a", Reads.model_validate({"share": "10%", "timeout": "2s", "max_rows": 5})
            ),
            2: ServedTable("public.b", Reads.model_validate({"share": "50%", "max_bytes": "2KiB"})),
        }
    ),
    0.5,
)


def reading(text: str, identity: Identity = ANN, **more: object) -> Reading:
    base = BASE
    if more:
        base = ground(snapshot(BASE.snapshot.relations.values(), **more), mirrored=(1, 2, 3))
    return reading_of(text, analyse(text), base, SERVED, identity)


def test_a_read_has_the_strictest_limits_of_its_tables() -> None:
    found = reading("SELECT * FROM b JOIN a USING (id)")
    assert found.tables == ("public.a", "public.b")
    assert found.share == 0.1
    assert found.limits is not None
    assert (found.limits.timeout, found.limits.max_rows, found.limits.max_bytes) == (1.0, 5, 2048)
    assert found.versions == (BASE.snapshot.relations[1], BASE.snapshot.relations[2])
    assert found.reason == ""


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT * FROM c",
        "SELECT * FROM a, c",
        "SELECT * FROM a WHERE id IN (SELECT id FROM c)",
        "SELECT * FROM v",
        "SELECT * FROM other.a",
        "SELECT * FROM a; SELECT * FROM a",
        "EXPLAIN SELECT * FROM a",
        "DECLARE d CURSOR FOR SELECT * FROM a",
        "FETCH d",
        "COPY a TO STDOUT",
        "UPDATE a SET total = 1",
        "WITH w AS (DELETE FROM a RETURNING id) SELECT * FROM w, a",
        "SELECT * INTO d FROM a",
        "CREATE TABLE d AS SELECT * FROM a",
        "PREPARE q AS SELECT * FROM a",
        "EXECUTE q",
    ],
)
def test_other_texts_are_no_reads_to_be_served(text: str) -> None:
    assert reading(text).tables == ()


@pytest.mark.parametrize(
    ("identity", "more", "reason"),
    [
        (replace(ANN, path=None), {}, "the session's search_path is not known"),
        (replace(ANN, utf8=False), {}, "client_encoding is not UTF8"),
        (replace(ANN, roles_known=False), {}, "the session's role is not known"),
        (replace(ANN, roles=frozenset({"ann", "bob"})), {}, "the session's role is not known"),
        (replace(ANN, roles=frozenset({"bob"})), {}, "the privileges of the session's role are not known"),
        (ANN, {"invisible": {"ann": frozenset({1})}}, "the session's role may not see every row and column"),
    ],
)
def test_a_session_that_is_not_known_well_enough(
    identity: Identity, more: dict[str, object], reason: str
) -> None:
    found = reading("SELECT * FROM a", identity, **more)
    assert (found.tables, found.reason) == (("public.a",), reason)


def test_a_block_is_begun_by_a_statement_alone() -> None:
    assert reading("BEGIN").begins
    assert reading("START TRANSACTION").begins
    assert not reading("BEGIN; SELECT 1").begins
    assert not reading("SELECT 1").begins
