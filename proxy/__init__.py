"""Causeway: a transparent PostgreSQL proxy that moves a live application onto a document database."""

__version__ = "0.1.0"
