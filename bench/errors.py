"""What can keep a benchmark from running."""

from __future__ import annotations


class BenchError(Exception):
    """A benchmark cannot run; the text says what is missing and what to do."""
