from __future__ import annotations

from rich.cells import cell_len

from demo.summary import summary
from tests.demo.states import beginning, ended, shown

NOW = 110.0


def test_summary_of_a_success() -> None:
    text = shown(summary(ended(), NOW, with_steps=True), 120)
    for part in (
        "✓ the proxy drains",
        "28,500 (19,000 SELECT, 9,500 UPDATE, …)",
        "12,246 transactions",
        "950 orders, 645 payments",
        "application errors             0",
        "reconnects                     0",
        "1 applied, 0 rejected",
        "DocumentDB (as MongoDB 8.0.0): 6,000 documents",
        "orders 41, the row and its document",
        "the document store was gone for 7 s",
        "`causeway status` meanwhile: mirror: store away",
        "✓   no error at an application   none",
        "reads in primary_switch        1,234 by the documents, 321 by PostgreSQL",
        "All 1 expectations held, in 45 s.",
    ):
        assert part in text
    rows = [line.split("  ") for line in text.splitlines()]
    figures = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert ["a read by key", "100 µs", "400 µs", "160 µs", "900 µs", "60 µs"] in figures
    assert ["an order, mirrored", "4.00 ms", "9.00 ms", "3.80 ms", "12.0 ms", "-200 µs"] in figures
    assert ["one action, p50", "13.1 ms", "12.7 ms"] in figures
    assert ["the shop's actions", "211/s", "214/s"] in figures
    assert ["rows that waited for the store", "2,075"] in figures
    assert [
        "select id, email, name, joined_at from custo…",
        *("512", "400 µs", "2.00 ms", "1.20 ms", "-"),
    ] in figures
    assert ["caught up after its return, under load", "after 1.80 s"] in figures
    assert ["orders", "1,000", "1,000", "5,000", "0", "1,234", "1,200", "0"] in figures
    assert "✓ the proxy drains" not in shown(summary(ended(), NOW, with_steps=False), 120)


def test_summary_of_a_missed_expectation() -> None:
    state = ended()
    state.expect("nobody has to reconnect", False, "3 reconnects")
    text = shown(summary(state, NOW, with_steps=False), 120)
    assert "✗   nobody has to reconnect      3 reconnects" in text
    assert "1 of 2 expectations did not hold, after 45 s." in text


def test_summary_of_a_failed_step() -> None:
    state = ended()
    state.steps[3].status, state.steps[3].detail = "failed", "it is closed"
    assert "Failed after 45 s at the step “the shop's tables are made”: it is closed" in shown(
        summary(state, NOW, with_steps=False), 120
    )


def test_summary_of_an_interrupted_beginning() -> None:
    state = beginning()
    state.interrupted = True
    text = shown(summary(state, NOW, with_steps=True), 120)
    assert text.strip() == "Interrupted after 10 s; everything that was started has been stopped."


def test_no_figure_is_broken_over_lines_on_the_smallest_terminal() -> None:
    lines = shown(summary(ended(), NOW, with_steps=True), 80).splitlines()
    assert max(map(cell_len, lines)) <= 80
    for row in ("order_items", "an order, mirrored", "one action, p50"):
        assert any(line.startswith(f" {row} ") for line in lines)
    assert any(line.split()[-2:] == ["applied", "coalesced"] for line in lines)
