"""Which reads may be served, and what other texts do to a session."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from proxy.rulefiles.schema import Reads
from proxy.serve.candidates import Reading, ServedTable, ServedTables, reading_of
from proxy.session.plan import Identity
from proxy.sql.analysis import analyse
from tests.support.capture import ground, relation, snapshot

ANN = Identity(frozenset({"ann"}), roles_known=True, path=("public",))
BASE = ground(
    snapshot([relation(1, "a"), relation(2, "b"), relation(3, "c")], unreadable={"ann": {}, "bob": {}}),
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


def reading(text: str, identity: Identity = ANN) -> Reading:
    return reading_of(text, analyse(text), BASE, SERVED, identity)


def test_a_read_has_the_strictest_limits_of_its_tables() -> None:
    found = reading("SELECT * FROM b JOIN a USING (id)")
    assert found.tables == ("public.a", "public.b")
    assert found.share == 0.1
    assert found.limits is not None
    assert (found.limits.timeout, found.limits.max_rows, found.limits.max_bytes) == (1.0, 5, 2048)
    assert found.versions == (BASE.snapshot.relations[1], BASE.snapshot.relations[2])
    assert found.reason == ""


def test_other_texts_are_no_reads_to_be_served() -> None:
    assert reading("SELECT * FROM c").tables == ()
    assert reading("SELECT * FROM a; SELECT * FROM a").tables == ()


def test_a_session_that_has_had_several_roles_is_not_known_well_enough() -> None:
    found = reading("SELECT * FROM a", replace(ANN, roles=frozenset({"ann", "bob"})))
    assert (found.tables, found.reason) == (("public.a",), "the session's role is not known")


def test_a_block_is_begun_by_a_statement_alone() -> None:
    assert reading("BEGIN").begins
    assert reading("START TRANSACTION").begins
    assert not reading("BEGIN; SELECT 1").begins
    assert not reading("SELECT 1").begins
