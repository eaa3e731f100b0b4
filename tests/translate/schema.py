"""The script that makes the tables reads are compared on."""

from __future__ import annotations

from pathlib import Path

SCHEMA = (Path(__file__).parent / "schema.sql").read_text()
