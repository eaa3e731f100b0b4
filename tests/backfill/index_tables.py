"""Tables with indexes of every kind, and the settings of a command that is to look at them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devstack.document_store import DocumentStore
from devstack.postgres import PostgresServer
from tests.stores.conftest import polled
from tests.support.fleet import forget_fleet

TABLES = """
CREATE TYPE mood AS ENUM ('fine', 'poor');
CREATE TABLE orders (
  id bigint PRIMARY KEY, customer bigint NOT NULL, number text UNIQUE, state text NOT NULL, mood mood,
  placed timestamptz NOT NULL, gone timestamptz, paid bool NOT NULL, lines jsonb, tags text[], total numeric,
  UNIQUE (customer, number)
);
CREATE INDEX by_customer ON orders (customer, placed DESC) INCLUDE (total);
CREATE INDEX by_key ON orders (customer, id);
CREATE INDEX open ON orders (placed) WHERE gone IS NULL AND NOT paid AND state = 'it''s open';
CREATE INDEX has_mood ON orders (placed) WHERE mood IS NOT NULL AND id > 5;
CREATE INDEX moods ON orders (mood) WHERE mood = 'fine';
CREATE INDEX either ON orders (placed) WHERE paid OR gone IS NULL;
CREATE INDEX lower ON orders (lower(state));
CREATE INDEX gin ON orders USING gin (lines);
CREATE INDEX hash ON orders USING hash (state);
CREATE INDEX tags ON orders (tags);
CREATE TABLE lines (order_id bigint, line int, note text, PRIMARY KEY (order_id, line)) PARTITION BY RANGE (order_id);
CREATE TABLE lines_1 PARTITION OF lines FOR VALUES FROM (0) TO (100);
CREATE TABLE lines_2 PARTITION OF lines FOR VALUES FROM (100) TO (200);
CREATE INDEX line_notes ON lines (note);
CREATE INDEX only_here ON lines_2 (note, line);
CREATE TABLE other (id int PRIMARY KEY);
"""
RULES = """
tables:
  orders: {phase: backfill, rename: {placed: placedAt}}
  lines: {phase: backfill}
"""


@contextmanager
def indexed(
    postgres: PostgresServer, document_store: DocumentStore, directory: Path
) -> Iterator[dict[str, Any]]:
    """A new database with `TABLES`, by the names of settings."""
    forget_fleet(document_store.uri)
    with postgres.database(f"indexes_{uuid.uuid4().hex[:8]}") as name:
        postgres.psql(TABLES, name)
        rules = directory / "rules.yaml"
        rules.write_text(f"database: {name}\n{RULES}")
        yield {
            "upstream": f"127.0.0.1:{postgres.port}",
            "control_dsn": postgres.dsn(name),
            "store": polled(document_store.uri),
            "rules": str(rules),
        }
