"""How long the demo takes, and how large it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds, and numbers of things."""

    alone: float
    """Both applications before anything is done to them."""
    look: float
    """After each edit of the rules, and each thing to be seen, for whoever watches."""
    outage: float
    """How long the document store is gone."""
    load: int
    """How long pgbench runs."""
    measure: float
    """For each comparison with PostgreSQL."""
    scale: int
    """Of pgbench: 100,000 accounts each."""
    visits: int
    """Rows that were there before Causeway: the history to be copied."""
    clerks: int = 5
    think: float = 0.08
    """Mean pause of a clerk between two actions."""
    pgbench_clients: int = 1
    """For each of the protocols."""


NORMAL = Pace(alone=3, look=2.5, outage=5, load=24, measure=1.0, scale=2, visits=8_000)
QUICK = Pace(alone=1, look=0.3, outage=2, load=6, measure=0.3, scale=1, visits=4000)
