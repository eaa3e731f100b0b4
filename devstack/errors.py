"""The one error that devstack raises for a machine that is not as it must be."""

from __future__ import annotations


class DevstackError(Exception):
    """Something devstack needs is missing or did not work; the text says what to do about it."""
