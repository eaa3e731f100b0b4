"""The error that ends the demo early."""

from __future__ import annotations


class DemoError(Exception):
    """A step could not be carried out; the text says which program said what, and what to do where that is known."""
