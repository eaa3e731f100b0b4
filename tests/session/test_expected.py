"""What is owed, and which statement's results come next."""

from __future__ import annotations

from proxy.session.expected import PLAIN_QUERY, Expected, Owed
from proxy.session.plan import Step
from proxy.sql.model import Kind, Statement


def step(*, captured: bool) -> Step:
    return Step(Statement(Kind.WRITE, 0, 1), captured=captured)


def test_a_query_walks_through_its_statements() -> None:
    entry = Expected(Owed.QUERY, steps=(step(captured=False), step(captured=True)))
    assert not entry.rows
    entry.advance()
    assert entry.step is entry.steps[1]
    assert entry.rows
    entry.advance()
    assert entry.step is None
    assert not entry.rows


def test_rows_of_our_own_are_always_looked_at() -> None:
    assert Expected(Owed.EXECUTE, hidden=True).rows
    assert not PLAIN_QUERY.rows
