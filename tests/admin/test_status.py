"""The status: of one process, of several, and what makes a proxy ready."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from proxy.admin.mirror import MirrorReport, TableHolding, TableReport
from proxy.admin.status import (
    NOT_MET,
    NOT_MIRRORING,
    Status,
    combine,
    describe_table,
    json_schema,
    readiness,
)
from proxy.phases import LAST_BUILT, Phase
from proxy.rules import Problem, RulesError, RuleSet, load_rules
from tests.admin.sources import STARTED, book, process

PROBLEM = Problem("/etc/rules/a.yaml", 3, 5, "tables.orders.phase", "unknown phase", "write dual_write")


@pytest.fixture
def rules(tmp_path: Path) -> RuleSet:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "tables:\n"
        "  orders: {phase: decommission, collection: bestellungen, force: true}\n"
        "  'shop.\"Order Items\"': {phase: passthrough}\n"
    )
    return load_rules(path)


def test_one_process_is_the_whole_proxy(rules: RuleSet) -> None:
    status = combine([process(book(rules))], workers=1)
    assert status.state == "running"
    assert status.connections.client == 3
    assert status.rules.digest == rules.digest
    assert status.processes[0].pid == 1000
    assert (status.listen, status.upstream) == (["127.0.0.1:6432"], ["db:5432"])


def test_tables_are_shown_as_requested_and_as_they_are(rules: RuleSet) -> None:
    shown = {table.table: table for table in combine([process(book(rules))], workers=1).tables}
    orders = shown["public.orders"]
    assert orders.requested is Phase.DECOMMISSION
    assert orders.effective < orders.requested
    assert "not built yet" in orders.reasons[0]
    assert (orders.collection, orders.force, orders.database) == ("bestellungen", True, None)
    assert orders.rule.endswith("rules.yaml:2:3")
    assert shown['shop."Order Items"'].reasons == []


def test_connections_add_up_and_the_limit_is_shared() -> None:
    status = combine([process(worker=1, clients=2), process(worker=0, clients=5)], workers=2)
    assert status.connections.client == 7
    assert status.connections.active == 2
    assert status.connections.limit == 100
    assert [one.worker for one in status.processes] == [0, 1]
    assert status.listen == ["127.0.0.1:6432"]


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (["running", "running"], "running"),
        (["running", "starting"], "running"),
        (["starting", "starting"], "starting"),
        (["running", "draining"], "draining"),
        (["draining", "stopped"], "draining"),
        (["running", "stopped"], "draining"),
        (["stopped", "stopped"], "stopped"),
    ],
)
def test_the_state_of_several(states: list[str], state: str) -> None:
    reports = [process(worker=n, state=one) for n, one in enumerate(states)]
    status = combine(reports, workers=2)
    assert status.state == state
    assert readiness(status).ready == (state == "running")


def test_while_workers_differ_the_slower_ones_tables_are_shown(rules: RuleSet) -> None:
    ahead = book()
    ahead.accept(rules)
    assert ahead.loaded_at > STARTED
    status = combine([process(ahead), process(book(), worker=1)], workers=2)
    assert status.rules.digest is None
    assert status.rules.loaded_at == STARTED
    assert status.tables == []


def test_a_rejected_reload_is_shown_and_does_not_make_unready() -> None:
    broken = process(book(error=RulesError([PROBLEM])), worker=1)
    status = combine([process(), broken], workers=2)
    assert [problem.message for problem in status.rules.problems] == ["unknown phase"]
    ready = readiness(status)
    assert ready.ready
    assert "rejected" in ready.detail
    assert ready.rules_problems == status.rules.problems


def test_readiness_says_how_many_workers_run() -> None:
    ready = readiness(combine([process()], workers=2))
    assert ready.ready
    assert (ready.processes, ready.workers) == (1, 2)
    assert "1 of 2 workers" in ready.detail


def test_the_start_is_that_of_the_first_process() -> None:
    later = process(worker=1, started_at=STARTED + timedelta(seconds=9))
    assert combine([later, process()], workers=2).started_at == STARTED


def test_a_status_crosses_the_wire_unchanged_and_fits_its_schema(rules: RuleSet) -> None:
    status = combine([process(book(rules, RulesError([PROBLEM])))], workers=1)
    assert Status.model_validate_json(status.model_dump_json()) == status
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(status.model_dump(mode="json"), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**status.model_dump(mode="json"), "state": "fine"}, schema)


def mirror(*tables: TableReport) -> MirrorReport:
    return MirrorReport(tables=list(tables), store="ok")


def orders(database: str = "shop", **values: Any) -> TableReport:
    holding = TableHolding(requested=Phase.DECOMMISSION, effective=Phase.DUAL_WRITE, reasons=["a gap"])
    return TableReport.model_validate(
        {"database": database, "table": "public.orders", "holding": holding, "captured": 1, **values}
    )


def test_a_rule_for_every_database_has_a_row_for_each_that_is_mirrored(rules: RuleSet) -> None:
    reports = [
        process(book(rules), mirror=mirror(orders(), orders("archive"))),
        process(book(rules), worker=1, mirror=mirror(orders())),
    ]
    status = combine(reports, workers=2)
    assert [(table.database, table.table, table.effective.value) for table in status.tables] == [
        ("archive", "public.orders", "dual_write"),
        ("shop", "public.orders", "dual_write"),
        (None, 'shop."Order Items"', "passthrough"),
    ]
    assert status.tables[1].reasons == ["a gap"]
    assert [table.mirror and table.mirror.captured for table in status.tables] == [1, 2, None]
    assert status.mirror is not None
    assert status.processes[1].mirror is not None
    jsonschema.validate(status.model_dump(mode="json"), json_schema())


def test_a_table_that_is_held_and_has_nothing_mirrored_shows_why(rules: RuleSet) -> None:
    held = TableHolding(requested=Phase.DECOMMISSION, effective=Phase.PASSTHROUGH, reasons=["no store"])
    status = combine([process(book(rules), mirror=mirror(orders(holding=held, captured=0)))], workers=1)
    table = next(table for table in status.tables if table.table == "public.orders")
    assert (table.effective, table.reasons, table.mirror) == (Phase.PASSTHROUGH, ["no store"], None)


@pytest.mark.parametrize(("report", "reason"), [(None, NOT_MIRRORING), (mirror(), NOT_MET)])
def test_what_rules_ask_for_and_nobody_mirrors_is_held(
    rules: RuleSet, report: MirrorReport | None, reason: str
) -> None:
    asked = describe_table(next(iter(rules.tables.values()))).model_copy(
        update={"requested": Phase.DUAL_WRITE, "effective": Phase.DUAL_WRITE, "reasons": []}
    )
    made = process(book(rules), mirror=report).model_copy(update={"tables": [asked]})
    (table,) = combine([made], workers=1).tables
    assert (table.effective, table.reasons) == (Phase.PASSTHROUGH, [reason])


def test_a_holding_of_other_rules_is_not_shown(rules: RuleSet) -> None:
    old = TableHolding(requested=Phase.BACKFILL, effective=Phase.BACKFILL)
    status = combine([process(book(rules), mirror=mirror(orders(holding=old)))], workers=1)
    table = next(table for table in status.tables if table.table == "public.orders")
    assert table.effective is LAST_BUILT
    assert table.mirror is not None


def test_fields_of_a_newer_proxy_are_ignored() -> None:
    status = combine([process()], workers=1)
    assert Status.model_validate({**status.model_dump(mode="json"), "new": 1}) == status
