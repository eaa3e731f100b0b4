"""What is remembered of a prepared statement."""

from __future__ import annotations

from proxy.session.plan import Plan, Step
from proxy.session.prepared import Portal, Prepared
from proxy.sql.model import Kind, Statement


def test_a_statement_without_interest_has_no_step() -> None:
    assert Prepared(b"select 1", b"\x00\x00", None, 1, spliced=False).step is None
    assert Prepared(b"", b"\x00\x00", Plan("", ()), 1, spliced=False).step is None


def test_its_step_is_the_only_statement() -> None:
    step = Step(Statement(Kind.WRITE, 0, 1), captured=True)
    prepared = Prepared(b"x", b"\x00\x00", Plan("x", (step,)), 1, spliced=True)
    assert prepared.step is step
    portal = Portal(prepared.step, None)
    assert portal.step is step
    assert not portal.unfetched
