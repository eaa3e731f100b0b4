"""How much the catalogue may cost the source and this process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CatalogueLimits:
    """Times are in seconds."""

    interval: float = 2.0
    """Between two looks at whether the catalogue has changed."""
    backoff_max: float = 30.0
    """Longest time between two attempts while the source is away."""
    connections: int = 3
    """To one database, at most."""
    connect_timeout: float = 5.0
    query_timeout: float = 30.0
    """For one query; also for a snapshot as a whole."""
    roles: int = 1000
    """Servers with more roles are asked only about those that were seen."""
    privilege_pairs: int = 200_000
    """Likewise where roles times tables are more than this."""
    shapes: int = 32
    """Former column lists remembered per table."""
    batch: int = 1000
    """Rows looked for by one query."""
