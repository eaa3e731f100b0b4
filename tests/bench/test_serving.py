"""The arithmetic of what a served read costs, and the tables it ends up in."""

from __future__ import annotations

import pytest

from bench import serving_micro
from bench.serving import DRIVER, ENGINE, PASSTHROUGH, SERVED, Turn, data, text
from bench.serving_micro import SHAPES, book
from devstack.document_store import DocumentStore
from proxy.translate.api import compile_read

MICRO = {shape: {DRIVER: [200e-6, 400e-6], ENGINE: [320e-6, 540e-6]} for shape in SHAPES}
FOUND = {
    shape: {SERVED: [Turn(0.004, 600e-6)] * 2, PASSTHROUGH: [Turn(0.001, 90e-6), Turn(0.002, 90e-6)]}
    for shape in SHAPES
}


def test_what_the_engine_adds_and_how_both_sides_compare() -> None:
    shown = text(MICRO, FOUND, "documentdb")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown.splitlines()]
    assert ["key", "300", "430", "130 (120..140)", "600", "90"] in rows
    assert ["join", "4.00", "1.50", "3.00 (2.00..4.00)"] in rows
    assert "the aim for a key lookup is 150" in shown
    assert "DocumentDB" in shown


def test_every_round_is_in_the_data() -> None:
    found = data(MICRO, FOUND)
    assert found["engine"]["key"] == {DRIVER: [200e-6, 400e-6], ENGINE: [320e-6, 540e-6]}
    assert found["proxies"]["list"][PASSTHROUGH][1] == {"latency": 0.002, "cpu": 90e-6}


def test_every_shape_compiles_for_the_made_up_tables() -> None:
    for shape in SHAPES.values():
        plan = compile_read(shape.text, book("bench"), "bench", ("public",))
        assert plan.parameter_types == (23,)


@pytest.mark.integration
async def test_both_answer_alike(document_store: DocumentStore) -> None:
    """`_measured` asserts that every read has rows, and `served` that the store has given them."""
    found = await serving_micro.measured(document_store.uri, 1, 20)
    assert set(found) == set(SHAPES)
    assert all(times[0] > 0 for one in found.values() for times in one.values())
