"""Every outcome is explained to people."""

from __future__ import annotations

from pathlib import Path

from proxy.shadow.outcomes import Done, Outcome

PAGE = Path(__file__).parents[2] / "docs" / "dark-reads.md"


def test_the_documentation_tells_each() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    told = {line.split("`")[1] for line in lines if line.startswith("| `")}
    assert told == {outcome.value for outcome in Outcome}


def test_what_was_never_handed_on_has_no_number_and_no_times() -> None:
    done = Done(0, "shop", ("public.orders",), Outcome.DROPPED)
    assert (done.source_seconds, done.store_seconds, done.fingerprint) == (None, None, "")
