"""The environment variables that choose what runs."""

from __future__ import annotations

from typing import Final

CHOICE_VARIABLE: Final = "CAUSEWAY_POSTGRES"
"""`system`, `rootfs` or a directory of binaries."""
STORE_VARIABLE: Final = "CAUSEWAY_STORE"
"""URI of a document store."""
