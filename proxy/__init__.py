"""Causeway: a transparent PostgreSQL proxy that moves a live application onto a document database."""

from proxy import compiled

__version__ = "0.1.0"

COMPILED = compiled.choose()
"""Whether the hot modules of capture run compiled."""
