"""What `check` says of a table before it is mirrored."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.catalog.model import Snapshot
from proxy.catalog.preflight import Finding, Outcome, TableReport, preflight
from proxy.mirror.effects import TableId
from tests.catalog.conftest import Place
from tests.catalog.made import attribute, relation, snapshot
from tests.catalog.test_changes import MadeRule

T = TableId("public", "t")
PLAIN = relation(1, "t", attribute(1, "id", not_null=True))


def report(catalogue: Snapshot, problems: tuple[tuple[str, str], ...] = (), **rule: Any) -> TableReport:
    (found,) = preflight(catalogue, {T: MadeRule(**rule)}, {T: problems})
    assert found.table == T
    return found


def test_a_plain_table_on_18() -> None:
    found = report(snapshot(PLAIN, server_version=180001))
    assert found.findings == (
        Finding(Outcome.OK, "capture", "INSERT, UPDATE, DELETE and MERGE are captured; so is TRUNCATE"),
    )
    assert found.outcome is Outcome.OK


def test_before_18_the_old_key_is_not_returned() -> None:
    found = report(snapshot(PLAIN, server_version=160001))
    assert found.outcome is Outcome.OK
    assert [finding.subject for finding in found.findings] == ["capture", "key_change"]
    assert "MERGE" not in found.findings[0].detail


def _without_key(**more: Any) -> Snapshot:
    return snapshot(relation(1, "t", attribute(1, "id"), attribute(2, "n"), primary_key=(), **more))


@pytest.mark.parametrize(
    ("catalogue", "rule", "subject", "words"),
    [
        (snapshot(), {}, "table", "no such table"),
        (snapshot(relation(1, "t", attribute(1, "id"), kind="v")), {}, "table", "is a view"),
        (snapshot(relation(1, "t", attribute(1, "id"), kind="f")), {}, "table", "is a foreign table"),
        (
            snapshot(relation(2, "p"), relation(1, "t", attribute(1, "id"), root=2)),
            {},
            "table",
            "partition of public.p",
        ),
        (snapshot(relation(1, "t", attribute(1, "id"), persistence="u")), {}, "table", "unlogged"),
        (snapshot(PLAIN, wal_level="minimal"), {}, "wal_level", "minimal"),
        (_without_key(unique_keys=()), {}, "key", "add a primary key"),
        (_without_key(unique_keys=(("id", "n"),)), {}, "key", "can say `key`: (id, n)"),
        (_without_key(unique_keys=()), {"key": ("id",)}, "key", "no unique index"),
        (_without_key(unique_keys=()), {"key": ("nope",)}, "key", "column nope"),
    ],
)
def test_what_keeps_a_table_out(catalogue: Snapshot, rule: dict[str, Any], subject: str, words: str) -> None:
    found = report(catalogue, **rule)
    assert found.outcome is Outcome.FAILED
    (finding,) = found.findings
    assert (finding.outcome, finding.subject) == (Outcome.FAILED, subject)
    assert words in finding.detail


def test_a_chosen_key_in_any_order() -> None:
    assert report(_without_key(unique_keys=(("id", "n"),)), key=("n", "id")).outcome is Outcome.OK


def test_what_the_mapping_refuses() -> None:
    found = report(snapshot(PLAIN), (("price", "numeric without bound"), ("", "too many fields")))
    assert found.outcome is Outcome.FAILED
    assert [finding.detail for finding in found.findings] == [
        "price: numeric without bound",
        "too many fields",
    ]


@pytest.mark.integration
async def test_a_table_with_everything(place: Place) -> None:
    role = f"r_{place.database}"
    try:
        place.run(f"""
            create role {role};
            create table people (id int primary key);
            create table t (id int primary key, person int references people on delete cascade);
            create table heir (x int) inherits (t);
            create table other (id int primary key);
            create function touch() returns trigger language plpgsql as
              'begin update public.t set person = null; return null; end';
            create trigger other_touch after insert or update on other for each row execute function touch();
            create trigger other_gone after truncate on other for each statement execute function touch();
            create function clean() returns void language sql as 'delete from t';
            create view v as select * from t;
            grant insert on t to {role};
            """)
        catalogue = await place.read("people", "t")
        found = preflight(catalogue, {T: MadeRule(), TableId("public", "people"): MadeRule()})
        said = {(finding.outcome.value, finding.subject, finding.detail) for finding in found[0].findings}
        verbs = " and MERGE" if place.server.major >= 17 else ""
        expected = {
            ("ok", "capture", f"INSERT, UPDATE, DELETE{verbs} are captured; so is TRUNCATE"),
            ("warning", "rows", "rows of heir, which inherits from it, are not mirrored with it"),
            (
                "ok",
                "cascade",
                "foreign key t_person_fkey of public.t: the rows that follow DELETE on public.people are read again, "
                "and the gap closes by itself",
            ),
            (
                "warning",
                "trigger",
                "trigger other_touch of public.other: INSERT on public.other, UPDATE on public.other "
                "may change it unseen",
            ),
            (
                "warning",
                "trigger",
                "trigger other_gone of public.other: TRUNCATE of public.other may change it unseen",
            ),
            ("warning", "function", "function public.clean: a call of clean may change it unseen"),
            (
                "warning",
                "rule",
                "view public.v: INSERT on public.v, UPDATE on public.v, DELETE on public.v may change it unseen",
            ),
            (
                "warning",
                "privilege",
                f"writes by {role} are gaps: the role may not SELECT every column and tableoid; "
                "GRANT SELECT on the table",
            ),
        }
        if place.server.major < 18:
            detail = "an UPDATE that changes the key (id) is a gap unless WHERE gives the old key"
            expected.add(("ok", "key_change", detail))
        assert said == expected
        assert found[0].outcome is Outcome.WARNING
        assert found[1].outcome is Outcome.OK
    finally:
        place.run(f"drop owned by {role}; drop role {role}")


@pytest.mark.integration
async def test_rules_and_partitions(place: Place) -> None:
    place.run("""
        create table t (id int primary key) partition by range (id);
        create table t_1 partition of t for values from (0) to (9);
        create table r (id int primary key); create rule x as on delete to r do instead nothing;
        grant insert on t_1 to causeway_md5;
        """)
    catalogue = await place.read("t", "r")
    partitioned, ruled = preflight(catalogue, {T: MadeRule(), TableId("public", "r"): MadeRule()})
    assert "through it and its 1 partitions are captured" in partitioned.findings[0].detail
    assert "writes on partition t_1 by causeway_md5 are gaps" in partitioned.findings[-1].detail
    assert ruled.findings[0].detail == "has rewrite rules: every write is a gap"
    assert ruled.outcome is Outcome.WARNING


def test_many_roles_are_counted() -> None:
    unreadable = {f"r{n}": {1: "why"} for n in range(8)}
    found = report(snapshot(PLAIN, unreadable=unreadable))
    assert found.findings[-1].detail == "writes by r0, r1, r2, r3, r4 and 3 more are gaps: why"
